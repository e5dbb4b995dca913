"""What a day of the page costs: a reading and a decision every five seconds, and a restless charger.

    python bench/page_day.py

Prints milliseconds of `StoredPast.day`, from the question to the answer, and of it as JSON.
"""

import asyncio
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from pvcharge import config
from pvcharge.clock import SystemClock
from pvcharge.history.archive import FILE
from pvcharge.history.store import Batch, Store
from pvcharge.model import Decision, Mode, PowerFlow, Reason, Setpoint
from pvcharge.page.past import StoredPast

START = datetime(2026, 6, 15, tzinfo=UTC)
EVERY = timedelta(seconds=5)
SEEN = 17_280
SEEN_AT_ONCE = 12
TRIES = 20
REASONS = (Reason.FOLLOWING, Reason.NOT_WORTH_IT, Reason.TOO_LITTLE, Reason.MIN_OFF_TIME)
ENERGIES = (400.0, 20.0, 100.0, 0.0, 0.0, 115.0, 300.0)


def fill(path: Path) -> None:
    """Write a day, whose setpoint changes every half minute and whose reason every two minutes."""
    store = Store.open(path)
    for first in range(0, SEEN, SEEN_AT_ONCE):
        events: list[PowerFlow | Decision] = []
        for number in range(first, first + SEEN_AT_ONCE):
            at = START + number * EVERY
            events.append(PowerFlow(at, at, pv_w=4000.0 + number % 13, grid_w=-500.0, source="roof"))
            setpoint, reason = Setpoint(1, 6 + number // 6 % 10), REASONS[number // 24 % 4]
            events.append(Decision(at, setpoint, reason, Mode.SURPLUS, 3000.0, 1200.0, 1.0, source="roof"))
        store.write(Batch(START + first * EVERY, events))
    five_minutes = {START + number * timedelta(minutes=5): ENERGIES for number in range(288)}
    store.write(Batch(START, (), five_minutes))
    store.close()


async def measure(past: StoredPast) -> None:
    """Ask some times."""
    asked_ms, told_ms = [], []
    for _ in range(TRIES):
        began = time.perf_counter()
        day = await past.day(START.date())
        asked_ms.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        text = day.model_dump_json()
        told_ms.append((time.perf_counter() - began) * 1000)
    middle, most = median(asked_ms), max(asked_ms)
    print(f"day of {SEEN:,} readings and decisions: median {middle:.0f} ms, max {most:.0f} ms")
    print(f"as JSON: {median(told_ms):.1f} ms, {len(text):,} bytes, {len(day.reasons)} reasons")


def main() -> None:
    """Fill a store in a folder that goes away, and measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = {
            "state_dir": name,
            "site": {"latitude": 48.2, "longitude": 16.4, "timezone": "UTC"},
            "inverter": [{"driver": "solaredge_modbus", "host": "192.0.2.10"}],
            "charger": {"driver": "wattpilot", "host": "192.0.2.20", "password": "P"},
        }
        fill(folder / FILE)
        asyncio.run(measure(StoredPast(config.build(tables, folder / "pv.toml", {}), SystemClock())))


if __name__ == "__main__":
    main()
