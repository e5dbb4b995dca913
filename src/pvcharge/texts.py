"""Texts that come from afar: they may hold halves of characters, and what a terminal would obey."""


def sendable(text: str) -> str:
    """Return a text as UTF-8 has it; what it has not is shown as it would stand in a program."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def printable(text: str, instead: str = "?") -> str:
    """Return a text fit for a log or a terminal; something stands for what is not to be seen."""
    return "".join(letter if letter.isprintable() else instead for letter in text)
