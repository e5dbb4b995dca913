"""The page in a real browser, shown by a real daemon that steers simulated devices."""
