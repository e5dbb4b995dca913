"""What was decided, as spans: nothing is lost when they become fewer."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.samples import NOON
from pvcharge.history.decided import Span, fewer, mean_powers, spans
from pvcharge.history.store import Batch, Store
from pvcharge.model import NO_CHARGE, Decision, Mode, Reason, Setpoint

SIX, SEVEN = Setpoint(1, 6), Setpoint(1, 7)
SECOND = timedelta(seconds=1)


def span(start_s: float, end_s: float, reason: Reason = Reason.FOLLOWING, setpoint: Setpoint = SIX) -> Span:
    """Return a span in mode surplus."""
    return Span(start_s, end_s, reason, Mode.SURPLUS, setpoint)


@st.composite
def days(draw: st.DrawFn) -> list[Span]:
    """Draw spans one after the other, some after a gap."""
    found: list[Span] = []
    at_s = 0.0
    for gap_s, length_s, reason, setpoint in draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 0, 0, 0, 500]),
                st.integers(1, 900),
                st.sampled_from([Reason.FOLLOWING, Reason.TOO_LITTLE]),
                st.sampled_from([SIX, SEVEN, NO_CHARGE]),
            ),
            max_size=80,
        )
    ):
        found.append(span(at_s + gap_s, at_s + gap_s + length_s, reason, setpoint))
        at_s = found[-1].end_s
    return found


@given(days(), st.integers(1, 20))
def test_fewer_spans_tell_of_the_same_time(found: list[Span], most: int) -> None:
    """No gap is bridged, no time told of twice, and there are no more than was asked for."""
    joined = fewer(found, most)
    assert sum(it.length_s for it in joined) == sum(it.length_s for it in found)
    gaps = sum(before.end_s != it.start_s for before, it in pairwise(found))
    assert len(joined) <= most + gaps
    assert all(before.end_s <= it.start_s for before, it in pairwise(joined))
    if len(found) <= most:
        assert joined == found


def test_setpoints_are_joined_before_reasons() -> None:
    """Of a joined one the setpoint is told that held for the longest time in all."""
    found = [
        span(0, 10),
        span(10, 25, setpoint=SEVEN),
        span(25, 35),
        span(35, 900, Reason.TOO_LITTLE, NO_CHARGE),
    ]
    assert fewer(found, 2) == [span(0, 35), found[-1]]
    assert fewer(found, 1) == [span(0, 900, Reason.TOO_LITTLE, NO_CHARGE)]


def test_powers_are_means_over_what_is_known() -> None:
    """A step in which nothing is known has none; what lies before or after the steps does not count."""
    found = [span(-50, 30), span(30, 60, setpoint=SEVEN), span(60, 90, Reason.BY_HAND), span(290, 500)]
    powers = mean_powers(found, 0.0, 100.0, 4, lambda it: it.setpoint.power_w(1.0) if it.binding else None)
    assert powers == [pytest.approx(6.5), None, pytest.approx(6.0), pytest.approx(6.0)]


@given(days())
def test_a_mean_is_between_the_least_and_the_most(found: list[Span]) -> None:
    """Whatever the steps."""
    powers = mean_powers(found, 10.0, 77.0, 50, lambda it: it.setpoint.power_w(230.0))
    told = [power for power in powers if power is not None]
    assert all(0 <= power <= 7 * 230 + 1e-6 for power in told)


def test_decisions_late_in_the_store_are_found(tmp_path: Path) -> None:
    """Those that waited in memory while the disk was broken."""
    store = Store.open(tmp_path / "history.db")
    late = [Decision(NOON + number * SECOND, SIX, Reason.FOLLOWING, Mode.SURPLUS) for number in range(3)]
    store.write(Batch(NOON + timedelta(minutes=50), late))
    store.write(Batch(NOON + timedelta(hours=5)))
    (found,) = spans(store, NOON + SECOND, NOON + timedelta(minutes=1))
    store.close()
    assert (found.start_s - NOON.timestamp(), found.end_s - NOON.timestamp()) == (1.0, 60.0)
