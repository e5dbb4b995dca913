"""How often a charger is switched: at the very hour, found in the middle of a charge, and in the log."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from pvcharge.model import NO_CHARGE
from pvcharge.tasks.wear import HOUR, Wear
from tasks.test_wear import LIMITS, MOST, NOON, ONE, THREE, Box


@pytest.mark.parametrize(("later", "starts"), [(HOUR, True), (HOUR - timedelta(seconds=1), False)])
def test_an_hour_is_over_when_it_is_over(later: timedelta, starts: bool) -> None:  # noqa: FBT001 - a case
    """What was an hour ago does not count any more, what was a second less does."""
    wear = Wear("box", LIMITS, MOST)
    for _ in range(MOST.starts):
        wear.note(NO_CHARGE, ONE, NOON)
    assert (wear.spare(NO_CHARGE, ONE, NOON + later) == ONE) is starts


def test_starts_of_this_very_moment_count() -> None:
    """A burst of leases at one time is no way around the limit."""
    wear = Wear("box", LIMITS, MOST)
    for _ in range(MOST.starts):
        wear.note(NO_CHARGE, ONE, NOON)
    assert wear.spare(NO_CHARGE, ONE, NOON) == NO_CHARGE


def test_the_first_switch_of_a_charge_that_was_found_counts() -> None:
    """Nothing was written of it, but the contactor moves all the same."""
    wear = Wear("box", LIMITS, MOST)
    for _ in range(MOST.phase_switches):
        wear.note(ONE, THREE, NOON)
        wear.note(THREE, NO_CHARGE, NOON)
    assert wear.spare(ONE, THREE, NOON) != THREE


def test_each_time_it_holds_back_is_told_once() -> None:
    """No line while all is written, one for as long as something is not, another one the next time."""
    box = Box()
    with capture_logs() as logs:
        for _ in range(MOST.starts):
            box.want(ONE)
            box.want(NO_CHARGE)
        told = [len(logs)]
        for _ in range(3):
            box.want(ONE)
        told.append(len(logs))
        box.want(ONE, HOUR.total_seconds())
        told.append(len(logs))
        for _ in range(MOST.starts):
            box.want(NO_CHARGE)
            box.want(ONE)
        told.append(len(logs))
    assert told == [0, 1, 1, 2]
