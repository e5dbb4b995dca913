"""A process that fills a store and sends it on, until it is killed or its folder has a file named `stop`.

    python influx_process.py FOLDER URL SETTLE_S

With that file it sends what is left and ends by itself.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pvcharge.clock import SystemClock
from pvcharge.history.archive import Archive
from pvcharge.history.influx.condition import Timing
from pvcharge.history.influx.settings import InfluxSettings
from pvcharge.history.influx.writer import InfluxWriter
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

SITE, CHARGER = "home", "box"
FILE, STOP = "history.db", "stop"
AT_ONCE = 10  # events in one request
WRITES_PER_S = 100  # of as many events
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


def event(number: int) -> Event:
    """Return the event of this number, unlike any other; no server rounds its values."""
    at = NOON + timedelta(seconds=number / 4)
    if number % 3 == 0:
        return PowerFlow(at, at, pv_w=number + 0.5, grid_w=-0.25 * number, source="roof")
    if number % 3 == 1:
        return ChargerStatus(at, ChargerState.CHARGING, number / 8, 3, 9.8, Setpoint(3, 10))
    return Decision(at, Setpoint(3, 6 + number % 10), Reason.FOLLOWING, Mode.SURPLUS, surplus_w=number / 4)


def is_up_to_date(health: DeviceHealth) -> bool:
    """Whether the server has all that there was when the writer looked."""
    return health.ok and health.facts["lag_events"] == 0


async def fill(archive: Archive, folder: Path) -> None:
    """Write events that go on where an earlier process has stopped, as fast as it makes sense."""

    def write(store: Store) -> None:
        first = store.last_seq() + 1
        store.write(Batch(NOON, [event(number) for number in range(first, first + AT_ONCE)]))

    while not (folder / STOP).exists():
        await archive.call(write)
        await asyncio.sleep(1 / WRITES_PER_S)


async def main(folder: Path, url: str, settle_s: float) -> None:
    """Fill and send at the same time, then send what is left."""
    archive = Archive(folder / FILE)
    settings = InfluxSettings(url=url, settle_s=settle_s, batch_events=AT_ONCE, flush_s=0.01, timeout_s=2)
    told: asyncio.Queue[DeviceHealth] = asyncio.Queue()

    timing = Timing(first_retry_s=0.05, retry_cap_s=0.3, tell_s=0)
    writer = InfluxWriter(
        settings, archive, SystemClock(), told.put_nowait, site=SITE, charger=CHARGER, timing=timing
    )
    sending = asyncio.create_task(writer.run())
    await fill(archive, folder)
    while not told.empty():
        told.get_nowait()
    await told.get()  # of a look at the store that may have been before the last write
    while not is_up_to_date(await told.get()):
        pass
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await archive.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
