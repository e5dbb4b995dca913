"""`pvcharge run` as a process, with the test in the place of its service manager."""
