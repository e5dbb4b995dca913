"""What history costs: a reading, a status and a decision every second, for many days.

    python bench/history_load.py [--days 30] [--lag-s 60]

Prints bytes on disk and CPU time of the recorder for the days, and how much later a control loop that wakes
every 10 ms is with history beside it than without.
"""

import argparse
import asyncio
import contextlib
import math
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pvcharge import log
from pvcharge.clock import SystemClock
from pvcharge.history.archive import FILE, Archive
from pvcharge.history.recorder import About, Events, Recorder
from pvcharge.history.rows import Event
from pvcharge.history.sessions import Prices
from pvcharge.history.settings import HistorySettings
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    EnergyTotals,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.tasks.feed import Feed

START = datetime(2026, 6, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BATCH_S = 2  # as the recorder writes
TICK_S = 0.01
CAR_W = 3680.0
TOTALS_EVERY_S = 30


class BenchClock:
    """Shows the time of the last events."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        """Return that time."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Sleep in real seconds."""
        await asyncio.sleep(seconds)


def events(second: int, at: datetime) -> list[Event]:
    """Return what a daemon with a live meter sees in a second; the car charges by day."""
    pv_w = max(0.0, 8000 * math.sin(second / 86_400 * 2 * math.pi - math.pi / 2)) + second % 17
    power_w = CAR_W if pv_w > CAR_W else 0.0
    setpoint = Setpoint(1, 16) if power_w else Setpoint(0, 0)
    state = ChargerState.CHARGING if power_w else ChargerState.READY
    return [
        PowerFlow(at, at, pv_w=pv_w, grid_w=500 + power_w - pv_w, load_w=500 + power_w, source="roof"),
        ChargerStatus(
            at,
            state,
            power_w,
            phases=setpoint.phases,
            current_a=power_w / 230,
            setpoint=setpoint,
            max_current_a=16,
            session_wh=second * 0.4,
            total_wh=1e6 + second * 0.4,
        ),
        Decision(at, setpoint, Reason.FOLLOWING, Mode.SURPLUS, pv_w - 500, 1200.0, 1.0),
    ]


class Silent:
    """Events that never come: the benchmark hands them over itself."""

    dropped = 0

    async def __aiter__(self) -> AsyncIterator[object]:
        await asyncio.Event().wait()
        yield None


def make_recorder(archive: Archive, clock: BenchClock | SystemClock, source: Events, feed: Feed) -> Recorder:
    """Return a recorder as the daemon has it."""
    return Recorder(
        archive,
        clock,
        source,
        feed.publish,
        about=About("bench", "{}"),
        settings=HistorySettings(),
        prices=Prices(0.3, 0.08),
        zone=UTC,
    )


async def days(folder: Path, number: int) -> None:
    """Have so many days recorded, as fast as it goes."""
    archive, clock = Archive(folder / FILE), BenchClock()
    bench = make_recorder(archive, clock, Silent(), Feed())
    began_s = time.process_time()
    made_s = 0.0
    for second in range(number * 86_400):
        clock.at = START + second * SECOND
        before_s = time.process_time()
        seen = events(second, clock.at)
        if second % TOTALS_EVERY_S == 0:
            seen.append(EnergyTotals(clock.at, pv_wh=float(second)))
        made_s += time.process_time() - before_s
        for event in seen:
            bench._take(event)  # noqa: SLF001 - what its task does with each event of the feed
        if second % BATCH_S == 0:
            await bench._write_batch()  # noqa: SLF001 - what its other task does every two seconds
    spent_s = time.process_time() - began_s - made_s
    await archive.aclose()
    size_mib = size_of(folder) / 2**20
    share_pct = 100 * spent_s / (number * 86_400)
    print(f"{number} days at 1 Hz: {size_mib:.0f} MiB, {size_mib / number:.1f} a day; CPU {share_pct:.3f} %")


def size_of(folder: Path) -> int:
    """Return the bytes in the files of a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


async def lag(folder: Path, duration_s: float, *, recorded: bool) -> None:
    """Measure how late a loop wakes that publishes a hundred times what a daemon does."""
    feed = Feed()
    archive = Archive(folder / FILE)
    task = None
    if recorded:
        source = feed.subscribe(10_000)
        task = asyncio.create_task(make_recorder(archive, SystemClock(), source, feed).run())
    late_ms = []
    end_s = time.monotonic() + duration_s
    second = 0
    while time.monotonic() < end_s:
        before_s = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late_ms.append((time.perf_counter() - before_s - TICK_S) * 1000)
        second += 1
        for event in events(second, START + second * SECOND):
            feed.publish(event)  # type: ignore[arg-type]
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    ranked = sorted(late_ms)
    p99 = ranked[int(0.99 * len(ranked))]
    what = "with history" if recorded else "without"
    print(
        f"loop wakes late, {what:<13}: median {ranked[len(ranked) // 2]:.2f} ms, p99 {p99:.2f} ms, "
        f"most {ranked[-1]:.2f} ms"
    )


async def main(number: int, lag_s: float) -> None:
    """Run both parts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("days", "lag"):
            (folder / part).mkdir()
        await lag(folder / "lag", lag_s, recorded=False)
        await lag(folder / "lag", lag_s, recorded=True)
        await days(folder / "days", number)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--lag-s", type=float, default=60.0)
    args = parser.parse_args()
    log.set_up(log.LogSettings(level="error"))
    asyncio.run(main(args.days, args.lag_s))
