"""From the properties of a box, in whatever shape they come, to a status."""

import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.wattpilot.box import Box
from pvcharge.drivers.wattpilot.reading import KEYS, Reading, flag, number, read, whole
from pvcharge.drivers.wattpilot.status import fault_of, phases_of, setpoint_of, state_of
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Setpoint

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SAMPLE = (
    Path(__file__).parents[3] / "../shared/facts/samples/wattpilot/flex_home22c6_fw43.4_fullStatus.json"
).resolve()
MakeProperties = Callable[..., dict[str, Any]]
MakeReading = Callable[..., Reading]

numbers = st.integers() | st.floats()
json_values = (
    st.none() | st.booleans() | numbers | st.text(max_size=9) | st.lists(numbers | st.none(), max_size=16)
) | st.dictionaries(st.sampled_from(["cableCurrentLimit", "loadLimit", "x"]), numbers | st.text(max_size=3))


def status_of(properties: dict[str, Any]) -> ChargerStatus:
    """Return the first status of a box with these properties."""
    box = Box()
    box.merge(properties)
    return box.status(NOW)


def test_charging_box(properties: MakeProperties) -> None:
    """Every field of a status comes from the right property, in the right unit."""
    status = status_of(properties())
    assert status.current_a == pytest.approx(9.9)
    assert status == ChargerStatus(
        at=NOW,
        state=ChargerState.CHARGING,
        power_w=6850.0,
        phases=3,
        current_a=status.current_a,
        setpoint=Setpoint(3, 10),
        min_current_a=6,
        max_current_a=16,
        session_wh=1234.5,
        total_wh=987654.0,
    )


def test_box_that_says_nothing() -> None:
    """Without any property the status is unknown, not wrong."""
    assert status_of({}) == ChargerStatus(at=NOW, state=ChargerState.UNKNOWN, power_w=0.0)


@pytest.mark.fault("wattpilot", "wrong type")
@given(st.dictionaries(st.sampled_from(sorted(KEYS)), json_values))
def test_any_values_are_survived(properties: dict[str, Any]) -> None:
    """Whatever the types and sizes of the values, a status with sound numbers comes out."""
    status = status_of(properties)
    assert status.power_w >= 0
    assert isfinite(status.power_w)
    assert isfinite(status.current_a)
    assert status.session_wh is None or status.session_wh >= 0


@pytest.mark.skipif(not SAMPLE.exists(), reason="the recorded status is not part of the project")
def test_recorded_flex_status() -> None:
    """A status recorded from a real Flex is read: plugged, idle, in Eco mode."""
    status = status_of(json.loads(SAMPLE.read_text())["status"])
    assert status.state is ChargerState.READY
    assert status.setpoint is None
    assert (status.min_current_a, status.max_current_a) == (6, 32)
    assert (status.power_w, status.phases, status.total_wh) == (0.0, 0, 123456.0)


@pytest.mark.parametrize(
    ("changes", "limit_a"),
    [
        ({}, 16),  # var
        ({"var": 22}, 16),  # ama
        ({"var": 22, "ama": 32}, 20),  # cbl
        ({"var": 22, "ama": 32, "cbl": None}, 32),
        ({"var": 22, "ama": 32, "cbl": 13}, 13),
        ({"amt": 10}, 10),
        ({"amt": 0}, 16),
        ({"ama": 12.9}, 12),
        ({"var": "11", "ama": None, "cbl": True, "amt": [16]}, None),
        ({"isgo": True}, 10),  # a Go with its adapter
        ({"isgo": 1, "la1": 8}, 8),
        ({"isgo": True, "adi": False}, 16),
        ({"cll": {"cableCurrentLimit": 13, "loadLimit": 0, "requestedCurrent": 6}}, 13),
        ({"cll": {"loadLimit": 7}}, 7),
        ({"cll": {"temperatureCurrentLimit": 8}}, 8),
        ({"cll": {"currentLimitMax": "6", "unsymetryCurrentLimit": 14}}, 14),
        ({"cll": [6]}, 16),
    ],
)
def test_least_limit_counts(reading: MakeReading, changes: dict[str, Any], limit_a: int | None) -> None:
    """The limit is the least of all, without the requested current and without zeros."""
    assert reading(**changes).max_current_a == limit_a


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"car": 1}, ChargerState.DISCONNECTED),
        ({"car": 2}, ChargerState.CHARGING),
        ({"car": 2, "alw": False}, ChargerState.CHARGING),  # still draws power
        ({"car": 2, "alw": False, "nrg": [0.0] * 16}, ChargerState.READY),
        ({"car": 2, "alw": None, "nrg": [0.0] * 16}, ChargerState.CHARGING),
        ({"car": 3}, ChargerState.READY),
        ({"car": 4}, ChargerState.COMPLETE),
        ({"car": 5}, ChargerState.ERROR),
        ({"car": 0}, ChargerState.UNKNOWN),
        ({"car": None}, ChargerState.UNKNOWN),
        ({"car": 77}, ChargerState.UNKNOWN),
        ({"car": 3, "err": 8}, ChargerState.ERROR),
        ({"car": 3, "err": None}, ChargerState.READY),
        ({"car": 3, "modelStatus": 26}, ChargerState.ERROR),
        ({"car": 3.0}, ChargerState.READY),
    ],
)
def test_state(reading: MakeReading, changes: dict[str, Any], state: ChargerState) -> None:
    """The state comes from the car, the error and, where those contradict it, the power."""
    assert state_of(reading(**changes)) is state


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"err": 8}, "no protective earth"),
        ({"err": 22}, "fault 22"),
        ({"car": 5}, "fault"),
        ({"modelStatus": 26}, "fault"),
    ],
)
def test_fault_in_words(properties: MakeProperties, changes: dict[str, Any], fault: str | None) -> None:
    """A fault is told in words, a known one in plain ones."""
    assert status_of(properties(**changes)).fault == fault


def test_fault_belongs_to_the_error_state(reading: MakeReading) -> None:
    """A reason for not charging is no fault."""
    assert fault_of(reading(modelStatus=17)) is None


@pytest.mark.parametrize(
    ("changes", "setpoint"),
    [
        ({}, Setpoint(3, 10)),
        ({"frc": 1}, NO_CHARGE),
        ({"frc": 1, "lmo": 4, "amp": None}, NO_CHARGE),
        ({"psm": 1}, Setpoint(1, 10)),
        ({"psm": 0}, Setpoint(3, 10)),
        ({"psm": 0, "fsp": True}, Setpoint(1, 10)),
        ({"psm": None, "fsp": 1}, Setpoint(1, 10)),
        ({"psm": 0, "fsp": None}, Setpoint(3, 10)),  # measured
        ({"psm": 0, "fsp": None, "nrg": [230, 230, 230, 0, 9.9, 0.2, 0]}, Setpoint(1, 10)),
        ({"psm": 0, "fsp": None, "nrg": None}, None),
        ({"frc": 2, "lmo": 4}, Setpoint(3, 10)),  # forced on: at this current in any mode
        ({"lmo": 4}, None),  # Eco: the box decides
        ({"lmo": 5}, None),
        ({"lmo": None}, None),
        ({"frc": None}, None),
        ({"amp": None}, None),
        ({"amp": 0}, None),
        ({"amp": "10"}, None),
    ],
)
def test_setpoint(reading: MakeReading, changes: dict[str, Any], setpoint: Setpoint | None) -> None:
    """The setpoint is what the box itself is set to, and unknown while its own logic decides."""
    assert setpoint_of(reading(**changes)) == setpoint


@pytest.mark.parametrize(
    ("currents", "phases", "mean_a"),
    [
        ([15.8, 0, 0], 1, 15.8),
        ([8.0, 10.0, 0.4], 2, 9.0),
        ([0.9, 0.9, 0.9], 0, 0.0),
        ([8.0, None, "8"], 1, 8.0),
    ],
)
def test_active_phases(properties: MakeProperties, currents: list[Any], phases: int, mean_a: float) -> None:
    """A phase counts as active above 1 A, and the current is the mean of those."""
    status = status_of(properties(nrg=[230, 230, 230, 0, *currents]))
    assert (status.phases, status.current_a) == (phases, mean_a)


def test_two_phases_count_as_three(reading: MakeReading) -> None:
    """A car that uses two of three phases is charged by a box that is set to three."""
    assert phases_of(reading(psm=0, fsp=None, nrg=[0, 0, 0, 0, 9.0, 9.0, 0.0])) == 3


@pytest.mark.parametrize(
    ("changes", "power_w"),
    [
        ({"nrg": None}, 6840.0),  # the mean of 30 s
        ({"nrg": None, "tpa": None}, 0.0),
        ({"nrg": [0] * 11 + [-3.0]}, 0.0),
        ({"nrg": [0] * 11 + [float("nan")]}, 6840.0),
    ],
)
def test_power(reading: MakeReading, changes: dict[str, Any], power_w: float) -> None:
    """Without a total power its short mean serves, and it is never negative."""
    assert reading(**changes).power_w == power_w


def test_counters_do_not_go_below_zero(reading: MakeReading) -> None:
    """The session's energy may come as -0.003 Wh."""
    assert reading(wh=-0.003).session_wh == 0.0
    assert reading(wh=None, eto="1").total_wh is None


@pytest.mark.parametrize(
    ("value", "as_number", "as_whole", "as_flag"),
    [
        (1, 1.0, 1, True),
        (0.0, 0.0, 0, False),
        (15.9, 15.9, 15, None),
        (True, None, None, True),
        (None, None, None, None),
        ("1", None, None, None),
        ([1], None, None, None),
        (10**400, None, None, None),
        (float("inf"), None, None, None),
    ],
)
def test_what_counts_as_which_type(
    value: object, as_number: float | None, as_whole: int | None, as_flag: object
) -> None:
    """Truth values are no numbers, zero and one are truth values, monsters are nothing."""
    assert (number(value), whole(value), flag(value)) == (as_number, as_whole, as_flag)


def test_property_not_mentioned_is_unchanged(properties: MakeProperties) -> None:
    """A change names what changed; a new connection begins with nothing known."""
    box = Box()
    box.merge(properties())
    box.merge({"amp": 6})
    assert box.status(NOW).setpoint == Setpoint(3, 6)
    box.forget()
    assert box.status(NOW).setpoint is None


@pytest.mark.fault("wattpilot", "huge answer")
def test_unknown_names_take_no_memory() -> None:
    """A box that reports new names for ever, each with much text, is no larger in memory for it."""
    asked = set()

    class Asked(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            asked.add(key)
            return super().get(key, default)

    read(Asked(isgo=True, adi=True))
    assert asked == KEYS
    box = Box()
    box.merge({"amp": 6})
    tracemalloc.start()
    for number_of_key in range(1000):
        box.merge({f"x{number_of_key}": "x" * 10_000})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000


def test_health_tells_why(properties: MakeProperties) -> None:
    """The box's own reason is told in words, unknown ones by their number."""
    box = Box()
    assert box.health() == {}
    box.merge(properties(modelStatus=17))
    assert box.health() == {"reboots": 7, "box_reason": "does not charge: Eco mode waits"}
    box.merge({"modelStatus": 99})
    assert box.health()["box_reason"] == "model status 99"
