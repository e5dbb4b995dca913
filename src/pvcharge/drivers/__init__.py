"""Speaks to devices: one folder a maker, behind the two protocols of `base`."""
