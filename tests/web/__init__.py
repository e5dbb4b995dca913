"""Tests of what the daemon shows over HTTP."""
