"""How long a change of the surplus takes from the inverter's register to the write at the charger.

    python bench/surplus_latency.py [--steps 100]

A standalone daemon reads a simulated inverter by Modbus TCP and writes to a simulated Wattpilot, all on
loopback and in real time. The sun jumps at random moments. What is measured is mostly the wait for the next
read, so the time from that read on is shown too.
"""

import argparse
import asyncio
import random
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from pvcharge import config, log
from pvcharge.app import App
from pvcharge.clock import SystemClock
from pvcharge.sim.car import Car
from pvcharge.sim.house import HouseSample
from pvcharge.sim.solaredge_modbus import ModbusServer
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer

INTERVALS_S = (1.0, 5.0)
SUNS_W = (5000.0, 8000.0)  # both on three phases
HOUSE_W = 500.0
PATIENCE_S = 60.0
SETTLE_S = 12.0  # of the car, and of the readings of it
PASSWORD = "bench"  # noqa: S105 - of a box on loopback


class Meter:
    """A house whose sun the bench moves.

    Attributes:
        sun_w: what the roof gives.
        looked_s: when the inverter looked first after the sun had moved.
    """

    def __init__(self, box: WattpilotBox) -> None:
        self._box = box
        self.sun_w = SUNS_W[0]
        self.looked_s: float | None = None

    def sample(self, at: datetime) -> HouseSample:
        """Return the powers of now."""
        self.looked_s = self.looked_s or time.perf_counter()
        charger_w = self._box.power_w
        load_w = HOUSE_W + charger_w
        return HouseSample(at, self.sun_w, load_w, load_w - self.sun_w, None, None, charger_w)


def tables(folder: Path, server: ModbusServer, charger: WattpilotServer, interval_s: float) -> dict[str, Any]:
    """Return the configuration."""
    return {
        "state_dir": str(folder),
        "site": {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
        "inverter": [
            {
                "driver": "solaredge_modbus",
                "host": server.host,
                "port": server.port,
                "interval_s": interval_s,
            }
        ],
        "charger": {
            "driver": "wattpilot",
            "host": charger.host,
            "port": charger.port,
            "password": PASSWORD,
        },
        "history": {"enabled": False},
    }


async def measure(interval_s: float, steps: int) -> list[tuple[float, float]]:
    """Return the milliseconds to each write, from the step and from the read that saw it."""
    box, clock = WattpilotBox(), SystemClock()
    meter = Meter(box)
    server = ModbusServer(meter, clock=clock)
    charger = WattpilotServer(box, password=PASSWORD, clock=clock)
    await server.start()
    await charger.start()
    with tempfile.TemporaryDirectory() as name:
        daemon = asyncio.create_task(
            App(config.build(tables(Path(name), server, charger, interval_s), Path("no-file")), clock).run()
        )
        try:
            box.plug(Car(needs_wh=1e6))
            await asyncio.sleep(90)  # until the car charges
            return [await step(box, meter) for _ in range(steps)]
        finally:
            daemon.cancel()
            await asyncio.wait([daemon])
            await charger.aclose()
            await server.aclose()


async def step(box: WattpilotBox, meter: Meter) -> tuple[float, float]:
    """Let the sun jump, and wait for what the daemon does about it."""
    await asyncio.sleep(SETTLE_S + random.random() * 5)  # noqa: S311 - nobody's secret
    written: asyncio.Future[float] = asyncio.Future()
    set_value = box.set_value

    def note(key: str, value: Any) -> None:
        if not written.done():
            written.set_result(time.perf_counter())
        set_value(key, value)

    box.set_value = note  # type: ignore[method-assign]
    begun_s, meter.looked_s = time.perf_counter(), None
    meter.sun_w = SUNS_W[meter.sun_w == SUNS_W[0]]
    ended_s = await asyncio.wait_for(written, PATIENCE_S)
    box.set_value = set_value  # type: ignore[method-assign]
    looked_s = meter.looked_s or ended_s
    return (ended_s - begun_s) * 1000, (ended_s - looked_s) * 1000


def show(what: str, took_ms: list[float]) -> None:
    """Print a row."""
    ranked = sorted(took_ms)
    p99 = ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))]
    print(f"{what:<44}{ranked[len(ranked) // 2]:>9.1f}{p99:>9.1f}{ranked[-1]:>9.1f}", flush=True)


async def compare(steps: int) -> None:
    """Measure all intervals and print a table."""
    print(f"{'milliseconds':<44}{'median':>9}{'p99':>9}{'most':>9}")
    for interval_s in INTERVALS_S:
        took = await measure(interval_s, steps)
        show(f"read every {interval_s:g} s: register to write", [whole for whole, _ in took])
        show("  of it from the read on", [rest for _, rest in took])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=100)
    log.set_up(log.LogSettings(level="error"))
    asyncio.run(compare(parser.parse_args().steps))
