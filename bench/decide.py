"""Times the controller's calls at the rate of a local meter: a status, a reading and a decision every 5 s.

    python bench/decide.py [--steps N] [--json]

Prints microseconds per call as the median over slices of the run.
"""

import argparse
import json
import statistics
import time
from datetime import UTC, datetime, timedelta
from math import sin

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import ChargerState, ChargerStatus, PowerFlow

START = datetime(2026, 6, 15, 6, tzinfo=UTC)
STEP = timedelta(seconds=5)
SLICES = 20


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    controller = Controller(ControlSettings())
    spent: dict[str, list[float]] = {"observe_status": [], "observe_flow": [], "decide": []}
    now, power_w = START, 0.0
    per_slice = args.steps // SLICES
    for part in range(SLICES):
        total = dict.fromkeys(spent, 0.0)
        for number in range(per_slice):
            now += STEP
            surplus_w = 4000 + 5000 * sin((part * per_slice + number) / 50) + number % 13
            status = ChargerStatus(
                at=now, state=ChargerState.CHARGING if power_w else ChargerState.READY, power_w=power_w
            )
            flow = PowerFlow(start=now, end=now, grid_w=power_w - surplus_w)
            t0 = time.perf_counter()
            controller.observe(status)
            t1 = time.perf_counter()
            controller.observe(flow)
            t2 = time.perf_counter()
            power_w = controller.decide(now).setpoint.power_w(230.0)
            t3 = time.perf_counter()
            total["observe_status"] += t1 - t0
            total["observe_flow"] += t2 - t1
            total["decide"] += t3 - t2
        for key, seconds in total.items():
            spent[key].append(seconds / per_slice * 1e6)
    figures = {f"{key}_us": round(statistics.median(values), 2) for key, values in spent.items()}
    print(
        json.dumps(figures) if args.json else "\n".join(f"{key:20}{value}" for key, value in figures.items())
    )


if __name__ == "__main__":
    main()
