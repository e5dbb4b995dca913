"""Drivers for a tiny meter and a tiny charger that exist only here, to be copied from."""
