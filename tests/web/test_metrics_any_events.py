"""Whatever the feed brings, in whatever order: a scrape succeeds, and no counter falls."""

from dataclasses import fields
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.exposition import choose_encoder

from mqtt.far_ends import flows, leases, setpoints, statuses, times
from pvcharge.model import (
    Decision,
    DeviceHealth,
    EnergyTotals,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Session,
)
from pvcharge.web.catalogue import CATALOGUE, Type
from web.scraping import NOON, Rig, Samples, openmetrics_samples, text_samples

# JSON can bring halves of characters.
_texts = st.one_of(st.text(max_size=20), st.text(st.sampled_from("a\ud800\udfff"), max_size=4))
_numbers = st.one_of(st.floats(), st.integers(), st.just(10**400), st.booleans())
_moments = st.integers(-300, 300).map(lambda seconds: NOON + timedelta(seconds=seconds))
_decisions = st.builds(
    Decision,
    _moments,
    setpoints,
    st.sampled_from(Reason),
    st.sampled_from(Mode),
    surplus_w=st.one_of(st.none(), st.floats()),
    reading_age_s=st.one_of(st.none(), st.floats()),
)
_fact_keys = st.one_of(st.sampled_from(["requests_left", "lag_s", "dropped", "reconnects"]), _texts)
_healths = st.builds(
    DeviceHealth,
    _texts,
    _moments,
    st.booleans(),
    times,
    st.one_of(st.none(), _texts),
    st.dictionaries(_fact_keys, st.one_of(_texts, _numbers), max_size=30),
)
_recent_flows = st.builds(
    lambda at, pv_w, source: PowerFlow(at, at, pv_w, source=source), _moments, st.floats(0, 1e5), _texts
)
_commands = st.sampled_from([ModeCommand(Mode.BOOST, NOON), LimitsCommand(6, 10)])
_sessions = st.builds(
    lambda ended_at: Session(NOON, ended_at, 1.0, 1.0, 0.0, 0.0, 1.0, 1, 0, {}), st.one_of(st.none(), times)
)
# Of the energies only what they have grown by is drawn: the model promises that none falls.
_growths = st.lists(st.floats(0, 1e9), min_size=6, max_size=6).map(tuple)
_pauses_s = st.integers(0, 10_000)
_events = st.one_of(
    flows,
    _recent_flows,
    statuses,
    leases,
    _decisions,
    _healths,
    _commands,
    _sessions,
    _growths,
    _pauses_s,
    st.none(),
)

# What devices count themselves may begin anew, and that of the box may be silent.
OWN_COUNTERS = {entry.name for entry in CATALOGUE if entry.type is Type.COUNTER} - {
    "pvcharge_charger_energy_joules_total",
    "pvcharge_device_sent_total",
    "pvcharge_device_dropped_total",
    "pvcharge_device_reconnects_total",
    "pvcharge_device_reboots_total",
}


def counters(samples: Samples) -> Samples:
    """Return those that never fall; the histogram's buckets are among them."""
    return {
        key: number
        for key, number in samples.items()
        if key[0] in OWN_COUNTERS or key[0].startswith("pvcharge_event_loop_lag_seconds")
    }


@given(st.lists(_events, max_size=12))
def test_any_events_make_a_valid_scrape(events: list[object]) -> None:
    """In both formats, with the same numbers; each series once."""
    rig = Rig()
    totals = EnergyTotals(NOON)
    before: Samples = {}
    for event in events:
        match event:
            case int():
                rig.pass_time(event)
            case tuple():
                grown = (
                    getattr(totals, field.name) + growth
                    for field, growth in zip(fields(EnergyTotals)[1:], event, strict=True)
                )
                totals = EnergyTotals(rig.clock.now(), *grown)
                rig.take(totals)
            case _:
                rig.take(event)
        samples = text_samples(generate_latest(rig.metrics.registry).decode())
        after = counters(samples)
        assert all(after[key] >= number for key, number in before.items())
        before = after
    encode, _ = choose_encoder("application/openmetrics-text")
    own = {key: number for key, number in rig.samples().items() if key[0].startswith("pvcharge_")}
    told = openmetrics_samples(encode(rig.metrics.registry).decode())
    assert {key: number for key, number in told.items() if key[0].startswith("pvcharge_")} == own
