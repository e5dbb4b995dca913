"""A site to be asked: the real application with a made-up house behind its ports."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import aiohttp
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry
from pydantic import JsonValue

from pvcharge.model import LimitsCommand, Mode, Session
from pvcharge.values import SnapshotKeeper, values_for
from pvcharge.web.access import Access
from pvcharge.web.answers import (
    CurrentRange,
    Day,
    Energies,
    Energy,
    EnergyRow,
    LogEntry,
    ReasonSpan,
    SavedIn,
    Savings,
    Scalar,
    SessionRow,
    Sessions,
    Setting,
    Settings,
)
from pvcharge.web.live.hub import Hub
from pvcharge.web.live.state import About, StateKeeper
from pvcharge.web.ports import (
    By,
    ConflictError,
    NotInForceError,
    PastError,
    Ports,
    RefusedError,
    SupportFile,
)
from pvcharge.web.settings import WebSettings
from pvcharge.web.site import Site
from pvcharge.web.watched import Watched
from support.manual_clock import ManualClock
from web.scraping import NOON

NOTHING = Energies(
    pv_kwh=1.5,
    import_kwh=0.2,
    export_kwh=0.3,
    battery_in_kwh=None,
    battery_out_kwh=None,
    charger_kwh=0.0,
)
SESSION = Session(
    started_at=NOON - timedelta(hours=2),
    ended_at=NOON,
    energy_wh=4000.0,
    solar_wh=3000.0,
    cost=0.54,
    saved=0.66,
    charging_s=6000.0,
    starts=2,
    phase_switches=1,
    pauses_s={"too_little": 1200.0},
)


class MadeUpPast:
    """Some days of a house; `broken` is the archive's."""

    def __init__(self) -> None:
        self.broken = False
        self.asked: list[object] = []

    def _note(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.broken:
            raise PastError("history.db: disk I/O error; see to disk and permissions")

    async def day(self, day: date | None) -> Day:
        """Return a day of one step."""
        self._note(day)
        start = NOON.timestamp()
        reason = ReasonSpan(
            start=start, end=start + 300, reason="following", mode="surplus", setpoint="1p 8 A"
        )
        return Day(
            date=day or NOON.date(),
            start=start,
            end=start + 86_400,
            now=None if day else start,
            step_s=300,
            at=[start],
            pv_w=[4000.0],
            house_w=[600.0],
            charger_w=[1840.0],
            grid_w=[None],
            battery_w=[None],
            setpoint_w=[1840.0],
            filled=[False],
            reasons=[reason],
            sums=NOTHING,
        )

    async def energy(self, by: By, start: date, end: date) -> Energy:
        """Return one row."""
        self._note(by, start, end)
        return Energy(by=by, rows=[EnergyRow(**NOTHING.model_dump(), start=start, covered=0.9, filled=False)])

    async def sessions(self, start: date | None, end: date | None, limit: int | None) -> Sessions:
        """Return one session, or many for whoever asks for the first day of all."""
        self._note(start, end, limit)
        many = 300 if start == date(2000, 1, 1) else 1
        rows = [SessionRow.of(SESSION)] * many
        return Sessions(sessions=rows[:limit], total=many)

    async def savings(self) -> Savings:
        """Return the same for each span."""
        self._note()
        saved = SavedIn(sessions=1, energy_kwh=4.0, solar_kwh=3.0, cost=0.54, saved=0.66)
        return Savings(month=saved, year=saved, all=saved)


class MadeUpSteering:
    """Obeys at once, unless it is `deaf`; `done` is what was commanded."""

    can: Sequence[str] = ("mode", "boost", "limits")

    def __init__(self) -> None:
        self.done: list[tuple[object, ...]] = []
        self.deaf = False

    def _do(self, *command: object) -> None:
        if self.deaf:
            raise NotInForceError("the controller has not carried it out within 5 s; see its log")
        self.done.append(command)

    async def mode(self, mode: Mode) -> None:
        """Note it."""
        self._do("mode", mode)

    async def boost(self, *, on: bool, minutes: int | None) -> None:
        """Note it."""
        self._do("boost", on, minutes)

    async def limits(self, min_current_a: int | None, max_current_a: int | None) -> None:
        """Note it, if it is within the limits of this house."""
        if (max_current_a or 0) > 16:
            raise RefusedError({"max_current_a": "must be from 6 to 16, as [control] allows"})
        self._do("limits", min_current_a, max_current_a)


class MadeUpSettings:
    """One setting."""

    def __init__(self) -> None:
        self.revision = 3
        self.value: Scalar = 0.3
        self._before: list[Scalar] = []

    async def settings(self) -> Settings:
        """Return it."""
        setting = Setting(
            key="control.import_price",
            group="prices",
            kind="number",
            value=self.value,
            configured=0.3,
            default=0.3,
            unit="/kWh",
            min=-1.0,
            max=5.0,
            choices=None,
            after_restart=False,
        )
        undo = bool(self._before)
        return Settings(revision=self.revision, can_undo=undo, kept=True, settings=[setting])

    async def change(self, revision: int, changes: Mapping[str, Scalar]) -> Settings:
        """Change it."""
        if revision != self.revision:
            raise ConflictError("the settings have been changed meanwhile")
        wrong = {key: "there is no such setting" for key in changes if key != "control.import_price"}
        if wrong:
            raise RefusedError(wrong)
        self._before.append(self.value)
        self.revision, self.value = self.revision + 1, changes["control.import_price"]
        return await self.settings()

    async def undo(self) -> Settings:
        """Take it back."""
        if not self._before:
            raise ConflictError("there is no change to take back")
        self.revision, self.value = self.revision + 1, self._before.pop()
        return await self.settings()


class MadeUpRest:
    """What was learned, the log, and a support file."""

    def __init__(self) -> None:
        self._learned: dict[str, JsonValue] = {"v": 1, "voltage_v": 231.5}

    async def learned(self) -> Mapping[str, JsonValue]:
        """Return it."""
        return self._learned

    async def forget(self) -> None:
        """Forget it."""
        self._learned = {"v": 1}

    def entries(self, limit: int) -> Sequence[LogEntry]:
        """Return lines, the newest first."""
        lines = [LogEntry(at=NOON, level="info", event="decided", fields={"n": str(n)}) for n in range(3)]
        return lines[:limit]

    async def pack(self) -> SupportFile:
        """Return what is no .zip, which matters to nobody here."""
        return SupportFile("pvcharge-home-20260615.zip", b"PK\x03\x04")


class House:
    """The site and all behind it.

    Args:
        folder: where access keeps its files.
        settings: the `[web]` table.
        ports: what the page may ask for; all of it unless given.
    """

    def __init__(self, folder: Path, settings: WebSettings | None = None, ports: Ports | None = None) -> None:
        self.folder = folder
        self._time = SimpleNamespace(now=NOON)
        self.clock = ManualClock(self._time)
        self.settings = settings or WebSettings()
        self.past, self.steering, self.stored = MadeUpPast(), MadeUpSteering(), MadeUpSettings()
        rest = MadeUpRest()
        self.ports = ports or Ports(
            past=self.past,
            steering=self.steering,
            settings=self.stored,
            learned=rest,
            log=rest,
            support=rest,
        )
        self.session: Session | None = None
        self.keeper = StateKeeper(
            About(
                role="standalone",
                site="home",
                version="1.0",
                timezone="Europe/Vienna",
                currency=None,
                inverters=["roof"],
                charger="box",
                can=self.ports.can,
                limits=CurrentRange(min_current_a=6, max_current_a=16),
                values=values_for(["roof"], "box"),
            ),
            self.clock,
            SnapshotKeeper(self.clock, LimitsCommand(6, 16), UTC),
            session=lambda: self.session,
        )
        self._feed: asyncio.Queue[object] = asyncio.Queue()
        self.hub = Hub(self._events(), (self.keeper.take,), self.keeper.state)
        self.site = Site(
            self.settings.base_path,
            Access(self.settings, folder, self.clock),
            self.ports,
            self.keeper,
            self.hub,
            Watched(CollectorRegistry()),
        )

    async def _events(self) -> AsyncIterator[object]:
        while True:
            yield await self._feed.get()

    def publish(self, event: object) -> None:
        """Publish an event on the feed that a running hub follows."""
        self._feed.put_nowait(event)

    def pass_time(self, seconds: float) -> datetime:
        """Let the daemon's time pass, and return it."""
        self._time.now += timedelta(seconds=seconds)
        now: datetime = self._time.now
        return now


@asynccontextmanager
async def open_house(house: House, port: int | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve a house and run its hub for as long as the context lasts; yields a client at its API.

    Args:
        house: to be served.
        port: where; any one unless given.
    """
    async with TestServer(await house.site.app(), port=port) as server:
        live = asyncio.create_task(house.hub.run())
        base = server.make_url(f"{house.settings.base_path}/api/v1/")
        try:
            async with aiohttp.ClientSession(base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
                yield client
        finally:
            live.cancel()
            await asyncio.wait([live])
