"""Settings that were changed, and what was learned: in the store, through updates, and in money."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from history.days import CHARGING, GONE, NOON, PRICES, READY, at, instant, status
from history.samples import flow
from pvcharge.history import schema
from pvcharge.history.reading import Reader
from pvcharge.history.rows import Event
from pvcharge.history.schema import APPLICATION_ID
from pvcharge.history.sessions import Prices, SessionTracker
from pvcharge.history.store import Batch, Store
from pvcharge.model import ForgetCommand, Session, SettingsCommand

DEARER = SettingsCommand('{"import_price": 0.6, "feed_in_price": 0.1}')
HOUR = timedelta(hours=1)


def test_a_file_of_version_2_goes_on(tmp_path: Path) -> None:
    """Its runs recalled nothing, and new events stand beside the old ones."""
    path = tmp_path / "history.db"
    connection = sqlite3.connect(path)
    for script in schema.migrations()[:2]:
        connection.executescript(script)
    connection.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 2;")
    connection.execute(
        "INSERT INTO runs (started_us, first_seq, version, settings) VALUES (0, 1, '0.9', '{}')"
    )
    connection.execute("INSERT INTO modes VALUES (1, 'off', NULL)")
    connection.commit()
    connection.close()
    store = Store.open(path)
    store.write(Batch(NOON, [DEARER, ForgetCommand()]))
    store.begin_run(NOON, "1.0", "{}", '{"v": 1}')
    store.close()
    reader = Reader.open(path)
    assert [run.learned for run in reader.runs()] == [None, '{"v": 1}']
    assert [event for _, event in reader.events()][1:] == [DEARER, ForgetCommand()]
    reader.close()


def test_an_older_version_leaves_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would lose what it does not know."""
    path = tmp_path / "history.db"
    Store.open(path).close()
    older = schema.migrations()[:2]
    monkeypatch.setattr(schema, "migrations", lambda: older)
    with pytest.raises(schema.NewerFileError, match="version 3, and we know 2"):
        Store.open(path)


@pytest.fixture
def pruned(tmp_path: Path) -> Store:
    """Return a store with three runs, of which the first and half of the second are deleted for their age."""
    store = Store.open(tmp_path / "history.db")
    for run in range(3):
        store.begin_run(NOON + run * HOUR, "1.0", "{}", f'{{"v": 1, "run": {run}}}')
        for minute in range(60):
            now = NOON + run * HOUR + timedelta(minutes=minute)
            more: list[Event] = [DEARER, ForgetCommand()] if minute == 10 else []
            store.write(Batch(now, [*more, flow(3600 * run + 60 * minute)]))
    while store.prune(NOON + 1.5 * HOUR, NOON):
        pass
    return store


def test_the_last_settings_outlast_the_rest_of_their_time(pruned: Store) -> None:
    """Without them what is left of a run could not be understood; those before them are of no use."""
    kept = [event for _, event in pruned.events() if isinstance(event, SettingsCommand | ForgetCommand)]
    assert kept == 2 * [DEARER, ForgetCommand()]
    flows = [seq for seq, event in pruned.events() if event not in kept]
    assert len(flows) in (90, 91, 92)
    pruned.close()


def test_what_a_run_recalled_is_kept_as_long_as_the_run(pruned: Store) -> None:
    """So that a daemon that starts again and again does not fill the disk for ever."""
    assert [run.learned for run in pruned.runs()] == [None, '{"v": 1, "run": 1}', '{"v": 1, "run": 2}']
    assert [run.settings for run in pruned.runs()] == ["{}"] * 3
    pruned.close()


def test_a_reader_that_was_away_loses_no_settings_to_the_retention(pruned: Store) -> None:
    """What is left comes, in its order."""
    unsent = [event for _, event in pruned.unsent("influxdb", 1000)]
    assert unsent[:2] == [DEARER, ForgetCommand()]
    assert [event for event in unsent if isinstance(event, SettingsCommand)] == [DEARER, DEARER]
    pruned.close()


def charged(*changes: SettingsCommand, prices: Prices = PRICES) -> Session:
    """Return the session of a car that got 1 kWh from the grid, with these changes in its midst."""
    tracker = SessionTracker(prices)
    course: list[object] = [status(0, GONE), status(1, CHARGING, 3600.0, session_wh=0.0)]
    course += [instant(second, grid_w=3600.0) for second in range(0, 1001, 10)]
    course += [*changes, status(1001, READY, session_wh=1000.0), status(1002, GONE)]
    (ended,) = (session for event in course if (session := tracker.take(event)) is not None)
    return ended


def test_a_session_costs_what_energy_costs_at_its_end() -> None:
    """As if the price had been configured."""
    assert charged(DEARER) == charged(prices=Prices(0.6, 0.1))
    assert charged(DEARER).cost > 1.9 * charged().cost > 0
    assert charged().started_at == at(1)
