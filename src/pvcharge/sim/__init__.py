"""Pretends: house, car, weather, and the servers of the real protocols. A feature, not only test code."""
