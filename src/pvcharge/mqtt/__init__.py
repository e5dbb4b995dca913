"""Reaches far: broker link, the one table of topics, both ends of the bridge, Home Assistant."""
