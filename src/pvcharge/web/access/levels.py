"""What a visitor may do, and what a route asks for."""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

H = TypeVar("H", bound=Callable[..., object])

_NEEDED = "needed_level"


class Level(IntEnum):
    """What a visitor may do; who may do more may do all of the less."""

    NONE = 0  # open the page and log in
    GUEST = 1  # look
    OWNER = 2  # everything


def needs(level: Level) -> Callable[[H], H]:
    """Declare what a handler of requests asks for, a function or a method; it is returned as it is."""

    def declare(handler: H) -> H:
        setattr(handler, _NEEDED, level)
        return handler

    return declare


def needed(handler: object) -> Level:
    """Return what a handler asks for: everything, where nothing is declared."""
    level = getattr(handler, _NEEDED, Level.OWNER)
    return level if isinstance(level, Level) else Level.OWNER
