"""Texts that come from afar: JSON can hold halves of characters, which nothing that is sent can."""


def sendable(text: str) -> str:
    """Return a text as UTF-8 has it; what it has not is shown as it would stand in a program."""
    return text.encode(errors="backslashreplace").decode()
