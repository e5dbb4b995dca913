"""The commands, a file each; alone above everything."""
