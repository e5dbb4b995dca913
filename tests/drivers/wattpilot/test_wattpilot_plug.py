"""The plug: a car that is gone, and one that the box only lost sight of."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pvcharge.drivers.wattpilot.plug import PlugSense
from pvcharge.drivers.wattpilot.reading import Reading
from pvcharge.model import ChargerState

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
MakeReading = Callable[..., Reading]

AWAY, READY = ChargerState.DISCONNECTED, ChargerState.READY
CHARGING, COMPLETE = ChargerState.CHARGING, ChargerState.COMPLETE

# Seconds, what the box says then, and the state to believe. The box starts charging on three phases.
STORIES: dict[str, list[tuple[float, dict[str, Any], ChargerState]]] = {
    "unplugged": [
        (0, {}, CHARGING),
        (1, {"car": 1}, CHARGING),
        (3.9, {"car": 1}, CHARGING),
        (4, {"car": 1}, AWAY),
    ],
    "no car from the start": [(0, {"car": 1}, AWAY), (1, {"car": 3}, READY), (2, {"car": 1}, READY)],
    "a loose contact": [
        (0, {}, CHARGING),
        (1, {"car": 1}, CHARGING),
        (3, {}, CHARGING),
        (5, {"car": 1}, CHARGING),
    ],
    "stays away": [
        (0, {}, CHARGING),
        (1, {"car": 1}, CHARGING),
        (9, {"car": 1}, AWAY),
        (10, {"car": 1}, AWAY),
    ],
    "phase switch": [
        (0, {}, CHARGING),
        (1, {"psm": 1}, CHARGING),
        (2, {"psm": 1, "car": 1}, CHARGING),
        (12, {"psm": 1, "car": 4}, CHARGING),
        (20, {"psm": 1, "car": 3}, READY),
        (25, {"psm": 1, "car": 2}, CHARGING),
    ],
    "automatic phase switch": [
        (0, {}, CHARGING),
        (1, {"fsp": True, "car": 1}, CHARGING),
        (9, {"car": 1}, CHARGING),
    ],
    "announced phase switch": [
        (0, {}, CHARGING),
        (1, {"car": 1}, CHARGING),
        (2, {"car": 1, "modelStatus": 23}, CHARGING),
        (30, {"car": 1, "modelStatus": 23}, CHARGING),
        (31, {"car": 1, "modelStatus": 23}, AWAY),
    ],
    "unplugged during a phase switch": [
        (0, {}, CHARGING),
        (1, {"psm": 1}, CHARGING),
        (10, {"psm": 1, "car": 1}, CHARGING),
        (39.9, {"psm": 1, "car": 1}, CHARGING),
        (40, {"psm": 1, "car": 1}, AWAY),
    ],
    "a long pause is the box's wish": [
        (0, {"psmd": 60000}, CHARGING),
        (1, {"psmd": 60000, "psm": 1, "car": 1}, CHARGING),
        (80.9, {"psmd": 60000, "psm": 1, "car": 1}, CHARGING),
        (81, {"psmd": 60000, "psm": 1, "car": 1}, AWAY),
    ],
    "idle boxes may say phase switch for ever": [
        (0, {"modelStatus": 23}, CHARGING),
        (1, {"modelStatus": 23, "car": 1}, CHARGING),
        (4, {"modelStatus": 23, "car": 1}, AWAY),
    ],
    "complete without a switch": [(0, {}, CHARGING), (1, {"car": 4}, COMPLETE)],
    "faults are never held back": [(0, {}, CHARGING), (1, {"psm": 1, "err": 9}, ChargerState.ERROR)],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_believed_state(
    reading: MakeReading, story: list[tuple[float, dict[str, Any], ChargerState]]
) -> None:
    """A car counts as gone once it is away for long enough, which is longer around a phase switch."""
    plug = PlugSense()
    for seconds, changes, state in story:
        assert plug.see(reading(**changes), START + timedelta(seconds=seconds)) is state, f"after {seconds} s"


def test_switch_without_load_takes_no_time(reading: MakeReading) -> None:
    """A car that draws nothing is not interrupted by a phase switch, and its plug is believed as ever."""
    plug = PlugSense()
    plug.see(reading(car=3), START)
    assert plug.see(reading(car=3, psm=1), START) is READY
    assert not plug.switching(START)


def test_switch_ends_by_itself(reading: MakeReading) -> None:
    """A phase switch counts as going on for pause, simulated unplug and some seconds more."""
    plug = PlugSense()
    plug.see(reading(), START)
    assert not plug.switching(START)
    plug.see(reading(psm=1), START)
    assert plug.switching(START + timedelta(seconds=29.9))
    assert not plug.switching(START + timedelta(seconds=30))
