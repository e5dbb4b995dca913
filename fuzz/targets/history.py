"""Rows of the history read back: a table and its columns in each line, as JSON.

What the store cannot make an event of is a broken file, and `sqlite3.Error` says so.
"""

import atexit
import json
import sqlite3
from contextlib import suppress

from pvcharge.history.reading import Reader
from pvcharge.history.rows import TABLES, Event
from pvcharge.history.schema import migrate
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    EnergyTotals,
    ForgetCommand,
    Lease,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Reason,
    Session,
    Setpoint,
    SettingsCommand,
)
from targets.base import NOON, Target, check_message

_TABLES = {table.select.split()[3]: table for table in TABLES.values()}


def _store() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    migrate(connection)
    return connection


_STORE = _store()
atexit.register(_STORE.close)


def run(data: bytes) -> None:
    """Put rows into an empty store, and read them; what is read can be written again and is the same then."""
    _STORE.execute("BEGIN")
    try:
        for line in data.split(b"\n"):
            with suppress(ValueError, RecursionError, OverflowError, sqlite3.Error):
                _insert(json.loads(line))
        _read()
    finally:
        _STORE.execute("ROLLBACK")


def _insert(row: object) -> None:
    if not (isinstance(row, list) and len(row) > 1 and isinstance(row[0], str) and row[0] in _TABLES):
        return
    table, *values = row
    if isinstance(values[0], str):
        values = [values[0].encode("utf-8", "surrogatepass"), *values[1:]]
    _STORE.execute(
        _TABLES[table].insert, [json.dumps(it) if isinstance(it, dict | list) else it for it in values]
    )


def _read() -> None:
    try:
        events = list(Reader(_STORE).events())
    except sqlite3.Error as error:
        check_message(error)
        return
    for seq, event in events:
        table = TABLES[type(event)]
        with suppress(sqlite3.IntegrityError):
            _STORE.execute(table.delete, (seq + 1,))
        _STORE.execute(table.insert, (seq, *table.to_row(event)))
        again = [other for number, other in Reader(_STORE).events(seq, seq, [type(event)]) if number == seq]
        assert again == [event], f"{event} is another one when read again"


def _row(seq: int, event: Event) -> tuple[object, ...]:
    table = TABLES[type(event)]
    return (table.select.split()[3], seq, *table.to_row(event))


def _seed() -> bytes:
    off, three = Setpoint(0, 0), Setpoint(3, 10)
    status = ChargerStatus(
        NOON, ChargerState.CHARGING, 6900.0, 3, 10.0, three, 6, 16, 1234.5, 7.5e6, NOON, "fault 14"
    )
    decision = Decision(NOON, three, Reason.FOLLOWING, Mode.SURPLUS, 7000.0, 1400.0, 3.0, None, NOON, "roof")
    events: tuple[Event, ...] = (
        PowerFlow(NOON, NOON, 5000.0, -1200.0, None, 3800.0, 55.0, "roof", 1, limited=True),
        status,
        ModeCommand(Mode.BOOST, NOON),
        LimitsCommand(6, None),
        SettingsCommand('{"import_price": 0.3}'),
        ForgetCommand(),
        decision,
        Lease(1781524800000, NOON, 60.0, off, None),
        DeviceHealth("roof", NOON, ok=False, since=NOON, error="no answer", facts={"requests_left": 7}),
        EnergyTotals(NOON, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
        Session(NOON, None, 1000.0, 800.0, 0.1, 0.2, 600.0, 1, 0, {"too_little": 60.0}),
    )
    rows = [_row(seq, event) for seq, event in enumerate(events, 1)]
    return "\n".join(json.dumps(row) for row in rows).encode()


TARGET = Target(name="history", run=run, seeds=(_seed(), *_seed().split(b"\n")))
