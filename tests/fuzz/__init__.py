"""What is kept of fuzzing, tried each time; see fuzz/."""
