"""A recorded day is decided again to the last bit, and where it is not, that is told."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.recording import MORNING, eventful, recorded_events
from pvcharge.control import Controller, ControlSettings, Objective
from pvcharge.history.reading import Reader
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch, Store
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.replay import Pair, ReplayError, in_force, parts, replay
from pvcharge.sim.feed import Source

EVENING = MORNING + timedelta(hours=12)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a day on which much happens."""
    path = tmp_path_factory.mktemp("day") / "history.db"
    eventful(path)
    return path


@pytest.fixture
def reader(day: Path) -> Iterator[Reader]:
    """Return that day, to be read."""
    opened = Reader.open(day)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a new store."""
    opened = Store.open(tmp_path / "history.db")
    yield opened
    opened.close()


def test_a_day_is_decided_again_to_the_last_bit(reader: Reader) -> None:
    """With a restart of the daemon, commands, a hand at the box, old readings, and a boost that ends."""
    pairs = list(replay(reader, MORNING, EVENING))
    assert [pair.recorded for pair in pairs] == recorded_events(reader, Decision)
    assert [pair for pair in pairs if pair.recorded != pair.replayed] == []
    assert all(pair.same for pair in pairs)
    assert [part.run.id for part in parts(reader, MORNING, EVENING)] == [1, 2]
    assert {pair.part.run.id for pair in pairs if pair.part.whole} == {1, 2}
    reasons = {pair.recorded.reason for pair in pairs}
    assert reasons >= {Reason.BY_HAND, Reason.BOOST, Reason.STALE_STOP, Reason.SWITCH_LIMIT, Reason.FOLLOWING}
    assert {pair.recorded.mode for pair in pairs} == {Mode.SURPLUS, Mode.MIN_SURPLUS, Mode.BOOST}


@pytest.mark.parametrize("source", [Source.LIVE, Source.QUARTER])
def test_old_readings_are_aligned_again_in_the_same_way(tmp_path: Path, source: Source) -> None:
    """However the inverter is read."""
    eventful(tmp_path / "history.db", source)
    reader = Reader.open(tmp_path / "history.db")
    pairs = list(replay(reader, MORNING, EVENING))
    assert len(pairs) == len(recorded_events(reader, Decision))
    assert all(pair.same for pair in pairs)
    reader.close()


def test_a_part_of_a_day_depends_on_what_was_before(reader: Reader) -> None:
    """Only the decisions of the range are told, but the controller has seen all since it began."""
    start, end = MORNING + timedelta(hours=1), MORNING + timedelta(hours=1, minutes=10)
    pairs = list(replay(reader, start, end))
    assert [pair.recorded.at for pair in pairs] == [start + number * 5 * SECOND for number in range(120)]
    assert all(pair.same for pair in pairs)


def test_nothing_is_told_of_a_time_without_a_daemon(reader: Reader, store: Store) -> None:
    """Before the first start, and in an empty store."""
    assert list(replay(reader, MORNING - timedelta(days=2), MORNING)) == []
    assert list(replay(store, MORNING, EVENING)) == []


def test_progress_rises_to_the_end(reader: Reader) -> None:
    """Whoever waits sees how far it is."""
    told: list[float] = []
    end = MORNING + timedelta(hours=4)
    list(replay(reader, MORNING + timedelta(hours=3), end, told.append))
    assert len(told) > 2
    assert told[-1] == 1.0
    assert all(before <= after for before, after in pairwise(told))


def test_a_changed_controller_is_noticed(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """From where it first decides otherwise."""

    class Hasty(Controller):
        """A controller to which a start costs nothing."""

        def __init__(self, configured: ControlSettings) -> None:
            super().__init__(configured.model_copy(update={"start_cost_wh": 1.0}))

    monkeypatch.setattr("pvcharge.replay.Controller", Hasty)
    pairs = list(replay(reader, MORNING, EVENING))
    other = [pair for pair in pairs if not pair.same]
    assert 0 < len(other) < len(pairs)
    assert other[0].recorded.reason is Reason.NOT_WORTH_IT
    assert other[0].replayed.reason is Reason.FOLLOWING


# --- any course of events ---

Make = Callable[[datetime], Event]

_powers = st.floats(0, 12_000)
_maybe_powers = st.one_of(st.none(), _powers)
_ages = st.floats(0, 1500).map(lambda age_s: timedelta(seconds=age_s))
_amps = st.one_of(st.none(), st.integers(6, 32))
_setpoints = st.one_of(
    st.none(),
    st.just(Setpoint(0, 0)),
    st.builds(Setpoint, st.sampled_from([1, 3]), st.integers(6, 32)),
)


def _make_flow(age: timedelta, span: timedelta, rank: int, *powers: float | None, limited: bool) -> Make:
    pv_w, grid_w, battery_w = powers
    source = f"source {rank}"
    return lambda now: PowerFlow(
        now - age - span, now - age, pv_w, grid_w, battery_w, source=source, rank=rank, limited=limited
    )


def _make_status(state: ChargerState, power_w: float, setpoint: Setpoint | None, *, by_hand: bool) -> Make:
    return lambda now: ChargerStatus(
        now,
        state,
        power_w,
        setpoint=setpoint,
        max_current_a=16,
        changed_by_hand_at=now - SECOND if by_hand else None,
    )


def _make_mode(mode: Mode, lasts: timedelta | None) -> Make:
    return lambda now: ModeCommand(mode, now + lasts if lasts else None)


def _make_limits(low_a: int | None, high_a: int | None) -> Make:
    return lambda _: LimitsCommand(low_a, high_a)


_ranks, _now = st.sampled_from([0, 1, 101]), st.just(timedelta(0))
_spans = st.sampled_from([timedelta(0), timedelta(0), timedelta(minutes=15)])
_seen: st.SearchStrategy[Make] = st.one_of(
    st.builds(
        *(_make_flow, _ages, _spans, _ranks, _powers, st.floats(-9000, 9000), _maybe_powers),
        limited=st.booleans(),
    ),
    st.builds(
        *(_make_flow, _now, _now, _ranks, _powers, _powers, st.none()),
        limited=st.booleans(),
    ),
    st.builds(_make_status, st.sampled_from(ChargerState), _powers, _setpoints, by_hand=st.booleans()),
    st.builds(_make_mode, st.sampled_from(Mode), st.one_of(st.none(), _ages)),
    st.builds(_make_limits, _amps, _amps),
)
_courses = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 5.0, 60.0, 333.3]), _seen), max_size=50)
_configured = st.builds(
    ControlSettings,
    mode=st.sampled_from([Mode.OFF, Mode.SURPLUS, Mode.MIN_SURPLUS]),
    objective=st.sampled_from(Objective),
    start_cost_wh=st.floats(1, 500),
    boost_ends_on_unplug=st.booleans(),
)


@given(
    course=_courses, restarts=st.dictionaries(st.integers(1, 49), _configured, max_size=3), first=_configured
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happened_is_decided_again_in_the_same_way(
    tmp_path_factory: pytest.TempPathFactory,
    course: list[tuple[float, Make]],
    restarts: dict[int, ControlSettings],
    first: ControlSettings,
) -> None:
    """Any readings, states and commands in any order, over any restarts, with any settings."""
    store = Store.open(tmp_path_factory.mktemp("course") / "history.db")
    now, decisions = MORNING, []
    controller = _restarted(store, now, first)
    for number, (later_s, make) in enumerate(course):
        now += timedelta(seconds=later_s)
        if number in restarts:
            controller = _restarted(store, now, restarts[number])
        seen = _shown_to(controller, make(now))
        decisions.append(controller.decide(now))
        store.write(Batch(now, [seen, decisions[-1]]))
    pairs = list(replay(store, MORNING - SECOND, now + SECOND))
    store.close()
    assert [pair.recorded for pair in pairs] == decisions
    assert [pair.replayed for pair in pairs] == decisions


def _restarted(store: Store, now: datetime, configured: ControlSettings) -> Controller:
    store.begin_run(now, "1.0", configured.model_dump_json())
    return Controller(configured)


def _shown_to(controller: Controller, event: Event) -> Event:
    """Show an event to a controller as the control loop does, and return it as that publishes it."""
    if isinstance(event, ModeCommand):
        controller.set_mode(event.mode, event.until)
    elif isinstance(event, LimitsCommand):
        controller.set_limits(event)
        return controller.limits
    elif isinstance(event, PowerFlow | ChargerStatus):
        controller.observe(event)
    return event


# --- what is not there any more ---


def begin(store: Store, settings: ControlSettings | None = None) -> None:
    """Note a start of the daemon."""
    chosen = settings or ControlSettings()
    store.begin_run(MORNING, "0.9", chosen.model_dump_json())


def status(second: float, state: ChargerState = ChargerState.READY) -> ChargerStatus:
    """Return a status of an idle box."""
    return ChargerStatus(MORNING + second * SECOND, state, 0.0, setpoint=Setpoint(0, 0), max_current_a=16)


def live(store: Store, commands: dict[int, ModeCommand | LimitsCommand], minutes: int) -> list[Decision]:
    """Record a controller that is commanded something at some minutes, and return its decisions."""
    controller, decisions = Controller(ControlSettings()), []
    for minute in range(minutes):
        now = MORNING + timedelta(minutes=minute)
        flow = PowerFlow(now, now, pv_w=5000.0, grid_w=-4000.0 - minute)
        seen: list[Event] = [status(60 * minute), flow]
        seen += [commands[minute]] if minute in commands else []
        told = [_shown_to(controller, event) for event in seen]
        decisions.append(controller.decide(now))
        store.write(Batch(now, [*told, decisions[-1]]))
    return decisions


@pytest.mark.parametrize(
    "command",
    [
        ModeCommand(Mode.OFF),
        ModeCommand(Mode.BOOST, MORNING + timedelta(minutes=50)),
        ModeCommand(Mode.BOOST),
    ],
)
def test_a_run_whose_beginning_is_deleted_says_so(store: Store, command: ModeCommand) -> None:
    """Its mode is known nevertheless, from the decisions that are left."""
    begin(store)
    decisions = live(store, {5: command}, minutes=60)
    while store.prune(MORNING + timedelta(minutes=30), MORNING):
        pass
    pairs = list(replay(store, MORNING, EVENING))
    assert 25 <= len(pairs) < 35
    assert {(pair.part.beginning_kept, pair.part.lost, pair.part.whole) for pair in pairs} == {
        (False, 0, False)
    }
    assert [pair.recorded for pair in pairs] == decisions[-len(pairs) :]
    modes = [(pair.recorded.mode, pair.recorded.boost_until) for pair in pairs]
    assert [(pair.replayed.mode, pair.replayed.boost_until) for pair in pairs] == modes


def test_a_run_that_began_after_what_was_deleted_is_whole(store: Store) -> None:
    """A restart is as good as a whole record."""
    begin(store)
    live(store, {}, minutes=40)
    store.begin_run(MORNING + timedelta(minutes=40), "1.0", ControlSettings().model_dump_json())
    store.write(Batch(MORNING + timedelta(minutes=40), [status(2400)]))
    while store.prune(MORNING + timedelta(minutes=20), MORNING):
        pass
    assert [part.beginning_kept for part in parts(store, MORNING, EVENING)] == [False, True]


def test_events_that_the_disk_did_not_take_are_told(store: Store) -> None:
    """The recorder counts what it had to drop, and says so in its health."""
    begin(store)
    failing = DeviceHealth(
        "history", MORNING, ok=False, since=MORNING, error="disk full", facts={"dropped": 7}
    )
    other = DeviceHealth("wattpilot", MORNING, ok=False, since=MORNING, error="silent", facts={"dropped": 9})
    store.write(Batch(MORNING, [status(0), failing, other]))
    (part,) = parts(store, MORNING, EVENING)
    assert (part.lost, part.beginning_kept, part.whole) == (7, True, False)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('{"future_key": 1}', "future_key: Extra inputs are not permitted"),
        ('{"objective": "fame"}', "objective: "),
        ("no JSON", "all of them: Invalid JSON"),
    ],
)
def test_settings_of_another_version_are_refused_by_name(store: Store, written: str, problem: str) -> None:
    """Nothing is guessed: the message says which run, which version, and which setting."""
    store.begin_run(MORNING, "9.9", written)
    store.write(Batch(MORNING, [status(0)]))
    with pytest.raises(ReplayError, match="2026-06-15T06:00:00") as refused:
        list(replay(store, MORNING, EVENING))
    assert problem in str(refused.value)
    assert "was pvcharge 9.9" in str(refused.value)


def test_a_clock_that_was_set_back_hides_nothing(store: Store) -> None:
    """A decision from before the end may come after one from behind it."""
    begin(store)
    controller = Controller(ControlSettings())
    times = [MORNING, MORNING + timedelta(minutes=30), MORNING + SECOND]
    decisions = [controller.decide(at) for at in times]
    store.write(Batch(MORNING, decisions))
    pairs = list(replay(store, MORNING, MORNING + timedelta(minutes=10)))
    assert [pair.recorded for pair in pairs] == [decisions[0], decisions[2]]


# --- how the controller was set ---


def test_settings_in_force_are_those_commanded(store: Store) -> None:
    """Mode and limits at the beginning of the range count, and what was changed in it is counted."""
    begin(store, ControlSettings(objective=Objective.NO_IMPORT))
    commands: dict[int, ModeCommand | LimitsCommand] = {
        5: ModeCommand(Mode.MIN_SURPLUS),
        10: LimitsCommand(None, 10),
        30: ModeCommand(Mode.BOOST, None),
        40: ModeCommand(Mode.SURPLUS),
        41: ModeCommand(Mode.SURPLUS),
        50: LimitsCommand(8, None),
    }
    live(store, commands, minutes=60)
    found = in_force(store, MORNING + timedelta(minutes=20), EVENING)
    wanted = ControlSettings(mode=Mode.MIN_SURPLUS, objective=Objective.NO_IMPORT, max_current_a=10)
    assert found.settings == wanted
    assert found.changes == 3
    in_boost = in_force(store, MORNING + timedelta(minutes=35), MORNING + timedelta(minutes=38))
    assert (in_boost.settings, in_boost.changes) == (wanted, 0)


def test_other_settings_after_a_restart_count_as_a_change(store: Store) -> None:
    """A restart with the same ones does not."""
    for minute, configured in enumerate((ControlSettings(), ControlSettings(), ControlSettings(min_on_s=1))):
        at = MORNING + timedelta(minutes=minute)
        store.begin_run(at, "1.0", configured.model_dump_json())
        store.write(Batch(at, [Controller(configured).decide(at)]))
    assert in_force(store, MORNING, EVENING).changes == 1
    assert in_force(store, MORNING + timedelta(minutes=2), EVENING).settings.min_on_s == 1


def test_settings_in_force_need_a_decision(store: Store) -> None:
    """Where there is none, or none of a known run, nothing is made up."""
    with pytest.raises(ReplayError, match="no decision is recorded"):
        in_force(store, MORNING, EVENING)
    store.write(Batch(MORNING, [Controller(ControlSettings()).decide(MORNING)]))
    with pytest.raises(ReplayError, match="with which settings"):
        in_force(store, MORNING, EVENING)
    with pytest.raises(ReplayError, match="no decision is recorded"):
        in_force(store, MORNING - timedelta(days=1), MORNING)


def test_a_pair_is_the_same_only_if_every_bit_is(reader: Reader) -> None:
    """Also where it reads the same."""
    pair = next(iter(replay(reader, MORNING + timedelta(hours=1), EVENING)))
    decision = pair.recorded
    assert decision.surplus_w is not None
    near = Decision(decision.at, decision.setpoint, decision.reason, decision.mode, decision.surplus_w + 1e-9)
    assert pair.same
    assert not Pair(decision, near, pair.part).same
