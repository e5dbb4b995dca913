"""Tests of who may do what on the page."""
