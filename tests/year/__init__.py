"""A simulated year: the real tasks in virtual time, users, faults, and who watches the rules."""
