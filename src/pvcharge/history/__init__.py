"""Remembers: the embedded store, energies, sessions, and the way into InfluxDB."""
