"""A file of an earlier version becomes one of today, and nothing in it is lost."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from history.days import CHARGING, NOON, PRICES, at, instant, mean, status
from pvcharge.history import schema
from pvcharge.history.energy import EnergyMeter, Quantity
from pvcharge.history.reading import Reader
from pvcharge.history.rows import TABLES, Event, to_us
from pvcharge.history.schema import APPLICATION_ID, version_of
from pvcharge.history.sessions import SessionTracker
from pvcharge.history.store import Batch, Store
from pvcharge.model import Decision, Distrust, Mode, PowerFlow, Reason, Setpoint

FLOW = PowerFlow(NOON, at(5), 4000.5, -3000.25, 500.0, 0.1, 80.0, "roof")
DECISION = Decision(
    at=at(6),
    setpoint=Setpoint(3, 10),
    reason=Reason.SWITCH_LIMIT,
    mode=Mode.BOOST,
    surplus_w=7000.1,
    needed_w=1400.0,
    reading_age_s=1.5,
    waits_until=at(60),
    boost_until=at(3600),
)


def make_version_1(path: Path, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a file as version 1 did: a reading, a decision, and what was counted."""
    connection = sqlite3.connect(path)
    connection.executescript(schema.migrations()[0])
    connection.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;")
    start, end, decided = (to_us(it) for it in (FLOW.start, FLOW.end, DECISION.at))
    flow = 1, start, end, 4000.5, -3000.25, 500.0, 0.1, 80.0, "roof"
    connection.execute("INSERT INTO flows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", flow)
    decision = 2, decided, 3, 10, "switch_limit", "boost", 7000.1, 1400.0, 1.5, to_us(at(60)), to_us(at(3600))
    connection.execute("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", decision)
    connection.execute("INSERT INTO five_minutes (at_us, pv_wh) VALUES (?, 12.5)", (start,))
    rows = [(name, json.dumps(document)) for name, document in states.items()]
    connection.executemany("INSERT INTO states VALUES (?, ?)", rows)
    connection.commit()
    connection.close()


def without_holes(state: Any) -> Any:
    """Return a state as version 1 wrote it."""
    if isinstance(state, dict):
        return {key: without_holes(value) for key, value in state.items() if key != "holes"}
    return state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is to be."""
    return tmp_path / "history.db"


def test_what_was_written_is_read_with_the_defaults(path: Path) -> None:
    """A reading of then was that of the only source, and followed."""
    make_version_1(path, {})
    store = Store.open(path)
    assert list(store.events()) == [(1, FLOW), (2, DECISION)]
    (five_minutes,) = store.five_minutes(NOON, at(300))
    assert five_minutes.pv_wh == 12.5
    store.close()


def test_it_goes_on_in_the_same_file(path: Path) -> None:
    """Old and new events stand side by side, also for who opens it later."""
    make_version_1(path, {})
    new: list[Event] = [
        PowerFlow(at(10), at(10), grid_w=1.0, source="portal", rank=101, limited=True),
        Decision(at(11), Setpoint(0, 0), Reason.NO_CAR, Mode.OFF, source="portal", distrust=Distrust.SILENT),
    ]
    store = Store.open(path)
    store.write(Batch(at(12), new))
    store.close()
    reader = Reader.open(path)
    assert [event for _, event in reader.events()] == [FLOW, DECISION, *new]
    reader.close()


def test_who_only_reads_migrates_nothing(path: Path) -> None:
    """A daemon may be using the file."""
    make_version_1(path, {})
    with pytest.raises(sqlite3.DatabaseError, match="start the daemon once"):
        Reader.open(path)
    connection = sqlite3.connect(path)
    assert version_of(connection) == 1
    connection.close()


def test_counting_goes_on_where_it_was(path: Path) -> None:
    """No energy is lost by an update, nor the session of the car that is there."""
    meter, tracker = EnergyMeter(), SessionTracker(PRICES)
    seen = [instant(0, pv_w=1e-7, grid_w=0.1, battery_w=-1 / 3), status(1, CHARGING, 3600.1, session_wh=7.0)]
    for event in [*seen, mean(-900, 0, pv_w=5.0, grid_w=6.0, battery_w=7.0), mean(-5, 1, grid_w=0.7)]:
        meter.take(event)
        tracker.take(event)
    states = {"energy": without_holes(meter.state()), "session": without_holes(tracker.state())}
    make_version_1(path, states)
    store = Store.open(path)
    energy, session = store.state("energy"), store.state("session")
    assert (energy, session) == (meter.state(), tracker.state())
    (increment,) = EnergyMeter(energy).take(instant(60, pv_w=1e-7))
    assert increment.start == at(0)
    assert increment.energy_wh == pytest.approx({Quantity.PV: 1e-7 / 60})
    assert SessionTracker(PRICES, session).current == tracker.current
    store.close()


def test_a_new_file_has_the_columns_of_a_migrated_one(tmp_path: Path) -> None:
    """In the same order, for rows are written by their order."""
    make_version_1(tmp_path / "old.db", {})
    columns = []
    for name in ("old.db", "new.db"):
        Store.open(tmp_path / name).close()
        connection = sqlite3.connect(tmp_path / name)
        columns.append(
            {table: connection.execute(f"PRAGMA table_info({table})").fetchall() for table in TABLE_NAMES}
        )
        connection.close()
    assert columns[0] == columns[1]
    assert [name for _, name, *_ in columns[0]["flows"]][-2:] == ["rank", "limited"]


TABLE_NAMES = ("flows", "decisions", "states", "statuses")


def test_every_field_of_an_event_has_its_column() -> None:
    """A field that is added to the model is not forgotten in the store."""
    assert len(TABLES[PowerFlow].to_row(FLOW)) == len(fields(PowerFlow))
    assert len(TABLES[Decision].to_row(DECISION)) == len(fields(Decision)) + 1  # a setpoint takes two
