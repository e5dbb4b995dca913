"""The store as a file: what is written is read again exactly, in order, across restarts and versions."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.samples import NOON, events, flow
from pvcharge.history import schema
from pvcharge.history.reading import Reader
from pvcharge.history.rows import Event
from pvcharge.history.schema import NewerFileError
from pvcharge.history.store import CHUNK, Batch, Store
from pvcharge.model import LimitsCommand, Mode, ModeCommand, PowerFlow

WH = (1.5, 0.25, 1.0, 0.0, 0.0, 0.5, 300.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is to be."""
    return tmp_path / "state" / "history.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Return a new store."""
    opened = Store.open(path)
    yield opened
    opened.close()


@given(seen=st.lists(events, max_size=20), cut=st.integers(0, 20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_equals_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, seen: list[Event], cut: int
) -> None:
    """Every kind of event, to the last bit, in the order in which it was seen, also over a restart."""
    path = tmp_path_factory.mktemp("store") / "history.db"
    for part in (seen[:cut], seen[cut:]):
        store = Store.open(path)
        store.write(Batch(NOON, part))
        store.close()
    reader = Reader.open(path)
    assert list(reader.events()) == list(enumerate(seen, 1))
    reader.close()


def test_kinds_and_ranges_can_be_chosen(store: Store) -> None:
    """A reader that needs readings alone does not pay for the rest."""
    seen: list[Event] = [flow(0), ModeCommand(Mode.OFF), flow(1), LimitsCommand(6, 8), flow(2)]
    store.write(Batch(NOON, seen))
    assert [seq for seq, _ in store.events(kinds=[PowerFlow])] == [1, 3, 5]
    assert [seq for seq, _ in store.events(2, 4)] == [2, 3, 4]


def test_only_the_owner_may_read_the_file(store: Store, path: Path) -> None:
    """It tells when somebody is at home."""
    store.write(Batch(NOON, [flow(0)]))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_energies_add_up(store: Store, path: Path) -> None:
    """By five minutes, by day, and in all; a restart goes on from there."""
    day = date(2026, 6, 15)
    for _ in range(2):
        store.write(Batch(NOON, five_minutes={NOON: WH}))
    again = Store.open(path)
    totals = again.write(Batch(NOON, five_minutes={NOON - timedelta(hours=1): WH}, filled=True))
    assert (totals.pv_wh, totals.charger_wh) == (4.5, 1.5)
    (five,) = again.five_minutes(NOON, NOON + timedelta(hours=1))
    assert (five.start, five.filled, five.pv_wh, five.covered_s) == (NOON, False, 3.0, 600.0)
    (of_day,) = again.days(day, day + timedelta(days=1))
    assert (of_day.start, of_day.filled, of_day.pv_wh) == (day, True, 4.5)
    assert again.five_minutes(NOON + timedelta(minutes=5), NOON + timedelta(hours=1)) == []
    again.close()


def test_what_was_filled_is_not_counted_again(store: Store) -> None:
    """An inverter's cloud tells the same hours to a poller that asks later; what the car got counts."""
    store.write(Batch(NOON, five_minutes={NOON: WH}, filled=True))
    totals = store.write(Batch(NOON, five_minutes={NOON: WH, NOON + timedelta(minutes=5): WH}))
    assert (totals.pv_wh, totals.charger_wh) == (3.0, 1.5)
    first, second = store.five_minutes(NOON, NOON + timedelta(hours=1))
    assert (first.filled, first.pv_wh, first.charger_wh, first.covered_s) == (True, 1.5, 1.0, 300.0)
    assert (second.filled, second.pv_wh) == (False, 1.5)


def test_a_day_is_that_of_the_site(store: Store) -> None:
    """Its clock says when it begins."""
    late = datetime(2026, 6, 15, 22, 30, tzinfo=UTC)
    store.write(Batch(NOON, five_minutes={late: WH}, zone=ZoneInfo("Europe/Vienna")))
    (row,) = store.days(date(2026, 6, 1), date(2026, 7, 1))
    assert row.start == date(2026, 6, 16)


def test_a_batch_is_written_whole_or_not_at_all(store: Store) -> None:
    """Energies never count without the state that says up to when they are counted."""
    bad_state = {"energy": {"until": object()}}
    with pytest.raises(TypeError):
        store.write(Batch(NOON, [flow(0)], five_minutes={NOON: WH}, states=bad_state))
    assert list(store.events()) == []
    assert store.totals(NOON).pv_wh == 0
    store.write(Batch(NOON, [flow(1)]))
    assert list(store.events()) == [(1, flow(1))]


def test_documents_replace_each_other(store: Store) -> None:
    """The last one counts."""
    assert store.state("energy") is None
    store.write(Batch(NOON, states={"energy": {"a": 1.5}}))
    store.write(Batch(NOON, states={"energy": {"a": 2.5}, "session": {}}))
    assert (store.state("energy"), store.state("session")) == ({"a": 2.5}, {})


def test_each_start_is_noted_with_its_settings(store: Store) -> None:
    """A replay begins where a controller began, and with what it was told."""
    store.begin_run(NOON, "1.0", '{"mode": "off"}')
    store.write(Batch(NOON, [flow(0), flow(1)]))
    store.begin_run(NOON + timedelta(hours=1), "1.1", "{}")
    assert [(run.first_seq, run.version, run.settings) for run in store.runs()] == [
        (1, "1.0", '{"mode": "off"}'),
        (3, "1.1", "{}"),
    ]


def test_a_cursor_moves_on_and_never_back(store: Store, path: Path) -> None:
    """What was sent is not sent again, also after a restart."""
    store.write(Batch(NOON, [flow(second) for second in range(5)]))
    assert [seq for seq, _ in store.unsent("influxdb", 3)] == [1, 2, 3]
    assert store.backlog("influxdb").events == 5
    store.set_cursor("influxdb", 3)
    store.set_cursor("influxdb", 2)
    again = Store.open(path)
    assert [seq for seq, _ in again.unsent("influxdb", 10)] == [4, 5]
    assert (again.backlog("influxdb").events, again.backlog("influxdb").oldest) == (2, NOON)
    again.set_cursor("influxdb", 5)
    assert again.unsent("influxdb", 10) == []
    assert (again.backlog("influxdb").events, again.backlog("influxdb").oldest) == (0, None)
    again.close()


def fill(store: Store, minutes: int, each: int) -> None:
    """Write so many events a minute."""
    for minute in range(minutes):
        at = NOON + timedelta(minutes=minute)
        store.write(Batch(at, [flow(60 * minute + number / each) for number in range(each)], {at: WH}))


def test_what_is_old_is_deleted_piece_by_piece_and_losses_are_counted(store: Store) -> None:
    """A reader that was away for too long is told what it has missed."""
    fill(store, minutes=10, each=2000)
    store.set_cursor("influxdb", 1000)
    rounds = 1
    while store.prune(NOON + timedelta(minutes=6, seconds=30), NOON + timedelta(minutes=5)):
        rounds += 1
    assert rounds > 12_000 // CHUNK
    first, _ = next(store.events())
    assert first == 12_001
    assert store.backlog("influxdb").dropped == 11_000
    assert store.backlog("influxdb").oldest == NOON + timedelta(minutes=6)
    assert [seq for seq, _ in store.unsent("influxdb", 1)] == [12_001]
    assert len(store.five_minutes(NOON, NOON + timedelta(hours=1))) == 5
    assert store.seq_at(NOON + timedelta(minutes=7)) == 14_001


def test_deleting_gives_the_room_back(store: Store, path: Path) -> None:
    """The file does not keep the size of its best days."""
    fill(store, minutes=10, each=2000)
    store.close()  # which merges the log into the file
    before, store = path.stat().st_size, Store.open(path)
    while store.prune(NOON + timedelta(minutes=9), NOON):
        pass
    store.close()
    assert path.stat().st_size < before / 2


def test_a_time_is_looked_up(store: Store) -> None:
    """To the minute, and never too late."""
    fill(store, minutes=3, each=10)
    assert store.seq_at(NOON - timedelta(days=1)) == 0
    assert store.seq_at(NOON + timedelta(seconds=90)) == 11
    assert store.seq_at(NOON + timedelta(days=1)) == 21


def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    """Who goes back a version loses nothing."""
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NewerFileError, match="version 99"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_file_of_somebody_else_is_left_alone(path: Path) -> None:
    """It may be a typing error in state_dir."""
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    with pytest.raises(sqlite3.DatabaseError, match="not a database of pvcharge"):
        Store.open(path)


def test_an_interrupted_migration_begins_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is done whole or not at all."""
    good = schema.migrations()
    step = "CREATE TABLE more (a);"
    monkeypatch.setattr(schema, "migrations", lambda: [*good, step + step])
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        Store.open(path)
    monkeypatch.setattr(schema, "migrations", lambda: [*good, step])
    store = Store.open(path)
    store.write(Batch(NOON, [flow(0)]))
    store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(good) + 1,)
        assert connection.execute("SELECT count(*) FROM more").fetchone() == (0,)
    connection.close()


def test_reading_beside_the_daemon_disturbs_nobody(store: Store, path: Path) -> None:
    """`pvcharge export` while the daemon writes."""
    store.write(Batch(NOON, [flow(0)]))
    reader = Reader.open(path)
    rows = reader.events()
    next(rows)
    store.write(Batch(NOON, [flow(1)]))
    assert [seq for seq, _ in reader.events()] == [1, 2]
    reader.close()


def test_reading_makes_no_file(path: Path) -> None:
    """A wrong path is an error and not an empty history."""
    path.parent.mkdir()
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Reader.open(path)
    assert not path.exists()
