"""Shows: what the daemon knows, over HTTP."""
