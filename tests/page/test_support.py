"""The support file: it helps, and tells nothing that is secret or whose house it is."""

import asyncio
import csv
import io
import json
import logging
import socket
import threading
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from pydantic import JsonValue

from page.past_rig import LoopClock
from pvcharge import __version__, config, log
from pvcharge.history.archive import FILE
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch, Store
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.page import support
from pvcharge.page.blur import Blur
from pvcharge.page.support import KeptLog, SupportPacker
from pvcharge.web.answers import Log
from pvcharge.web.ports import NotInForceError

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
SECRETS = ("planted-box", "planted-api", "planted/broker+pass", "planted-influx", "planted-page")
# Whatever tells whose house it is, as the configuration has it.
OURS = (
    *("192.0.2.20", "inverter.fritz.box", "broker.example.net", "influx.example.org", "proxy.example.com"),
    *("48.3712", "14.5123", "123456", "anna", "villa-anna", "2001:db8::17", "garden"),
)
PLANTED = " ".join((*SECRETS, *OURS))


def tables(folder: Path) -> dict[str, object]:
    """Return a configuration with something in all of it."""
    return {
        "state_dir": str(folder / "anna"),
        "site": {
            "name": "villa-anna",
            "latitude": 48.3712,
            "longitude": 14.5123,
            "timezone": "Europe/Vienna",
        },
        "inverter": [
            {"driver": "solaredge_modbus", "host": "inverter.fritz.box"},
            {"driver": "solaredge", "site_id": 123456, "api_key": "planted-api"},
        ],
        "charger": {"driver": "wattpilot", "host": "192.0.2.20", "password": "planted-box"},
        "mqtt": {"host": "broker.example.net", "username": "anna", "password": "planted/broker+pass"},
        "influxdb": {"url": "https://influx.example.org", "token": "planted-influx", "org": "garden"},
        "web": {
            "listen": "[2001:db8::17]:8080",
            "password": "planted-page",
            "hosts": ["proxy.example.com"],
            "embed_in": ["https://proxy.example.com"],
        },
    }


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Keep what is logged, and leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.set_up(log.LogSettings())
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


class Learned:
    """Tells what was learned, or that it cannot."""

    def __init__(self, *, broken: bool = False) -> None:
        self._broken = broken

    async def learned(self) -> Mapping[str, JsonValue]:
        """Return some of it."""
        if self._broken:
            raise NotInForceError(f"no answer from {PLANTED}")
        return {"v": 1, "car": {"rungs_w": [1400.5]}, "note": PLANTED}

    async def forget(self) -> None:
        """Do nothing."""


def state() -> Mapping[str, JsonValue]:
    """Return what the page shows."""
    facts: dict[str, JsonValue] = {"serial": "SN-planted-1", "firmware": "41.7", "at": PLANTED}
    return {"site": "villa-anna", "values": {"pv_w": 4000.5}, "devices": [{"error": PLANTED, "facts": facts}]}


def events(at: datetime) -> list[Event]:
    """Return what a daemon sees within a moment."""
    facts: dict[str, float | str] = {"serial": "SN-planted-1", "requests_left": 12.0, PLANTED: PLANTED}
    return [
        PowerFlow(at, at, 4000.5, -1234.5, source="roof"),
        ChargerStatus(at, ChargerState.ERROR, 0.0, fault=f'"{PLANTED}", it says'),
        Decision(at, Setpoint(1, 6), Reason.FOLLOWING, Mode.SURPLUS, source=PLANTED),
        DeviceHealth("wattpilot", at, ok=False, since=at, error=PLANTED, facts=facts),
    ]


@pytest.fixture
def packer(tmp_path: Path) -> Iterator[SupportPacker]:
    """Return a packer of a house of which everything has been said everywhere."""
    built = config.build(tables(tmp_path), tmp_path / "pv.toml", {})
    store = Store.open(built.state_dir / FILE)
    store.begin_run(NOON, __version__, json.dumps({"note": PLANTED}))
    store.write(Batch(NOON - timedelta(days=2), events(NOON - timedelta(days=2))))
    store.write(Batch(NOON, events(NOON)))
    logger = structlog.get_logger("test")
    polled = f"polled {PLANTED}"
    logger.warning(polled, url=f"https://192.0.2.20/?api_key=planted-api&x={PLANTED}", a=PLANTED)
    logger.info(
        "heard", serial="SN-planted-1", mac="aa:bb:cc:dd:ee:ff", mail="anna@example.com", at="12:00:00"
    )
    logger.info("from", host="10.1.2.3", home=str(Path.home()), peer="fd00::12", machine=socket.gethostname())
    time = SimpleNamespace(now=NOON)
    yield SupportPacker(built, LoopClock(time), KeptLog(), state, Learned())
    store.close()


def members(content: bytes) -> dict[str, str]:
    """Return the texts of an archive by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


async def test_it_holds_what_helps(packer: SupportPacker) -> None:
    """Versions, settings, state, learned values, log, and the last day in tables."""
    packed = await packer.pack()
    assert packed.name == "pvcharge-support-20260615T1200.zip"
    found = members(packed.content)
    assert set(found) == {
        *(
            "README.txt",
            "versions.json",
            "config.json",
            "state.json",
            "learned.json",
            "starts.json",
            "log.txt",
        ),
        *("readings.csv", "statuses.csv", "decisions.csv", "devices.csv"),
    }
    versions = json.loads(found["versions.json"])
    assert versions["pvcharge"] == __version__
    assert {"python", "system", "sqlite", "aiohttp"} <= set(versions)
    settings = json.loads(found["config.json"])
    assert settings["control"]["objective"] == "balance"
    assert settings["charger"]["password"] == "***"
    assert (settings["site"]["latitude"], settings["site"]["longitude"]) == (48, 15)
    assert json.loads(found["state.json"])["values"] == {"pv_w": 4000.5}
    assert json.loads(found["learned.json"])["car"] == {"rungs_w": [1400.5]}
    (reading,) = csv.DictReader(io.StringIO(found["readings.csv"]))
    assert (reading["start_us"], reading["grid_w"]) == ("2026-06-15T12:00:00+00:00", "-1234.5")
    (device,) = csv.DictReader(io.StringIO(found["devices.csv"]))
    assert json.loads(device["facts"])["requests_left"] == 12.0
    assert "at=12:00:00" in found["log.txt"]


async def test_no_secret_and_nothing_of_ours_is_in_it(packer: SupportPacker) -> None:
    """In the bytes of no member, however it was said there."""
    found = members((await packer.pack()).content)
    ours = (*SECRETS, *OURS, "SN-planted", "planted%2Fbroker", "aa:bb:cc", "10.1.2.3", "fd00::12", "planted")
    for name, text in found.items():
        for word in (*ours, socket.gethostname(), str(Path.home())):
            assert word.lower() not in text.lower(), f"{word} in {name}"


async def test_what_belongs_together_can_still_be_seen(packer: SupportPacker) -> None:
    """The same host has the same name in settings and log."""
    found = members((await packer.pack()).content)
    host = json.loads(found["config.json"])["charger"]["host"]
    assert host.startswith("<host ")
    assert f"url=https://{host}/?api_key=***" in found["log.txt"]


async def test_what_cannot_be_had_is_told(tmp_path: Path) -> None:
    """A store that is broken, and a controller that does not answer."""
    built = config.build(tables(tmp_path), tmp_path / "pv.toml", {})
    built.state_dir.mkdir()
    (built.state_dir / FILE).write_bytes(b"no database" * 1000)
    packer = SupportPacker(built, LoopClock(SimpleNamespace(now=NOON)), KeptLog(), None, Learned(broken=True))
    found = members((await packer.pack()).content)
    assert set(found) == {"README.txt", "versions.json", "config.json", "log.txt", "problems.txt"}
    assert "learned: no answer from" in found["problems.txt"]
    assert "history: file is not a database" in found["problems.txt"]
    assert "planted" not in found["problems.txt"]


async def test_without_a_store_there_are_no_tables(tmp_path: Path) -> None:
    """An edge remembers nothing."""
    built = config.build(tables(tmp_path), tmp_path / "pv.toml", {})
    packed = await SupportPacker(built, LoopClock(SimpleNamespace(now=NOON)), KeptLog()).pack()
    assert set(members(packed.content)) == {"README.txt", "versions.json", "config.json", "log.txt"}


async def test_it_does_not_grow_beyond_its_size(
    packer: SupportPacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then some of the rows are left out."""
    whole = await packer.pack()
    monkeypatch.setattr(support, "LARGEST_TABLE", 20)
    assert "roof" not in members((await packer.pack()).content)["readings.csv"]
    monkeypatch.setattr(support, "LARGEST_TABLE", 4_000_000)
    monkeypatch.setattr(support, "LARGEST", len(whole.content) - 100)
    smaller = await packer.pack()
    assert len(smaller.content) <= len(whole.content) - 100


async def test_the_newest_rows_are_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So what is left out is the oldest."""
    built = config.build(tables(tmp_path), tmp_path / "pv.toml", {})
    store = Store.open(built.state_dir / FILE)
    for minute in range(3):
        at = NOON + timedelta(minutes=minute)
        store.write(Batch(at, [PowerFlow(at, at, 1000.0 + minute)]))
    store.close()
    packer = SupportPacker(built, LoopClock(SimpleNamespace(now=NOON)), KeptLog())
    names, *rows = members((await packer.pack()).content)["readings.csv"].splitlines(keepends=True)
    assert [row["pv_w"] for row in csv.DictReader([names, *rows])] == ["1002.0", "1001.0", "1000.0"]
    monkeypatch.setattr(support, "LARGEST_TABLE", len(rows[0]) + len(rows[1]))
    assert members((await packer.pack()).content)["readings.csv"] == "".join([names, *rows[:2]])


async def test_the_loop_goes_on_while_it_is_packed(
    packer: SupportPacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made in a thread, which here goes on only when the loop says so."""
    go_on = threading.Event()
    went_on: list[bool] = []

    class Waiting(Blur):
        def text(self, text: str) -> str:
            went_on.append(go_on.wait(10))
            return super().text(text)

    monkeypatch.setattr(support, "Blur", Waiting)
    packing = asyncio.create_task(packer.pack())
    await asyncio.sleep(0.01)
    go_on.set()
    await packing
    assert all(went_on)


def test_the_log_is_told_newest_first() -> None:
    """As the page has it."""
    structlog.get_logger("test").info("first")
    structlog.get_logger("test").warning("second", power_w=5)
    second, first = KeptLog().entries(2)
    assert (second.event, second.level, second.fields, first.event) == (
        "second",
        "warning",
        {"power_w": "5"},
        "first",
    )


async def test_halves_of_characters_hold_nothing_up(tmp_path: Path) -> None:
    """JSON of a device can bring them into names and errors; log and support file show them as they can."""
    structlog.get_logger("test").warning("refused by \ud800", error="said \udfff")
    assert "\\ud800" in Log(entries=KeptLog().entries(1)).model_dump_json()
    built = config.build(tables(tmp_path), tmp_path / "pv.toml", {})
    clock = LoopClock(SimpleNamespace(now=NOON))
    packed = await SupportPacker(built, clock, KeptLog(), lambda: {"error": "\ud800"}).pack()
    found = members(packed.content)
    assert json.loads(found["state.json"]) == {"error": "\ud800"}
    assert "refused by \\ud800 error=said \\udfff" in found["log.txt"]
