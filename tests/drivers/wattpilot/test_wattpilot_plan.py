"""What is written, in which order."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.wattpilot.plan import legal_current_a, plan
from pvcharge.drivers.wattpilot.reading import Reading, read
from pvcharge.model import NO_CHARGE, Setpoint

MakeReading = Callable[..., Reading]

# The box is set to charge with 3 x 10 A; what differs from that, what is wanted, what is written.
PLANS: list[tuple[dict[str, Any], Setpoint, str]] = [
    ({}, Setpoint(3, 10), ""),
    ({}, NO_CHARGE, "frc=1"),
    ({"frc": 1}, NO_CHARGE, ""),
    ({"lmo": 4, "frc": 0}, NO_CHARGE, "frc=1"),
    ({"frc": 2}, NO_CHARGE, "frc=1"),
    ({}, Setpoint(3, 6), "amp=6"),
    ({}, Setpoint(3, 16), "amp=16"),
    ({}, Setpoint(3, 3), "amp=6"),
    ({}, Setpoint(3, 32), "amp=16"),
    ({"amp": 16}, Setpoint(3, 32), ""),
    ({"amt": 8}, Setpoint(3, 10), "amp=8"),
    ({"amt": 4}, Setpoint(3, 10), "frc=1"),
    ({"amt": 4, "frc": 1}, Setpoint(3, 10), ""),
    ({"frc": 1}, Setpoint(3, 10), "frc=0"),
    ({"frc": 1}, Setpoint(1, 16), "amp=16 psm=1 frc=0"),
    ({"frc": 1, "psm": 1}, Setpoint(3, 6), "amp=6 psm=2 frc=0"),
    ({"frc": None}, Setpoint(3, 10), "frc=0"),
    ({"psm": 1, "amp": 16}, Setpoint(3, 6), "amp=6 psm=2"),
    ({"psm": 1, "amp": 6}, Setpoint(3, 16), "amp=16 psm=2"),
    ({"amp": 16}, Setpoint(1, 6), "amp=6 psm=1"),
    ({"amp": 10}, Setpoint(1, 10), "psm=1"),
    ({"amp": 6}, Setpoint(1, 16), "psm=1"),  # the current follows after the pause
    ({"amp": None}, Setpoint(1, 16), "psm=1"),
    ({"psm": 0, "fsp": False}, Setpoint(3, 10), ""),
    ({"psm": 0, "fsp": True}, Setpoint(3, 10), "psm=2"),
    ({"psm": 0, "fsp": True}, Setpoint(1, 10), ""),
    ({"psm": 0, "fsp": None, "nrg": None}, Setpoint(3, 10), "psm=2"),
    ({"lmo": 4, "amp": 16}, Setpoint(3, 6), "amp=6 lmo=3"),
    ({"lmo": 4, "frc": 1, "psm": 1}, Setpoint(3, 6), "amp=6 psm=2 lmo=3 frc=0"),
    ({"frc": 2, "lmo": 5}, Setpoint(3, 10), "lmo=3 frc=0"),
    ({"err": 3}, Setpoint(1, 10), ""),
    ({"err": 3}, Setpoint(3, 6), "amp=6"),
    ({"err": 3}, NO_CHARGE, "frc=1"),
]


@pytest.mark.parametrize(("changes", "wanted", "writes"), PLANS)
def test_plan(reading: MakeReading, changes: dict[str, Any], wanted: Setpoint, writes: str) -> None:
    """What is so already is left alone, and what can start or raise a charge comes last."""
    assert " ".join(str(write) for write in plan(reading(**changes), wanted, switching=False)) == writes


@pytest.mark.parametrize(
    ("changes", "wanted", "writes"),
    [
        ({"psm": 1}, Setpoint(1, 16), ""),
        ({"psm": 1}, Setpoint(3, 10), ""),
        ({"psm": 1}, NO_CHARGE, "frc=1"),
        ({"psm": 1, "frc": 1}, Setpoint(1, 16), "amp=16 frc=0"),
    ],
)
def test_phase_switch_is_left_alone(
    reading: MakeReading, changes: dict[str, Any], wanted: Setpoint, writes: str
) -> None:
    """While a running charge switches phases only a stop is written; a stopped one makes no pause."""
    assert " ".join(str(write) for write in plan(reading(**changes), wanted, switching=True)) == writes


@pytest.mark.parametrize(
    ("changes", "wanted_a", "current_a"),
    [
        ({"mca": 8}, 6, 8),
        ({"mca": 1}, 1, 6),
        ({"mca": None}, 1, 6),
        ({"mca": 20}, 16, None),
        ({"var": None, "ama": None, "cbl": None, "amt": None}, 63, 32),
    ],
)
def test_legal_current(
    reading: MakeReading, changes: dict[str, Any], wanted_a: int, current_a: int | None
) -> None:
    """The current keeps within the box's limits and those of every car and box."""
    assert legal_current_a(reading(**changes), wanted_a) == current_a


@given(
    frc=st.sampled_from([0, 1, 2, None]),
    lmo=st.sampled_from([3, 4, 5, None]),
    psm=st.sampled_from([0, 1, 2, None]),
    fsp=st.sampled_from([True, False, None]),
    amp=st.none() | st.integers(6, 32),
    limit_a=st.none() | st.integers(1, 32),
    wanted=st.builds(Setpoint, st.sampled_from([1, 3]), st.integers(1, 63)) | st.just(NO_CHARGE),
)
def test_repeated_plans_arrive_within_the_limits(
    frc: int | None,
    lmo: int | None,
    psm: int | None,
    fsp: object,
    amp: int | None,
    limit_a: int | None,
    wanted: Setpoint,
) -> None:
    """From any state two plans suffice, the second for what had to wait; then nothing is left to write."""
    properties: dict[str, Any] = {"frc": frc, "lmo": lmo, "psm": psm, "fsp": fsp, "amp": amp, "ama": limit_a}
    for _ in range(2):
        for key, value in plan(read(properties), wanted, switching=False):
            assert key != "amp" or 6 <= value <= (limit_a or 32)
            properties[key] = value
    assert plan(read(properties), wanted, switching=False) == ()
