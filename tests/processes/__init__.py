"""Cloud and edge as they run in earnest: two processes and a broker with TLS, passwords and access rules."""
