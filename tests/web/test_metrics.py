"""What Prometheus is told: right names and units, nothing that is not known, counters that count."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import pvcharge
from pvcharge.model import (
    ChargerState,
    Distrust,
    EnergyTotals,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Session,
    Setpoint,
)
from pvcharge.web.catalogue import CATALOGUE
from pvcharge.web.metrics import LAG_EVERY_S, MOST_FACTS, MOST_SOURCES, LoopLag, _Process
from web.scraping import NOON, Rig, decision, flow, health, lease, status, text_samples


@pytest.fixture
def rig() -> Rig:
    """Return metrics that have seen nothing."""
    return Rig()


def names(rig: Rig) -> set[str]:
    """Return the names of all samples."""
    return {name for name, _ in rig.samples()}


def test_nothing_known_is_absent(rig: Rig) -> None:
    """Before the first event there are the limits, what counts from 0, and the process; no power."""
    own = {name for name in names(rig) if name.startswith("pvcharge_")}
    assert own == {
        "pvcharge_min_current_amperes",
        "pvcharge_max_current_amperes",
        "pvcharge_leases_total",
        "pvcharge_setpoint_changes_total",
        "pvcharge_sessions_total",
        "pvcharge_event_loop_lag_seconds_bucket",
        "pvcharge_event_loop_lag_seconds_count",
        "pvcharge_event_loop_lag_seconds_sum",
        "pvcharge_build_info",
    }


def test_values_have_base_units(rig: Rig) -> None:
    """Watts, amperes, seconds, joules, and ratios of 1."""
    rig.take(flow(battery_w=-300.0, battery_soc_pct=55.0), LimitsCommand(8, 10))
    rig.take(status(current_a=6.1, session_wh=1500.0, total_wh=1_000_000.0), decision())
    plain = {name: number for (name, labels), number in rig.samples().items() if not labels}
    expected = {
        "pvcharge_pv_watts": 4000.0,
        "pvcharge_grid_watts": -1500.0,
        "pvcharge_load_watts": 2500.0,
        "pvcharge_battery_watts": -300.0,
        "pvcharge_battery_soc_ratio": pytest.approx(0.55),
        "pvcharge_surplus_watts": 2900.0,
        "pvcharge_charger_power_watts": 1400.0,
        "pvcharge_charger_current_amperes": 6.1,
        "pvcharge_charger_phases": 1.0,
        "pvcharge_setpoint_amperes": 12.0,
        "pvcharge_setpoint_phases": 1.0,
        "pvcharge_min_current_amperes": 8.0,
        "pvcharge_max_current_amperes": 10.0,
        "pvcharge_session_energy_joules": 5_400_000.0,
        "pvcharge_charger_energy_joules_total": 3_600_000_000.0,
        "pvcharge_reading_age_seconds": 4.5,
    }
    assert {name: plain.get(name) for name in expected} == expected


def test_states_are_0_or_1(rig: Rig) -> None:
    """Each state, mode and reason has its series; one of each is 1."""
    rig.take(status(), decision(mode=Mode.BOOST, reason=Reason.BOOST))
    for name, options, true in (
        ("pvcharge_charger_state", set(ChargerState) - {ChargerState.UNKNOWN}, "charging"),
        ("pvcharge_mode", set(Mode), "boost"),
        ("pvcharge_reason", set(Reason), "boost"),
    ):
        assert rig.shown(name) == {option: float(option == true) for option in options}


def test_a_state_that_the_charger_does_not_know_is_absent(rig: Rig) -> None:
    """Rather than that all states were 0."""
    rig.take(status(state=ChargerState.UNKNOWN))
    assert rig.shown("pvcharge_charger_state") == {}
    assert rig.shown("pvcharge_charger_power_watts") == {"": 1400.0}


@pytest.mark.parametrize(
    ("name", "good_s"),
    [
        ("pvcharge_pv_watts", 60),
        ("pvcharge_surplus_watts", 60),
        ("pvcharge_setpoint_amperes", 60),
        ("pvcharge_reason", 60),
        ("pvcharge_reading_age_seconds", 60),
        ("pvcharge_charger_power_watts", 180),
        ("pvcharge_charger_state", 180),
    ],
)
def test_stale_values_disappear(rig: Rig, name: str, good_s: float) -> None:
    """A value that says nothing of now has no series: Prometheus then draws a gap, and no line."""
    rig.take(flow(NOON - timedelta(seconds=5)), flow(), status(), decision())
    rig.pass_time(good_s - 1)
    assert rig.shown(name)
    rig.pass_time(1)
    assert rig.shown(name) == {}


def test_energies_are_joules_and_stay(rig: Rig) -> None:
    """A counter does not age; only that of the box is silent while the box is."""
    rig.take(EnergyTotals(NOON, 1000.0, 2.0, 3.0, 4.0, 5.0, 6.0), status(total_wh=7.0))
    before = {name: number for (name, _), number in rig.samples().items() if "energy_joules" in name}
    assert before == {
        "pvcharge_pv_energy_joules_total": 3_600_000.0,
        "pvcharge_import_energy_joules_total": 7_200.0,
        "pvcharge_export_energy_joules_total": 10_800.0,
        "pvcharge_battery_in_energy_joules_total": 14_400.0,
        "pvcharge_battery_out_energy_joules_total": 18_000.0,
        "pvcharge_charger_energy_joules_total": 25_200.0,
    }
    rig.pass_time(1e6)
    assert before.keys() - names(rig) == {"pvcharge_charger_energy_joules_total"}


def test_readings_count_by_source(rig: Rig) -> None:
    """Each that came, be it newer than the last or not."""
    rig.take(flow(), flow(), flow(source="cloud"), PowerFlow(NOON, NOON))
    assert rig.shown("pvcharge_readings_total") == {"roof": 2, "cloud": 1, "unnamed": 1}


def test_sources_have_a_bound(rig: Rig) -> None:
    """A far end that gives each reading another name fills no memory, here or in Prometheus."""
    rig.take(
        *(flow(source=f"source {number}") for number in range(MOST_SOURCES + 5)), flow(source="source 0")
    )
    counts = rig.shown("pvcharge_readings_total")
    assert len(counts) == MOST_SOURCES + 1
    assert (counts["source 0"], counts["other"]) == (2, 5)


def test_one_source_is_followed(rig: Rig) -> None:
    """Each that was heard has its series, and the cause why the better one is not followed, too."""
    rig.take(flow(), flow(source="cloud"), PowerFlow(NOON, NOON))
    assert rig.shown("pvcharge_source_followed") == {}
    rig.take(decision(source="cloud", distrust=Distrust.SILENT))
    assert rig.shown("pvcharge_source_followed") == {"roof": 0, "cloud": 1, "unnamed": 0}
    assert {name for name, number in rig.shown("pvcharge_distrust").items() if number} == {"silent"}
    rig.take(decision(source=""))
    assert rig.shown("pvcharge_source_followed") == {"roof": 0, "cloud": 0, "unnamed": 1}
    assert rig.shown("pvcharge_distrust") == {}
    rig.pass_time(60)
    assert rig.shown("pvcharge_source_followed") == {}


def test_production_that_is_held_back_is_a_1(rig: Rig) -> None:
    """A flag is a number here, and absent where nothing is known."""
    assert rig.shown("pvcharge_production_limited") == {}
    for second, limited in ((0, False), (5, True)):
        rig.take(flow(NOON + timedelta(seconds=second), limited=limited))
        assert rig.shown("pvcharge_production_limited") == {"": float(limited)}


def test_decisions_count_by_reason(rig: Rig) -> None:
    """From the first one on with every reason, since a rate needs to see the step from 0."""
    rig.take(decision(), decision(), decision(reason=Reason.NO_CAR))
    counts = rig.shown("pvcharge_decisions_total")
    assert set(counts) == set(Reason)
    assert {reason: count for reason, count in counts.items() if count} == {"following": 2, "no_car": 1}


def test_leases_and_their_changes_count(rig: Rig) -> None:
    """What is renewed is no change, nor is what was taken over at the start."""
    setpoints = [(1, 6), (1, 6), (1, 9), (3, 6), (0, 0), (3, 16), (1, 16)]
    rig.take(*(lease(seq, Setpoint(*setpoint)) for seq, setpoint in enumerate(setpoints)))
    assert rig.shown("pvcharge_leases_total") == {"": 7}
    assert rig.shown("pvcharge_setpoint_changes_total") == {"start": 1, "stop": 1, "phases": 2, "current": 1}


def test_sessions_count_when_they_end(rig: Rig) -> None:
    """A car that is still there is none yet."""
    running = Session(NOON, None, 1.0, 1.0, 0.0, 0.0, 1.0, 1, 0, {})
    rig.take(running)
    assert rig.shown("pvcharge_sessions_total") == {"": 0}
    rig.take(Session(NOON, NOON, 1.0, 1.0, 0.0, 0.0, 1.0, 1, 0, {}))
    assert rig.shown("pvcharge_sessions_total") == {"": 1}


def test_devices_show_how_they_are(rig: Rig) -> None:
    """Up or down, since when, and how often there was an error; 0 errors from the first word on."""
    rig.take(health("roof"), health("box", ok=False), health("box", ok=False))
    rig.pass_time(30)
    assert rig.shown("pvcharge_device_up") == {"roof": 1, "box": 0}
    assert rig.shown("pvcharge_device_state_age_seconds") == {"roof": 90, "box": 90}
    assert rig.shown("pvcharge_device_errors_total") == {"roof": 0, "box": 2}


def test_known_facts_have_names_of_their_own(rig: Rig) -> None:
    """With their units and types; an alert names them."""
    rig.take(health("roof", {"requests_left": 150, "requests_limit": 2000, "api": "v2"}))
    rig.take(health("mqtt", {"reconnects": 3, "edge_clock_ahead_s": -0.5, "connected_since": "noon"}))
    rig.take(health("influxdb", {"lag_events": 10, "lag_s": 60.0, "sent": 100, "dropped": 1}))
    rig.take(health("history", {"waiting": 7}))
    facts = {
        name.removeprefix("pvcharge_device_"): rig.shown(name)
        for name in names(rig)
        if name.startswith("pvcharge_device_")
    }
    for common in ("up", "state_age_seconds", "errors_total"):
        assert set(facts.pop(common)) == {"roof", "mqtt", "influxdb", "history"}
    assert facts == {
        "requests_left": {"roof": 150},
        "requests_limit": {"roof": 2000},
        "reconnects_total": {"mqtt": 3},
        "edge_clock_ahead_seconds": {"mqtt": -0.5},
        "lag_events": {"influxdb": 10},
        "lag_seconds": {"influxdb": 60},
        "sent_total": {"influxdb": 100},
        "dropped_total": {"influxdb": 1},
        "waiting": {"history": 7},
    }


def test_other_facts_are_told_as_long_as_they_are_few(rig: Rig) -> None:
    """A driver of a third party has facts too, but may not flood Prometheus."""
    rig.take(health("roof", {"panels": 24, "asleep": True, "model": "X"}))
    rig.take(health("box", {f"fact_{number:03}": number for number in range(1000)}))
    facts = rig.shown("pvcharge_device_fact")
    assert {key: facts.pop(key) for key in ("roof/panels", "roof/asleep")} == {
        "roof/panels": 24,
        "roof/asleep": 1,
    }
    assert facts == {f"box/fact_{number:03}": number for number in range(MOST_FACTS)}


def test_facts_that_are_no_numbers_are_left_out(rig: Rig) -> None:
    """A scrape must not fail for what a device says."""
    rig.take(health("roof", {"a": float("nan"), "b": float("inf"), "c": 10**400, "d": None, "sent": -1}))
    assert {name for name in names(rig) if name.startswith("pvcharge_device_")} == {
        "pvcharge_device_up",
        "pvcharge_device_state_age_seconds",
        "pvcharge_device_errors_total",
    }


def test_errors_are_counted_and_not_quoted(rig: Rig) -> None:
    """What a device answered may hold anything, also what nobody shall read."""
    rig.take(health("box", {"last_error": "SECRET"}, ok=False), status(fault="SECRET"), ModeCommand(Mode.OFF))
    assert "SECRET" not in generate_latest(rig.metrics.registry).decode()


def test_build_and_process_are_told(rig: Rig) -> None:
    """Which version runs, since when, and what it costs."""
    samples = rig.samples()
    assert samples["pvcharge_build_info", frozenset({("version", pvcharge.__version__)})] == 1
    assert 0 <= time.time() - samples["process_start_time_seconds", frozenset()] < 24 * 3600
    assert samples["process_resident_memory_bytes", frozenset()] > 1e6


def test_process_is_told_where_systemd_hides_the_rest(tmp_path: Path) -> None:
    """Our unit has ProcSubset=pid: there is no /proc/stat, where the library looks for its start."""
    (tmp_path / "self").symlink_to("/proc/self")
    registry = CollectorRegistry()
    _Process(proc=str(tmp_path), registry=registry)
    samples = text_samples(generate_latest(registry).decode())
    assert 0 <= time.time() - samples["process_start_time_seconds", frozenset()] < 24 * 3600


def test_instances_share_nothing(rig: Rig) -> None:
    """Two daemons in one process, as in a demo, count for themselves."""
    other = Rig()
    other.take(decision(), health("box"))
    assert rig.shown("pvcharge_decisions_total") == rig.shown("pvcharge_device_up") == {}


def test_lag_falls_into_buckets() -> None:
    """Cumulative, with the bounds included, and never below 0."""
    lag = LoopLag()
    for lag_s in (-0.1, 0.005, 0.3, 20.0):
        lag.observe(lag_s)
    found = {
        sample.labels.get("le", sample.name.rpartition("_")[2]): sample.value
        for sample in lag.family().samples
    }
    assert found.pop("sum") == pytest.approx(20.305)
    assert [found[key] for key in ("0.005", "0.25", "0.5", "10.0", "+Inf", "count")] == [2, 2, 3, 3, 4, 4]


def test_a_loop_that_is_held_up_shows() -> None:
    """The probe sees what blocks everybody; in a usual loop, since that of the tests forgives it."""
    lag = LoopLag()

    async def hold_up() -> None:
        task = asyncio.create_task(lag.run())
        await asyncio.sleep(0)
        time.sleep(LAG_EVERY_S + 0.2)  # noqa: ASYNC251 - this is what shall be noticed
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(hold_up())
    late = {sample.labels.get("le"): sample.value for sample in lag.family().samples}
    assert (late["0.1"], late["+Inf"]) == (0, 1)


async def test_running_metrics_follow_the_feed(rig: Rig) -> None:
    """And go on after what is none of their business."""
    task = asyncio.create_task(rig.metrics.run())
    for event in (object(), ModeCommand(Mode.OFF), health("roof")):
        rig.publish(event)
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert rig.shown("pvcharge_device_up") == {"roof": 1}


def test_trouble_is_the_lack_of_decisions(rig: Rig) -> None:
    """Whoever decides is the heart of the daemon."""
    assert rig.metrics.trouble() == "no decision within the last 60 s"
    rig.take(decision())
    rig.pass_time(59)
    assert rig.metrics.trouble() is None
    rig.pass_time(1)
    assert rig.metrics.trouble() == "no decision within the last 60 s"


def test_catalogue_is_complete(rig: Rig) -> None:
    """Whatever is told is in the catalogue, with its type and labels, and nothing else is there."""
    rig.take(flow(battery_w=0.0, battery_soc_pct=5.0), status(session_wh=1.0, total_wh=1.0))
    rig.take(decision(source="roof", distrust=Distrust.SCALED), EnergyTotals(NOON))
    facts = ("requests_left", "requests_limit", "waiting", "lag_events", "lag_s", "sent", "dropped")
    more = ("reconnects", "reboots", "edge_clock_ahead_s", "cloud_clock_ahead_s", "other")
    rig.take(health("box", dict.fromkeys((*facts, *more), 1)))
    told = {}
    for family in rig.metrics.collect():
        name = {"counter": f"{family.name}_total", "info": f"{family.name}_info"}.get(
            family.type, family.name
        )
        assert name not in told
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        told[name] = (family.type, family.documentation, labels)
    assert told == {entry.name: (entry.type, entry.what, set(entry.labels)) for entry in CATALOGUE}
    assert [family.name for family in rig.metrics.describe()] == [
        family.name for family in rig.metrics.collect()
    ]
