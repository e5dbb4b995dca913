"""A store that a test fills, and the page's questions about it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

from pvcharge import config
from pvcharge.history.archive import FILE
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch, Energies, Store
from pvcharge.model import Decision, Mode, Reason, Session, Setpoint
from pvcharge.page.past import StoredPast
from support.manual_clock import ManualClock

VIENNA = ZoneInfo("Europe/Vienna")
NOON = datetime(2026, 6, 15, 12, tzinfo=VIENNA).astimezone(UTC)
STEP = timedelta(minutes=5)


def tables(state_dir: Path) -> dict[str, object]:
    """Return a configuration."""
    return {
        "state_dir": str(state_dir),
        "site": {"latitude": 48.37, "longitude": 14.51, "timezone": "Europe/Vienna"},
        "inverter": [{"driver": "solaredge_modbus", "host": "192.0.2.10"}],
        "charger": {"driver": "wattpilot", "host": "192.0.2.20", "password": "planted-box"},
    }


class LoopClock(ManualClock):
    """A clock that, like a demo's, can be read within the event loop only."""

    def now(self) -> datetime:
        """Return the time that the test has set."""
        asyncio.get_running_loop()
        return super().now()


@dataclass
class Remembered:
    """A store at noon in Vienna."""

    store: Store
    past: StoredPast
    time: SimpleNamespace
    folder: Path

    def write(
        self, *events: Event, at: datetime = NOON, five_minutes: dict[datetime, Energies] | None = None
    ) -> None:
        """Write as the recorder does."""
        self.store.write(Batch(at, events, five_minutes or {}, VIENNA))

    def fill(self, start: datetime, energies: Sequence[Energies]) -> None:
        """Write energies of five minutes one after the other."""
        self.write(five_minutes={start + number * STEP: each for number, each in enumerate(energies)})


def remembered(folder: Path) -> Remembered:
    """Return a new store."""
    folder.mkdir(exist_ok=True)
    time = SimpleNamespace(now=NOON)
    settings = config.build(tables(folder), folder / "pv.toml", {})
    return Remembered(Store.open(folder / FILE), StoredPast(settings, LoopClock(time)), time, folder)


def energies(
    *,
    pv: float = 0.0,
    bought: float = 0.0,
    sold: float = 0.0,
    battery: float = 0.0,
    car: float = 0.0,
    covered_s: float = 300.0,
) -> Energies:
    """Return energies of five minutes in Wh."""
    return pv, bought, sold, max(battery, 0.0), max(-battery, 0.0), car, covered_s


def decision(
    at: datetime,
    reason: Reason = Reason.FOLLOWING,
    setpoint: Setpoint | None = None,
    mode: Mode = Mode.SURPLUS,
) -> Decision:
    """Return a decision, at first for 6 A on one phase."""
    return Decision(at, setpoint or Setpoint(1, 6), reason, mode)


def session(started_at: datetime, energy_wh: float = 8000.0) -> Session:
    """Return a charge of an hour, three quarters of it solar."""
    ended_at = started_at + timedelta(hours=1)
    figures = energy_wh, energy_wh * 0.75, 1.25, 0.5, 3000.0, 2, 1
    return Session(started_at, ended_at, *figures, {"too_little": 600.0})
