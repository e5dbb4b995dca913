"""Events for the tests of what is remembered."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from mqtt.far_ends import flows, leases, setpoints, statuses, times
from pvcharge.history.rows import Event
from pvcharge.model import (
    NO_CHARGE,
    Decision,
    DeviceHealth,
    Distrust,
    EnergyTotals,
    ForgetCommand,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Session,
    SettingsCommand,
)

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)

_finite = st.floats(allow_nan=False, allow_infinity=False)
_maybe = st.one_of(st.none(), _finite)
_maybe_times = st.one_of(st.none(), times)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_amps = st.one_of(st.none(), st.integers(6, 32))
_prices = st.builds('{{"import_price": {}, "feed_in_price": {}}}'.format, st.floats(0, 1), st.floats(0, 1))
decisions = st.builds(
    Decision,
    at=times,
    setpoint=setpoints,
    reason=st.sampled_from(Reason),
    mode=st.sampled_from(Mode),
    surplus_w=_maybe,
    needed_w=_maybe,
    reading_age_s=_maybe,
    waits_until=_maybe_times,
    boost_until=_maybe_times,
    source=st.one_of(st.none(), _texts),
    distrust=st.one_of(st.none(), st.sampled_from(Distrust)),
)
health = st.builds(
    DeviceHealth,
    name=_texts,
    at=times,
    ok=st.booleans(),
    since=times,
    error=st.one_of(st.none(), _texts),
    facts=st.dictionaries(_texts, st.one_of(_finite, _texts), max_size=3),
)
sessions = st.builds(
    Session,
    started_at=times,
    ended_at=_maybe_times,
    energy_wh=_finite,
    solar_wh=_finite,
    cost=_finite,
    saved=_finite,
    charging_s=_finite,
    starts=st.integers(0, 99),
    phase_switches=st.integers(0, 99),
    pauses_s=st.dictionaries(st.sampled_from([reason.value for reason in Reason]), _finite, max_size=3),
)
totals = st.builds(EnergyTotals, times, *[_finite] * 6)
commands = st.one_of(
    st.builds(ModeCommand, st.sampled_from(Mode), _maybe_times),
    st.builds(LimitsCommand, _amps, _amps),
    st.builds(SettingsCommand, _prices),
    st.just(ForgetCommand()),
)
_kinds: list[st.SearchStrategy[Event]] = [
    *(flows, statuses, decisions, leases, health, sessions, totals, commands)
]
events: st.SearchStrategy[Event] = st.one_of(_kinds)


def decided_on(source: str, distrust: Distrust | None) -> Decision:
    """Return a decision on the readings of a source."""
    return Decision(NOON, NO_CHARGE, Reason.NO_CAR, Mode.SURPLUS, source=source, distrust=distrust)


def flow(second: float, grid_w: float = -3000.0) -> PowerFlow:
    """Return a reading of an instant after noon."""
    at = NOON + timedelta(seconds=second)
    return PowerFlow(at, at, pv_w=4000.0, grid_w=grid_w, source="roof")
