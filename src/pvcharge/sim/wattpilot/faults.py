"""What can go wrong on purpose; every knob may be turned at any time."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pvcharge.sim.wattpilot.properties import Properties


@dataclass(slots=True)
class WattpilotFaults:
    """The knobs of a bad day. A sleepy car belongs to `Car`, a change by hand or a reboot to `WattpilotBox`.

    Attributes:
        freeze: the connections stay open, but the box neither says nor hears anything.
        refuse: new connections are dropped before they are WebSockets.
        auth_delay_s: real seconds before the box answers the login.
        garbage: strange frames are mixed in between the good ones.
        reject_every: the n-th, 2n-th, ... write fails; 0 = none does.
        ignore_writes: writes are answered with success, and nothing changes.
        duplicate_responses: every response comes twice.
        late_responses: a response comes after the next delta or after the response to the next request.
        missing: keys that the box does not report.
        retyped: keys that it reports with another JSON type, and what turns the value into it.
    """

    freeze: bool = False
    refuse: bool = False
    auth_delay_s: float = 0.0
    garbage: bool = False
    reject_every: int = 0
    ignore_writes: bool = False
    duplicate_responses: bool = False
    late_responses: bool = False
    missing: set[str] = field(default_factory=set)
    retyped: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    _writes: int = field(default=0, init=False)
    _cuts: set[Callable[[], None]] = field(default_factory=set, init=False)

    def drop(self) -> None:
        """Cut all connections now, without a goodbye."""
        for cut in tuple(self._cuts):
            cut()

    @contextmanager
    def droppable(self, cut: Callable[[], None]) -> Iterator[None]:
        """Within this context, `drop` calls `cut`."""
        self._cuts.add(cut)
        try:
            yield
        finally:
            self._cuts.discard(cut)

    def rejects_write(self) -> bool:
        """Count a write, and say whether it is one of those that fail."""
        self._writes += 1
        return self.reject_every > 0 and self._writes % self.reject_every == 0

    def seen(self, properties: Mapping[str, Any]) -> Properties:
        """Return the properties as the box reports them under these faults."""
        if not self.missing and not self.retyped:
            return dict(properties)
        return {
            key: self.retyped[key](value) if key in self.retyped and value is not None else value
            for key, value in properties.items()
            if key not in self.missing
        }
