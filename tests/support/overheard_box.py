"""A simulated Wattpilot that tells who listens what its clients set."""

from collections.abc import Callable
from typing import Any

from pvcharge.sim.wattpilot import WattpilotBox


class OverheardBox(WattpilotBox):
    """A box that tells of each write by a client; options as those of any box.

    Attributes:
        on_write: told of each, before it is taken: key and value.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.on_write: Callable[[str, Any], None] = lambda _key, _value: None
        self._pressed = False

    def set_value(self, key: str, value: Any) -> None:
        """Tell of it, and take it."""
        if not self._pressed:
            self.on_write(key, value)
        super().set_value(key, value)

    def press(self, key: str, value: Any) -> None:
        """Be changed by hand, which is no client's doing."""
        self._pressed = True
        try:
            super().press(key, value)
        finally:
            self._pressed = False
