"""What the controller remembers: the size of its state over weeks of readings every five seconds.

python bench/memory.py [--days 60]
"""

import argparse
import pickle
import resource
from datetime import UTC, datetime

from pvcharge.control import Controller, ControlSettings
from pvcharge.sim.feed import Source
from pvcharge.sim.invented import invented
from pvcharge.simulation import STEP_S, Simulation

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
SHOWN_EACH_DAYS = 5


def main(days: int) -> None:
    """Run, and print a line now and then."""
    controller = Controller(ControlSettings())
    simulation = Simulation(invented(7), JUNE, days, Source.MODBUS, ControlSettings(), rule=controller)
    steps_a_day = int(86_400 / STEP_S)
    shown: set[int] = set()

    def show(step: int) -> None:
        day = step // steps_a_day
        if day % SHOWN_EACH_DAYS == 0 and day not in shown:
            shown.add(day)
            state_kb = len(pickle.dumps(controller)) / 1024
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"day {day:>3}: state {state_kb:7.1f} KiB, process at most {peak_mb:6.1f} MiB", flush=True)

    print(f"{days} days, a reading and a status every {STEP_S:g} s")
    simulation.run(show)
    print(f"decisions with a change: {len(simulation.decisions)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=60)
    main(parser.parse_args().days)
