"""What InfluxDB gets, and that it stays what it is."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point as TheirPoint

from history.samples import decisions, events, sessions
from pvcharge.history.influx.codes import CODES, DISTRUST_CODES, MODE_CODES, REASON_CODES, STATE_CODES
from pvcharge.history.influx.points import (
    SCHEMA,
    TAGS,
    Kind,
    Lines,
    Point,
    line,
    milliseconds,
    points,
)
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Distrust,
    EnergyTotals,
    Lease,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Session,
    Setpoint,
)

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
NOON_MS = 1781524800000
KINDS = {of.name: {field.name: field.kind for field in of.fields} for of in SCHEMA}
DECISION = Decision(
    NOON,
    Setpoint(3, 10),
    Reason.FOLLOWING,
    Mode.SURPLUS,
    surplus_w=7000.0,
    needed_w=1400.0,
    reading_age_s=1.5,
)


def lines(*several: object) -> list[str]:
    """Return the lines of events that come one after another."""
    made = Lines("home", "box")
    return [each for event in several for each in made.of(event)]


def at(second: float) -> datetime:
    """Return the time so many seconds after noon."""
    return NOON + timedelta(seconds=second)


def test_names_can_be_queried_without_quotes() -> None:
    """No server and no query language has trouble with them, nor escapes one."""
    name = re.compile(r"[a-z][a-z0-9_]*")
    for measurement in SCHEMA:
        assert name.fullmatch(measurement.name)
        assert all(name.fullmatch(field.name) for field in measurement.fields)
        assert set(measurement.tags) <= set(TAGS)


def test_names_are_given_once() -> None:
    """Also when measurement and field are joined, as VictoriaMetrics does."""
    names = [f"{measurement.name}_{field.name}" for measurement in SCHEMA for field in measurement.fields]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("suffix", "unit"), [("w", "W"), ("kwh", "kWh"), ("a", "A"), ("pct", "%"), ("s", "s")]
)
def test_units_stand_in_the_names(suffix: str, unit: str) -> None:
    """What a name ends in is its unit, and such a value is a float for ever: InfluxDB minds."""
    fields = [each for of in SCHEMA for each in of.fields if each.name.endswith(f"_{suffix}")]
    assert fields
    assert {(each.unit, each.kind) for each in fields} == {(unit, Kind.FLOAT)}


def test_types_are_what_they_were() -> None:
    """A field that changes its type is refused by every InfluxDB that has the old one."""
    others = {
        f"{of.name}.{each.name}": each.kind
        for of in SCHEMA
        for each in of.fields
        if each.kind is not Kind.FLOAT
    }
    integers = [
        *("charger.phases", "charger.setpoint_phases", "charger.state_code"),
        *("control.mode_code", "control.reason_code", "control.setpoint_phases"),
        *("control.distrust_code", "link.ok", "pv.limited", "session.phase_switches", "session.starts"),
    ]
    texts = ["charger.state", "control.distrust", "control.mode", "control.reason", "control.source"]
    assert others == dict.fromkeys(integers, Kind.INTEGER) | dict.fromkeys(texts, Kind.TEXT)


def test_codes_are_what_they_were() -> None:
    """What is stored under a number must mean the same for ever; new ones may follow."""
    assert [str(state) for state in list(STATE_CODES)[:6]] == [
        *("unknown", "disconnected", "ready", "charging", "complete", "error")
    ]
    assert [str(mode) for mode in list(MODE_CODES)[:4]] == ["off", "surplus", "min_surplus", "boost"]
    assert [str(reason) for reason in list(REASON_CODES)[:18]] == [
        *("no_status", "charger_fault", "charger_limit", "no_car", "switched_off", "boost", "by_hand"),
        *("no_data", "stale_hold", "stale_minimum", "stale_stop", "following", "minimum", "too_little"),
        *("not_worth_it", "min_on_time", "min_off_time", "switch_limit"),
    ]
    assert [str(distrust) for distrust in list(DISTRUST_CODES)[:9]] == [
        *("None", "silent", "frozen", "incomplete", "returning", "backwards", "scaled", "other_meter"),
        "contradicted",
    ]
    assert all(list(codes.values()) == list(range(len(codes))) for codes in CODES.values())


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (ChargerState, STATE_CODES),
        (Mode, MODE_CODES),
        (Reason, REASON_CODES),
        (Distrust, DISTRUST_CODES),
    ],
)
def test_every_word_has_a_code(words: type[StrEnum], codes: dict[Any, int]) -> None:
    """Whoever adds a word gives it the next number."""
    assert set(codes) - {None} == set(words)


def test_a_reading_makes_a_point_for_each_place() -> None:
    """A mean stands at the end of its interval, and says how long that is."""
    flow = PowerFlow(at(-900), NOON, 4000.0, -3000.0, 500.0, 500.0, 80.0, "roof")
    assert lines(flow) == [
        f"pv,device=roof,site=home power_w=4000.0,span_s=900.0,limited=0i {NOON_MS}",
        f"grid,device=roof,site=home power_w=-3000.0,load_w=500.0,span_s=900.0 {NOON_MS}",
        f"battery,device=roof,site=home power_w=500.0,soc_pct=80.0,span_s=900.0 {NOON_MS}",
    ]


def test_production_that_is_held_back_is_marked() -> None:
    """Where the sun seems to have gone at noon, one sees why."""
    (pv,) = lines(PowerFlow(NOON, NOON, 4000.0, source="roof", limited=True))
    assert pv == f"pv,device=roof,site=home power_w=4000.0,span_s=0.0,limited=1i {NOON_MS}"


def test_what_a_reading_does_not_say_makes_no_point() -> None:
    """A house without battery has no battery of 0 W."""
    assert lines(PowerFlow(NOON, NOON, grid_w=0.0, source="roof")) == [
        f"grid,device=roof,site=home power_w=0.0,span_s=0.0 {NOON_MS}"
    ]
    assert lines(PowerFlow(NOON, NOON, source="roof")) == []


def test_a_status_makes_one_point() -> None:
    """All that the charger says, but for its words when it fails; whole watts are floats as well."""
    status = ChargerStatus(
        *(NOON, ChargerState.CHARGING, 6900, 3, 9.9, Setpoint(3, 10), 6, 16, 1500.0, 2_000_000.0),
        fault="overheated",
    )
    assert lines(status) == [
        (
            "charger,device=box,site=home power_w=6900.0,current_a=9.9,phases=3i,setpoint_a=10.0,"
            'setpoint_phases=3i,max_current_a=16.0,state="charging",state_code=3i,session_energy_kwh=1.5,'
            f"energy_total_kwh=2000.0 {NOON_MS}"
        )
    ]
    bare = ChargerStatus(NOON, ChargerState.UNKNOWN, 0.0)
    assert lines(bare) == [
        (
            'charger,device=box,site=home power_w=0.0,current_a=0.0,phases=0i,state="unknown",state_code=0i '
            f"{NOON_MS}"
        )
    ]


def test_a_decision_makes_one_point() -> None:
    """What is done and why, in words and in numbers."""
    assert lines(DECISION) == [
        (
            'control,site=home reason="following",reason_code=11i,mode="surplus",mode_code=1i,'
            f"setpoint_a=10.0,setpoint_phases=3i,surplus_w=7000.0,needed_w=1400.0,reading_age_s=1.5 {NOON_MS}"
        )
    ]


def test_a_decision_says_whose_readings_it_follows() -> None:
    """And why not those of the better source, of which 0 is the code that says that it does."""
    for source, distrust, sent in (
        ("roof", None, f'source="roof",distrust_code=0i {NOON_MS}'),
        ("portal", Distrust.SILENT, f'source="portal",distrust="silent",distrust_code=1i {NOON_MS}'),
    ):
        (made,) = lines(replace(DECISION, source=source, distrust=distrust))
        assert made.endswith(f",reading_age_s=1.5,{sent}")


def test_health_tells_whether_and_not_why() -> None:
    """Errors are texts without end; they are in the log."""
    assert lines(
        DeviceHealth("roof", NOON, ok=False, since=at(-60), error="HTTP 500", facts={"left": 7})
    ) == [f"link,device=roof,site=home ok=0i {NOON_MS}"]


def test_totals_belong_to_the_site() -> None:
    """They are counted here, over all inverters; a battery has one when there is a battery."""
    assert lines(EnergyTotals(NOON, 1000.0, 2000.0, 3000.0, 0.0, 0.0, 4000.0)) == [
        f"pv,site=home energy_total_kwh=1.0 {NOON_MS}",
        f"grid,site=home import_total_kwh=2.0,export_total_kwh=3.0 {NOON_MS}",
        f"charger,site=home counted_total_kwh=4.0 {NOON_MS}",
    ]
    assert lines(EnergyTotals(NOON, battery_out_wh=500.0))[-1] == (
        f"battery,site=home in_total_kwh=0.0,out_total_kwh=0.5 {NOON_MS}"
    )


def test_a_session_makes_a_point_when_it_has_ended() -> None:
    """With its pauses by reason; reasons that this version does not know are left out."""
    pauses_s = {"too_little": 60.0, "no_such_reason": 1.0}
    running = Session(at(-7200), None, 9000.0, 6000.0, 1.5, 0.75, 5400.0, 2, 1, pauses_s)
    assert lines(running) == []
    assert lines(replace(running, ended_at=NOON)) == [
        (
            "session,device=box,site=home duration_s=7200.0,charging_s=5400.0,energy_kwh=9.0,solar_kwh=6.0,"
            f"cost=1.5,saved=0.75,starts=2i,phase_switches=1i,paused_too_little_s=60.0 {NOON_MS}"
        )
    ]


@pytest.mark.parametrize(
    "event", [ModeCommand(Mode.BOOST), LimitsCommand(6, 16), Lease(1, NOON, 60.0, Setpoint(1, 6)), object()]
)
def test_other_events_make_no_points(event: object) -> None:
    """What they lead to does: the mode stands in `control`."""
    assert lines(event) == []


def test_a_change_is_sent_at_once() -> None:
    """Setpoint, reason, mode or source, even twice within a second."""
    changes = [
        DECISION,
        replace(DECISION, at=at(0.2), setpoint=Setpoint(3, 11)),
        replace(DECISION, at=at(0.4), setpoint=Setpoint(3, 11), reason=Reason.BOOST),
        replace(DECISION, at=at(0.6), setpoint=Setpoint(3, 11), reason=Reason.BOOST, mode=Mode.BOOST),
        replace(DECISION, at=at(0.8), source="roof"),
        replace(DECISION, at=at(1.0), source="roof", distrust=Distrust.FROZEN),
    ]
    assert [each.rpartition(" ")[2] for each in lines(*changes)] == [
        f"{NOON_MS + elapsed}" for elapsed in (0, 200, 400, 600, 800, 1000)
    ]


def test_figures_alone_are_sent_every_ten_seconds() -> None:
    """A surplus that moves with each reading is no news."""
    same = [replace(DECISION, at=at(second), surplus_w=7000.0 + second) for second in range(60)]
    assert len(lines(*same)) == 6


@given(st.lists(decisions, max_size=20), st.integers(0, 20))
def test_whoever_begins_later_sends_the_same_points(some: list[Decision], start: int) -> None:
    """After a crash: nothing is missing that was sent before, and at most the first one is new."""
    whole, rest = lines(*some), lines(*some[start:])
    first = lines(*some[start : start + 1])
    missing = lines(*some[:start])
    assert set(whole) <= set(missing) | set(rest)
    assert set(rest) <= set(whole) | set(first)


@given(events)
def test_every_event_fits_the_table(event: object) -> None:
    """No measurement, tag, field or type but those of the table, in whatever an event may hold."""
    for point in points(event, "box"):
        kinds = KINDS[point.measurement]
        assert set(point.fields) <= set(kinds)
        text = line(point, "home")
        assert "\n" not in text
        assert text.endswith(f" {milliseconds(point.at)}")
        for name, value in point.fields.items():
            sent = re.search(rf'[ ,]{name}=("[a-z_]*"|[^," ]+)[, ]', text)
            if value is None:
                assert sent is None
            elif sent is not None:  # else it is no finite number
                assert _kind_of(sent[1]) is kinds[name]


def _kind_of(value: str) -> Kind:
    if value.startswith('"'):
        return Kind.TEXT
    return Kind.INTEGER if re.fullmatch(r"-?\d+i", value) else Kind.FLOAT


_names = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\\"), max_size=20)


@given(_names.filter(str.isprintable), _names.filter(str.isprintable), st.floats(allow_nan=False))
def test_lines_are_those_of_the_official_client(device: str, site: str, power_w: float) -> None:
    """Escapes and numbers, whatever a device is called; only `.0` is kept here."""
    theirs: Any = TheirPoint("pv")  # type: ignore[no-untyped-call]
    theirs.tag("device", device).tag("site", site).field("power_w", power_w)
    ours = line(Point("pv", device, NOON, {"power_w": power_w}), site)
    assert re.sub(r"\.0 (?=\d+$)", " ", ours) == theirs.time(NOON, "ms").to_line_protocol()


def test_what_cannot_be_sent_is_replaced() -> None:
    """A line break would end the line, and a backslash escape what follows it."""
    point = Point("link", "b\nox\\", NOON, {"ok": 1})
    assert line(point, "home") == f"link,device=b_ox_,site=home ok=1i {NOON_MS}"
    assert line(Point("control", "", NOON, {"mode": 'a "b" \\\nc'}), "home") == (
        f'control,site=home mode="a \\"b\\" \\\\ c" {NOON_MS}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_value_that_is_none_is_left_out(value: float | None) -> None:
    """InfluxDB refuses a line with NaN, and one without fields."""
    assert line(Point("pv", "roof", NOON, {"power_w": value}), "home") == ""
    assert line(Point("pv", "roof", NOON, {"power_w": value, "span_s": 0.0}), "home") == (
        f"pv,device=roof,site=home span_s=0.0 {NOON_MS}"
    )


@given(sessions)
def test_sessions_bear_the_time_of_their_end(session: Session) -> None:
    """A point is written when it can no longer change."""
    assert [point.at for point in points(session, "box")] == [session.ended_at] * (
        session.ended_at is not None
    )
