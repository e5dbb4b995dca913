"""The Wattpilot's frames, one a line: from the connection's first word to statuses and writes."""

import atexit
import json
import sqlite3
from datetime import timedelta

from pvcharge.drivers.base import DriverError
from pvcharge.drivers.wattpilot.auth import derive_key
from pvcharge.drivers.wattpilot.box import Box
from pvcharge.drivers.wattpilot.messages import Answer, Report, printable
from pvcharge.drivers.wattpilot.plan import HIGHEST_A, LOWEST_A
from pvcharge.drivers.wattpilot.session import KeyWanted, Session
from pvcharge.history.rows import TABLES
from pvcharge.model import ChargerState, ChargerStatus, DeviceHealth, Setpoint
from pvcharge.mqtt.payloads import decode_status, encode_status
from targets.base import NOON, Target, check_message, check_text, is_number

_DEVICE = "wattpilot at 192.0.2.20:80"
_PASSWORD = "plantedpassword"  # noqa: S105 - of no device
_WANTED = (Setpoint(0, 0), Setpoint(1, 6), Setpoint(1, 16), Setpoint(3, 16), Setpoint(3, 40))


def run(data: bytes) -> None:
    """Hear all frames on one connection, and look at every status on the way."""
    session, box, now = Session(_DEVICE), Box(), NOON
    for number, line in enumerate(data.split(b"\n")):
        now += timedelta(seconds=1)
        frame: str | bytes = line if number % 2 else line.decode(errors="surrogateescape")
        try:
            event = session.receive(frame)
            _answer(session, event)
        except DriverError as error:
            check_message(error, _DEVICE, secrets=(_PASSWORD,))
            return
        if isinstance(event, Report):
            box.merge(event.properties)
        if isinstance(event, Answer):
            check_text(event.message)
        if event is not None:
            _check_status(box.status(now))
            _check_plan(session, box)
    _check_health(session, box)


def _answer(session: Session, event: object) -> None:
    """Do what the driver does when a login is asked for."""
    if not isinstance(event, KeyWanted):
        return
    if event.algorithm == "bcrypt":
        try:
            key = derive_key(event.algorithm, _PASSWORD, event.serial) if len(event.serial) > 16 else b"key"
        except ValueError:
            return
    else:
        event.serial.encode()
        key = b"key"  # the real one takes a tenth of a second
    json.loads(session.login(key))


def _check_status(status: ChargerStatus) -> None:
    assert is_number(status.power_w, 0, 1e7), f"power {status.power_w}"
    assert is_number(status.current_a, 0, 1000), f"current {status.current_a}"
    assert status.phases in range(4), f"phases {status.phases}"
    assert status.state is ChargerState.ERROR or status.fault is None, "a fault without an error"
    for limit_a in (status.min_current_a, status.max_current_a):
        assert is_number(limit_a, 1, 1000), f"limit {limit_a}"
    for energy_wh in (status.session_wh, status.total_wh):
        assert is_number(energy_wh, 0, 1e12), f"energy {energy_wh}"
    assert decode_status(encode_status(status).encode()) == status, "the cloud reads another status"
    table = TABLES[ChargerStatus]
    assert table.from_row(*_through_sqlite(table.to_row(status))) == status, (
        "the history reads another status"
    )


def _through_sqlite(row: tuple[object, ...]) -> tuple[object, ...]:
    taken: tuple[object, ...] = _SQLITE.execute(f"SELECT {', '.join('?' * len(row))}", row).fetchone()
    return taken


_SQLITE = sqlite3.connect(":memory:", check_same_thread=False)
atexit.register(_SQLITE.close)


def _check_plan(session: Session, box: Box) -> None:
    for wanted in _WANTED:
        for write in box.plan(wanted, NOON):
            assert write.key != "amp" or LOWEST_A <= write.value <= HIGHEST_A, f"writes {write}"
    writes = box.plan(_WANTED[3], NOON)
    if writes and session.outstanding is None:
        box.wrote(writes[0])
        json.loads(session.write(*writes[0]))


def _check_health(session: Session, box: Box) -> None:
    facts = box.health()
    if session.hello is not None:
        facts["serial"] = printable(session.hello.serial)
        facts["firmware"] = printable(session.hello.firmware)
    for fact in facts.values():
        check_text(str(fact))
    health = DeviceHealth("wattpilot", NOON, ok=True, since=NOON, facts=facts)
    table = TABLES[DeviceHealth]
    assert table.from_row(*_through_sqlite(table.to_row(health))) == health, (
        "the history reads another health"
    )


def _frames(*frames: object) -> bytes:
    return "\n".join(json.dumps(frame) for frame in frames).encode()


_HELLO = {
    "type": "hello",
    "serial": "10001234",
    "hostname": "Wattpilot_10001234",
    "friendly_name": "garage",
    "manufacturer": "fronius",
    "devicetype": "wattpilot",
    "version": "38.5",
    "protocol": 2,
    "secured": True,
}
_DEMAND = {"type": "authRequired", "token1": "0a1b2c3d", "token2": "4e5f6071"}
_STATUS = {
    "frc": 0,
    "lmo": 3,
    "amp": 16,
    "psm": 2,
    "car": 2,
    "err": 0,
    "modelStatus": 13,
    "alw": True,
    "fsp": False,
    "nrg": [231.5, 230.2, 229.9, 0, 15.8, 15.9, 15.7, 3650, 3660, 3610, 0, 10920, 99, 99, 99, 0],
    "tpa": 10900,
    "mca": 6,
    "var": 11,
    "ama": 16,
    "cbl": 20,
    "amt": 32,
    "cll": {"cableCurrentLimit": 20, "temperatureCurrentLimit": 32, "requestedCurrent": 16},
    "isgo": False,
    "adi": True,
    "wh": 1234.56,
    "eto": 7654321,
    "psmd": 10000,
    "sumd": 5000,
    "rbc": 7,
}
_FULL = {"type": "fullStatus", "partial": True, "status": _STATUS}
_LAST = {
    "type": "fullStatus",
    "partial": False,
    "status": {"fna": "garage", "cdi": {"type": 1, "value": 900}},
}
_DELTA = {
    "type": "deltaStatus",
    "status": {"nrg": [230] * 3 + [0] + [6] * 3 + [1380] * 3 + [0, 4140], "car": 4},
}
_YES = {"type": "response", "requestId": "1sm", "success": True, "status": {"amp": 16}}
_NO = {"type": "response", "requestId": "2sm", "success": False, "message": "not allowed"}

TARGET = Target(
    name="wattpilot",
    run=run,
    seeds=(
        _frames(_HELLO, _DEMAND, {"type": "authSuccess"}, _FULL, _LAST, _DELTA, _YES, _NO),
        _frames(_HELLO, {**_DEMAND, "hash": "bcrypt"}, {"type": "authSuccess"}, _FULL, _LAST),
        _frames({**_HELLO, "devicetype": "wattpilot_flex", "serial": 91000123}, _DEMAND, _FULL, _DELTA),
        _frames(_HELLO, _DEMAND, {"type": "authError", "message": "Wrong password"}),
        _frames(_HELLO, {**_DEMAND, "hash": "argon"}),
        _frames(
            _FULL, {"type": "deltaStatus", "status": {"err": 14, "modelStatus": 26}}, {"type": "clearSmips"}
        ),
        _frames(
            _FULL,
            *(
                {"type": "deltaStatus", "status": {"psm": psm, "car": car}}
                for psm in (1, 2)
                for car in range(6)
            ),
        ),
    ),
)
