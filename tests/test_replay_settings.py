"""Settings that were changed, what was learned before and what was forgotten: replay goes through it all."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.recording import MORNING, Recording, record, recorded_events
from pvcharge.control import Controller, ControlSettings, Objective
from pvcharge.history.reading import Reader
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch, Store
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    ForgetCommand,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Setpoint,
    SettingsCommand,
)
from pvcharge.replay import ReplayError, in_force, parts, replay
from pvcharge.sim.feed import Source

EVENING = MORNING + timedelta(hours=38)
AT_ONCE = ControlSettings(start_cost_wh=1.0, min_on_s=0.0, objective=Objective.NO_IMPORT)
DEAR = ControlSettings(objective=Objective.COST, import_price=0.5, start_cost_wh=200.0)


def course(day: Recording) -> dict[float, Callable[[], None]]:
    """Return what happens within hours: settings changed and taken back, a restart, and all forgotten."""
    return {
        1.0: lambda: day.configure(AT_ONCE),
        2.0: lambda: day.command(LimitsCommand(None, 12)),
        2.5: lambda: day.configure(DEAR),
        4.0: day.restart,
        4.01: lambda: day.command(LimitsCommand(None, 12)),
        5.0: lambda: day.command(ForgetCommand()),
        6.0: lambda: day.configure(ControlSettings()),
    }


def two_days(day: Recording) -> dict[float, Callable[[], None]]:
    """Return the same after a day on which the roof was learned."""
    later = {hour + 27.0: event for hour, event in course(day).items()}
    return {0.1: day.charger.plug_in, **later}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of two such days, with quarter-hour means, which need a forecast."""
    path = tmp_path_factory.mktemp("day") / "history.db"
    record(path, MORNING, 36.0, two_days, Source.QUARTER)
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[Reader]:
    """Return that day, to be read."""
    opened = Reader.open(path)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a new store."""
    opened = Store.open(tmp_path / "history.db")
    yield opened
    opened.close()


def differing(reader: Reader) -> int:
    """Return how many decisions of the day are not the same today."""
    pairs = list(replay(reader, MORNING, EVENING))
    assert [pair.recorded for pair in pairs] == recorded_events(reader, Decision)
    return sum(not pair.same for pair in pairs)


def test_a_day_with_changes_is_decided_again_to_the_last_bit(reader: Reader) -> None:
    """Over a restart that recalls what was learned, and forgets it later."""
    assert differing(reader) == 0
    assert [run.learned is None for run in reader.runs()] == [True, False]
    changed = recorded_events(reader, SettingsCommand)
    assert changed == [SettingsCommand(it.model_dump_json()) for it in (AT_ONCE, DEAR, ControlSettings())]
    assert len(recorded_events(reader, ForgetCommand)) == 1
    assert all(part.whole for part in parts(reader, MORNING, EVENING))


@pytest.mark.parametrize("left_out", ["configure", "forget", "recall"])
def test_each_of_them_makes_a_difference(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    """So that the day above would tell if one was left out."""
    monkeypatch.setattr(Controller, left_out, lambda *_: None)
    assert differing(reader) > 0


@pytest.mark.parametrize("source", [Source.MODBUS, Source.LIVE])
def test_other_readings_are_decided_again_in_the_same_way(tmp_path: Path, source: Source) -> None:
    """However the inverter is read."""
    record(
        tmp_path / "history.db", MORNING, 8.0, lambda day: {0.1: day.charger.plug_in, **course(day)}, source
    )
    reader = Reader.open(tmp_path / "history.db")
    assert differing(reader) == 0
    reader.close()


def test_what_another_version_had_learned_is_refused_by_name(store: Store) -> None:
    """Nothing is guessed."""
    store.begin_run(MORNING, "9.9", ControlSettings().model_dump_json(), '{"v": 99}')
    store.write(Batch(MORNING, [Controller(ControlSettings()).decide(MORNING)]))
    with pytest.raises(
        ReplayError, match=r"was pvcharge 9\.9; this is .* not understand what it had learned"
    ):
        list(replay(store, MORNING, EVENING))


def test_settings_of_a_change_that_are_not_understood_are_refused_by_name(store: Store) -> None:
    """As are those of a start."""
    store.begin_run(MORNING, "9.9", ControlSettings().model_dump_json())
    store.write(Batch(MORNING, [SettingsCommand('{"future": 1}')]))
    store.write(Batch(MORNING, [Controller(ControlSettings()).decide(MORNING)]))
    with pytest.raises(ReplayError, match=r"was pvcharge 9\.9.*its settings: future: Extra inputs"):
        list(replay(store, MORNING, EVENING))


def test_of_a_run_whose_beginning_is_deleted_the_settings_are_known(store: Store) -> None:
    """The last ones outlast the rest, so that what is left of it is decided as it was set."""
    record_minutes(store, {2: DEAR, 5: AT_ONCE}, minutes=60)
    while store.prune(MORNING + timedelta(minutes=30), MORNING):
        pass
    (part,) = parts(store, MORNING, EVENING)
    assert not part.beginning_kept
    pairs = list(replay(store, MORNING, EVENING))
    assert 25 <= len(pairs) < 35
    assert {pair.replayed.needed_w for pair in pairs} == {pair.recorded.needed_w for pair in pairs}
    assert in_force(store, MORNING, EVENING).settings == AT_ONCE


def test_a_run_that_begins_with_settings_is_whole(store: Store) -> None:
    """What outlasts the rest does not make it look deleted."""
    store.begin_run(MORNING, "1.0", ControlSettings().model_dump_json())
    store.write(Batch(MORNING, [SettingsCommand(AT_ONCE.model_dump_json()), ForgetCommand()]))
    store.write(Batch(MORNING, [Controller(AT_ONCE).decide(MORNING)]))
    (part,) = parts(store, MORNING, EVENING)
    assert part.whole


def test_settings_in_force_are_those_of_the_last_change(store: Store) -> None:
    """Each change afterwards counts once, a restart with the same settings does not."""
    now = record_minutes(store, {5: AT_ONCE, 20: DEAR, 30: DEAR}, minutes=40)
    found = in_force(store, MORNING + timedelta(minutes=10), EVENING)
    assert (found.settings, found.changes) == (AT_ONCE, 1)
    assert in_force(store, MORNING, EVENING).changes == 2
    store.begin_run(now, "1.0", DEAR.model_dump_json())
    store.write(Batch(now, [Controller(DEAR).decide(now)]))
    assert in_force(store, MORNING, EVENING).changes == 2
    store.begin_run(now, "1.0", ControlSettings().model_dump_json())
    store.write(Batch(now, [Controller(ControlSettings()).decide(now)]))
    assert in_force(store, MORNING, EVENING).changes == 3


def record_minutes(store: Store, changes: dict[int, ControlSettings], minutes: int) -> datetime:
    """Record a controller whose settings are changed at some minutes; return when it ends."""
    store.begin_run(MORNING, "1.0", ControlSettings().model_dump_json())
    controller = Controller(ControlSettings())
    for minute in range(minutes):
        now = MORNING + timedelta(minutes=minute)
        status = ChargerStatus(now, ChargerState.READY, 0.0, setpoint=Setpoint(0, 0), max_current_a=16)
        seen: list[Event] = [status, PowerFlow(now, now, pv_w=5000.0, grid_w=-4000.0 - minute)]
        seen += [SettingsCommand(changes[minute].model_dump_json())] if minute in changes else []
        for event in seen:
            show(controller, event)
        store.write(Batch(now, [*seen, controller.decide(now)]))
    return MORNING + timedelta(minutes=minutes)


def show(controller: Controller, event: Event) -> None:
    """Show an event to a controller as the control loop does."""
    match event:
        case PowerFlow() | ChargerStatus():
            controller.observe(event)
        case ModeCommand():
            controller.set_mode(event.mode, event.until)
        case SettingsCommand():
            controller.configure(ControlSettings.model_validate_json(event.document))
        case ForgetCommand():
            controller.forget()


# --- any course of events ---

Make = Callable[[datetime], Event]


def _make_flow(span_s: float, pv_w: float, load_w: float) -> Make:
    return lambda now: PowerFlow(
        now - timedelta(seconds=span_s), now, pv_w, load_w - pv_w, source="roof" if span_s else "meter"
    )


def _make_status(state: ChargerState, power_w: float) -> Make:
    charges = state is ChargerState.CHARGING
    setpoint = Setpoint(3, 16) if charges else Setpoint(0, 0)
    return lambda now: ChargerStatus(
        now, state, power_w, 3 if charges else 0, power_w / 690, setpoint=setpoint, max_current_a=16
    )


def _fixed(event: Event) -> Make:
    return lambda _: event


_COMMANDS: list[Event] = [ForgetCommand(), ModeCommand(Mode.BOOST), ModeCommand(Mode.SURPLUS)]
_configured = st.builds(
    ControlSettings,
    mode=st.sampled_from([Mode.OFF, Mode.SURPLUS, Mode.MIN_SURPLUS]),
    objective=st.sampled_from(Objective),
    import_price=st.floats(0.2, 1),
    start_cost_wh=st.floats(1, 500),
    phase_switch_cost_wh=st.floats(1, 500),
    min_on_s=st.floats(0, 600),
    max_starts_per_hour=st.integers(1, 9),
    respect_hand_s=st.floats(0, 600),
    battery_min_soc_pct=st.floats(0, 100),
    boost_ends_on_unplug=st.booleans(),
)
_seen: st.SearchStrategy[Make] = st.one_of(
    st.builds(_make_flow, st.sampled_from([0.0, 0.0, 900.0]), st.floats(0, 9000), st.floats(0, 9000)),
    st.builds(_make_status, st.sampled_from(ChargerState), st.floats(0, 11_000)),
    _configured.map(lambda it: _fixed(SettingsCommand(it.model_dump_json()))),
    st.sampled_from(_COMMANDS).map(_fixed),
)
_courses = st.lists(st.tuples(st.sampled_from([0.0, 5.0, 900.0, 20_000.0]), _seen), max_size=40)


@given(events=_courses, restarts=st.sets(st.integers(1, 39), max_size=3), first=_configured)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_changed_and_learned_is_decided_again_in_the_same_way(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[tuple[float, Make]],
    restarts: set[int],
    first: ControlSettings,
) -> None:
    """In any order, over restarts that recall what was learned and go on with the settings in force."""
    store = Store.open(tmp_path_factory.mktemp("course") / "history.db")
    now, in_force_now, decisions = MORNING, first, list[Decision]()
    controller = Controller(first)
    store.begin_run(now, "1.0", first.model_dump_json())
    for number, (later_s, make) in enumerate(events):
        now += timedelta(seconds=later_s)
        if number in restarts:
            learned = json.dumps(controller.learned())
            store.begin_run(now, "1.0", in_force_now.model_dump_json(), learned)
            controller = Controller(in_force_now)
            controller.recall(json.loads(learned))
        event = make(now)
        if isinstance(event, SettingsCommand):
            in_force_now = ControlSettings.model_validate_json(event.document)
        show(controller, event)
        decisions.append(controller.decide(now))
        store.write(Batch(now, [event, decisions[-1]]))
    pairs = list(replay(store, MORNING - timedelta(seconds=1), now + timedelta(seconds=1)))
    store.close()
    assert [pair.recorded for pair in pairs] == decisions
    assert [pair.replayed for pair in pairs] == decisions
