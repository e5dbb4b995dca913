"""What a replay costs: a reading or a status every second, a decision after each, for many days.

    python bench/replay_days.py [--days 30] [--store FILE]

Records simulated days with the real controller into a store, unless there is one, then runs `pvcharge replay`
over all of them, and prints time and memory.
"""

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pvcharge import __version__
from pvcharge.control import Controller, ControlSettings
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch, Store
from pvcharge.model import PowerFlow
from pvcharge.sim.chargepoint import ChargePoint

START = datetime(2026, 6, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE_S = 60


class House:
    """A sunny roof with passing clouds, a household, and a car by day."""

    def __init__(self) -> None:
        self.charger = ChargePoint()
        self.controller = Controller(ControlSettings())

    def minute(self, begin: datetime) -> list[Event]:
        """Return what a daemon sees and decides in a minute."""
        charger, events = self.charger, list[Event]()
        if begin.hour == 7 and begin.minute == 0:  # noqa: PLR2004 - in the morning
            charger.plug_in()
        elif begin.hour == 18 and begin.minute == 0:  # noqa: PLR2004 - in the evening
            charger.unplug()
        for second in range(MINUTE_S):
            now = begin + second * SECOND
            seen = self._flow(now) if second % 2 else charger.status(now)
            self.controller.observe(seen)
            decision = self.controller.decide(now)
            events += [seen, decision]
            charger.command(decision.setpoint.phases, decision.setpoint.current_a)
            charger.step(1.0)
        return events

    def _flow(self, now: datetime) -> PowerFlow:
        day = (now - START) / timedelta(days=1)
        sun_w = max(0.0, 8000 * math.sin(day * 2 * math.pi - math.pi / 2))
        pv_w = sun_w * (0.4 if math.sin(day * 611) > 0.8 else 1.0) + now.second % 17  # noqa: PLR2004 - a cloud
        load_w = 400 + 200 * math.sin(day * 97) + self.charger.power_w
        return PowerFlow(now, now, pv_w=pv_w, grid_w=load_w - pv_w, load_w=load_w, source="roof")


def record(path: Path, days: float) -> None:
    """Record so many days."""
    house, store, now = House(), Store.open(path), START
    store.begin_run(now, __version__, ControlSettings().model_dump_json())
    for _ in range(round(days * 24 * 60)):
        store.write(Batch(now, house.minute(now)))
        now += MINUTE_S * SECOND
    store.close()


def main() -> None:
    """Record, replay, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--store", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.store or Path(folder) / "history.db"
        if not path.exists():
            began_s = time.perf_counter()
            record(path, args.days)
            print(f"recorded {args.days:g} days in {time.perf_counter() - began_s:.0f} s")
        print(f"store: {path.stat().st_size / 1e6:.0f} MB")
        end = START + timedelta(days=args.days)
        command = ["-m", "pvcharge", "replay", "--store", str(path)]
        bounds = ["--from", START.isoformat(), "--to", end.isoformat()]
        began_s = time.perf_counter()
        done = subprocess.run([sys.executable, *command, *bounds], check=True, capture_output=True, text=True)  # noqa: S603 - our own
        lasted_s = time.perf_counter() - began_s
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.stdout.splitlines()[-1])
    memory_mb = used.ru_maxrss / 1024
    print(f"replay: {lasted_s:.0f} s, of the CPU {used.ru_utime:.0f} s, {memory_mb:.0f} MB of memory")


if __name__ == "__main__":
    main()
