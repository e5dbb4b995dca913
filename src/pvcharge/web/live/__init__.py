"""What is known now, told to whoever looks on: a snapshot, then changes once a second."""
