"""Tests of the tasks, in virtual time with devices that live in memory."""
