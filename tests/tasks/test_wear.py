"""How often a charger is started and switched at most, whoever leases."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pvcharge.model import NO_CHARGE, Setpoint, SetpointLimits
from pvcharge.tasks.wear import HOUR, Wear, WearLimits

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
LIMITS = SetpointLimits((1, 3), 6, 16)
MOST = WearLimits(starts=3, phase_switches=2)
ONE, THREE = Setpoint(1, 10), Setpoint(3, 10)


class Box:
    """A charger that takes what may be written, and counts as a contactor would."""

    def __init__(self) -> None:
        self.wear = Wear("box", LIMITS, MOST)
        self.setpoint = NO_CHARGE
        self.now = NOON
        self.starts: list[datetime] = []
        self.switches: list[datetime] = []
        self._closed_on = 0

    def want(self, wanted: Setpoint, after_s: float = 1.0) -> Setpoint:
        """Want a setpoint some time later, and return what came of it."""
        self.now += timedelta(seconds=after_s)
        written = self.wear.spare(self.setpoint, wanted, self.now)
        if written != self.setpoint:
            self.wear.note(self.setpoint, written, self.now)
        if written.charges and not self.setpoint.charges:
            self.starts.append(self.now)
        if written.charges and self._closed_on not in (0, written.phases):
            self.switches.append(self.now)
        self._closed_on = written.phases or self._closed_on
        self.setpoint = written
        return written


def test_as_many_starts_as_allowed() -> None:
    """Then it stays off until the first of them is an hour ago; stops always pass."""
    box = Box()
    for _ in range(MOST.starts):
        assert box.want(ONE) == ONE
        assert box.want(NO_CHARGE) == NO_CHARGE
    assert box.want(ONE) == NO_CHARGE
    assert box.want(ONE, HOUR.total_seconds() - 10) == NO_CHARGE
    assert box.want(ONE, 10) == ONE


def test_as_many_phase_switches_as_allowed() -> None:
    """Then the phases stay: with the current that is wanted on more of them, the least on fewer."""
    box = Box()
    assert [box.want(it) for it in (ONE, THREE, ONE)] == [ONE, THREE, ONE]
    assert box.want(Setpoint(3, 16)) == Setpoint(1, 16)
    assert box.want(THREE, HOUR.total_seconds()) == THREE
    assert box.want(ONE) == ONE
    assert box.want(Setpoint(3, 7)) == Setpoint(1, 7)
    assert box.want(NO_CHARGE) == NO_CHARGE
    assert box.want(THREE) == NO_CHARGE  # the contactor would move all the same
    assert box.want(ONE) == ONE


def test_the_current_may_change_at_any_rate() -> None:
    """It wears nothing out."""
    box = Box()
    box.want(ONE)
    for current_a in list(range(6, 17)) * 20:
        assert box.want(Setpoint(1, current_a)) == Setpoint(1, current_a)


def test_a_clock_that_was_set_back_blocks_nothing() -> None:
    """What was counted then lies ahead, who knows how far."""
    box = Box()
    for _ in range(MOST.starts):
        box.want(ONE)
        box.want(NO_CHARGE)
    assert box.want(ONE, -86_400) == ONE


def test_it_is_told_once() -> None:
    """And again only after it was over."""
    box = Box()
    with capture_logs() as logs:
        for _ in range(20):
            box.want(ONE)
            box.want(NO_CHARGE)
            box.want(ONE, 5)
    assert {entry["event"].partition(",")[0] for entry in logs} == {"charger is switched too often"}
    assert logs[0]["starts_per_hour"] == MOST.starts


@pytest.mark.parametrize(
    ("configured", "most"), [((6, 6), (18, 18)), ((1, 0), (8, 6)), ((60, 60), (126, 126))]
)
def test_no_controller_of_ours_meets_it(configured: tuple[int, int], most: tuple[int, int]) -> None:
    """It has limits of its own, of half that number, which only its user's commands pass."""
    assert WearLimits.beyond(*configured) == WearLimits(*most)


wishes = st.tuples(
    st.one_of(st.just(NO_CHARGE), st.builds(Setpoint, st.sampled_from([1, 3]), st.integers(6, 16))),
    st.sampled_from([1.0, 20.0, 400.0, 3000.0]),
)


@given(st.lists(wishes, max_size=80))
def test_whatever_is_wanted(wanted: list[tuple[Setpoint, float]]) -> None:
    """Within no hour are there more, and never is there more current or more phases than was wanted."""
    box = Box()
    for setpoint, after_s in wanted:
        written = box.want(setpoint, after_s)
        assert written.current_a <= setpoint.current_a or not setpoint.charges
        assert not written.charges or setpoint.charges
    for times, most in ((box.starts, MOST.starts), (box.switches, MOST.phase_switches)):
        for at in times:
            assert sum(at <= other < at + HOUR for other in times) <= most
