"""The real daemon against the real simulators, over loopback and in accelerated time, on bad days."""
