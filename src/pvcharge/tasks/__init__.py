"""Runs: poller, control loop, charger task and their supervisor."""
