"""Changes by hand, told from our own and from the box's."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pvcharge.drivers.wattpilot.hand import HandWatch
from pvcharge.drivers.wattpilot.reading import Reading

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
MakeReading = Callable[..., Reading]

# What the box says, second by second, and the second of the last change by hand.
SEEN: dict[str, tuple[list[dict[str, Any]], int | None]] = {
    "first sight": ([{"amp": 16, "lmo": 4}], None),
    "nothing changes": ([{}, {}], None),
    "current": ([{}, {"amp": 16}], 1),
    "stop in the app": ([{}, {"frc": 1}], 1),
    "Eco button": ([{}, {"lmo": 4}, {"lmo": 4}], 1),
    "phases": ([{}, {"psm": 0}], 1),
    "twice": ([{}, {"amp": 16}, {"amp": 16}, {"amp": 10}], 3),
    "without a car": ([{"car": 1}, {"car": 1, "amp": 16}], 1),
    "start in the app": ([{"frc": 1}, {"frc": 0}], 1),
    "stop without a car": ([{"car": 1}, {"car": 1, "frc": 1}], 1),
    "reset on unplug": ([{"frc": 1}, {"frc": 0, "car": 1}], None),
    "reset after unplug": ([{"frc": 1}, {"frc": 1, "car": 1}, {"frc": 0, "car": 1}], None),
    "reset on plug-in": ([{"frc": 1, "car": 1}, {"frc": 1, "car": 3}, {"frc": 0, "car": 3}], None),
    "long after plug-in": ([{"frc": 1, "car": 1}, *[{"frc": 1, "car": 3}] * 10, {"frc": 0, "car": 3}], 11),
    "unseen replug": ([{"frc": 1, "wh": 5000}, {"frc": 0, "wh": 0, "car": 3}], None),
    "noise of the counter": ([{"frc": 1, "wh": 0.003}, {"frc": 0, "wh": -0.003, "car": 3}], 1),
    "reboot": ([{"frc": 1}, {"frc": 0, "amp": 6, "rbc": 8}], None),
    "after a reboot": ([{}, {"rbc": 8}, {"rbc": 8, "amp": 6}], 2),
    "a gap in what the box says": ([{}, {"amp": None}, {}], None),
    "changed in a gap": ([{}, {"amp": None}, {"amp": 6}], 2),
    "another type": ([{}, {"amp": 10.0}], None),
}


@pytest.mark.parametrize(("story", "changed_s"), SEEN.values(), ids=SEEN.keys())
def test_by_hand_or_not(reading: MakeReading, story: list[dict[str, Any]], changed_s: int | None) -> None:
    """Only what neither we nor the box did by itself is by hand."""
    watch = HandWatch()
    for second, changes in enumerate(story):
        watch.see(reading(**changes), START + timedelta(seconds=second))
    assert watch.changed_at == (None if changed_s is None else START + timedelta(seconds=changed_s))


def test_our_own_write(reading: MakeReading) -> None:
    """The value that we sent is ours, whenever it shows up; the way back from it is not."""
    watch = HandWatch()
    watch.see(reading(amp=10), START)
    watch.wrote("amp", 16)
    watch.see(reading(amp=10), START)
    watch.see(reading(amp=16), START)
    assert watch.changed_at is None
    watch.see(reading(amp=10), START)
    assert watch.changed_at == START


def test_another_value_than_ours(reading: MakeReading) -> None:
    """A change that crosses our write is by hand."""
    watch = HandWatch()
    watch.see(reading(amp=10), START)
    watch.wrote("amp", 16)
    watch.see(reading(amp=12), START)
    assert watch.changed_at == START


@pytest.mark.fault("wattpilot", "reorder")
def test_a_write_that_shows_after_the_next_was_sent(reading: MakeReading) -> None:
    """A slow box may report both of our values after the second write: neither is anybody's hand."""
    watch = HandWatch()
    watch.see(reading(amp=10), START)
    watch.wrote("amp", 6)
    watch.wrote("amp", 16)
    for amps in (10, 6, 16):
        watch.see(reading(amp=amps), START)
    assert watch.changed_at is None
    watch.see(reading(amp=6), START)
    assert watch.changed_at == START


def test_refused_write_is_not_awaited(reading: MakeReading) -> None:
    """What the box refused to us and has now is from somebody else."""
    watch = HandWatch()
    watch.see(reading(amp=10), START)
    watch.wrote("amp", 16)
    watch.refused("amp")
    watch.see(reading(amp=16), START)
    assert watch.changed_at == START


def test_unplugged_while_nobody_watched(reading: MakeReading) -> None:
    """A car that was away when the link broke explains a reset force state long after."""
    watch = HandWatch()
    watch.see(reading(frc=1, car=1), START)
    watch.see(reading(frc=0, car=3), START + timedelta(hours=1))
    assert watch.changed_at is None
