"""Tests of cloud and edge as two daemons that meet at a broker in memory."""
