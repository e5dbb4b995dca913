"""What goes wrong with history; nothing of it may stop the control."""


class StoreError(Exception):
    """The store cannot be read or written now; the message says which file, why, and what to do."""
