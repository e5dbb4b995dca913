"""The estimate of the peer's clock."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pvcharge.mqtt.peer_clock import PeerClock

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)

skews = st.floats(-1e6, 1e6)
trips = st.floats(0, 20)


def exchange(
    clock: PeerClock, at_s: float, skew_s: float, *, out_s: float, back_s: float, held_s: float = 5.0
) -> None:
    """Have a message sent at a time of ours, held by a peer whose clock is ahead, and answered."""
    arrival_s = at_s + out_s
    ours = [at_s, arrival_s + held_s + back_s]
    theirs = [arrival_s + skew_s, arrival_s + held_s + skew_s]
    sent, heard = (NOON + timedelta(seconds=second) for second in ours)
    received, answered = (NOON + timedelta(seconds=second) for second in theirs)
    clock.measure(sent, received, answered, heard)


def test_knows_nothing_at_first() -> None:
    """Before a measurement there is no estimate."""
    assert (PeerClock().skew_s, PeerClock().round_trip_s) == (None, None)


@given(skews, trips, trips, trips)
def test_is_right_within_half_a_round_trip(skew_s: float, out_s: float, back_s: float, held_s: float) -> None:
    """However lopsided the ways, the error is at most half the round trip; time at the peer is no matter."""
    clock = PeerClock()
    exchange(clock, 0, skew_s, out_s=out_s, back_s=back_s, held_s=held_s)
    if out_s + back_s < 1e-5:
        return  # below the resolution of the times
    assert clock.skew_s is not None
    assert clock.round_trip_s is not None
    assert abs(clock.round_trip_s - (out_s + back_s)) < 1e-5
    assert abs(clock.skew_s - skew_s) <= clock.round_trip_s / 2 + 1e-5


@given(skews, st.lists(st.tuples(st.floats(0.001, 20), st.floats(0.001, 20)), min_size=1, max_size=20))
def test_quickest_of_the_last_counts(skew_s: float, ways: list[tuple[float, float]]) -> None:
    """With a steady clock the estimate is that of the shortest round trip among the last eight."""
    clock = PeerClock()
    for number, (out_s, back_s) in enumerate(ways):
        exchange(clock, 10 * number, skew_s, out_s=out_s, back_s=back_s)
    best_s = min(out_s + back_s for out_s, back_s in ways[-8:])
    assert clock.round_trip_s is not None
    assert clock.skew_s is not None
    assert abs(clock.round_trip_s - best_s) < 1e-5
    assert abs(clock.skew_s - skew_s) <= best_s / 2 + 1e-5


@given(skews, st.one_of(st.floats(-1e5, -1), st.floats(1, 1e5)))
def test_clock_that_is_set_is_followed(skew_s: float, jump_s: float) -> None:
    """A peer whose clock is set is measured anew at once, however good the old measurements were."""
    clock = PeerClock()
    for number in range(8):
        exchange(clock, 10 * number, skew_s, out_s=0.001, back_s=0.001)
    exchange(clock, 80, skew_s + jump_s, out_s=0.1, back_s=0.1)
    assert clock.skew_s is not None
    assert abs(clock.skew_s - (skew_s + jump_s)) < 0.1


@given(st.one_of(st.floats(-1e5, -1), st.floats(1, 1e5)))
def test_clock_set_while_it_held_our_message(jump_s: float) -> None:
    """A measurement across the jump does not replace a good one, be it forward or backward."""
    clock = PeerClock()
    exchange(clock, 0, 0.0, out_s=0.01, back_s=0.01)
    sent, received = NOON + timedelta(seconds=10), NOON + timedelta(seconds=10.01)
    answered, heard = NOON + timedelta(seconds=15.01 + jump_s), NOON + timedelta(seconds=15.02)
    clock.measure(sent, received, answered, heard)
    assert clock.skew_s is not None
    assert abs(clock.skew_s) < 0.01


def test_drift_is_followed() -> None:
    """A clock that runs slightly fast is not measured by what it was minutes ago."""
    clock = PeerClock()
    for number in range(100):
        exchange(clock, 10 * number, number * 0.05, out_s=0.001 + number * 1e-5, back_s=0.001)
    assert clock.skew_s is not None
    assert abs(clock.skew_s - 99 * 0.05) < 0.01
