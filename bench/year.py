"""Simulated years: the real tasks in virtual time, with faults, users and cars, and who watches the rules.

    python bench/year.py --seeds 1-20 [--days 365] [--jobs 2] [--source quarter|live|modbus]

Prints a line for each seed: violations, charges, requests, tasks and memory. A rule that was broken is told
with its virtual time and the last events before it; the same seed breaks it again. Ends with 1 if any was
broken. How far it has come is told on the standard error.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from pvcharge.sim.invented import ZONE
from year.campaign import Outcome, simulate

MOST_SHOWN = 3  # violations of a seed


def main() -> None:
    """Run all seeds, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=_seeds, default=[1], help="such as 1-20 or 3,7")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--start", type=date.fromisoformat, default=date(2026, 1, 1))
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--source", choices=("quarter", "live", "modbus"), default="quarter")
    parser.add_argument("--history", action="store_true", help="let the daemon keep one")
    parser.add_argument("--events", type=int, default=30, help="shown before a violation")
    args = parser.parse_args()
    broken = 0
    for outcome, cpu_s in _outcomes(args):
        print(f"{outcome.line()}, {cpu_s:.0f} s of the CPU", flush=True)
        broken += bool(outcome.violations)
        _show(outcome, args.events)
    sys.exit(1 if broken else 0)


def _outcomes(args: argparse.Namespace) -> Iterator[tuple[Outcome, float]]:
    start = datetime.combine(args.start, time_of_day(), ZONE).astimezone(UTC)
    with ProcessPoolExecutor(
        args.jobs, max_tasks_per_child=1
    ) as pool:  # so that each measures its own memory
        runs = [pool.submit(_run, seed, args.source, start, args.days, args.history) for seed in args.seeds]
        for run in as_completed(runs):
            yield run.result()


def _run(seed: int, source: str, start: datetime, days: int, history: bool) -> tuple[Outcome, float]:  # noqa: FBT001 - private
    began_s = time.process_time()

    def tell(text: str) -> None:
        print(f"seed {seed:3}: {text}", file=sys.stderr, flush=True)

    outcome = simulate(seed, source=source, start=start, days=days, history=history, tell=tell)  # type: ignore[arg-type]
    return outcome, time.process_time() - began_s


def _show(outcome: Outcome, events: int) -> None:
    for violation in outcome.violations[:MOST_SHOWN]:
        print(f"  {violation}")
        for line in violation.last[len(violation.last) - events :]:
            print(f"      {line}")
    more = len(outcome.violations) - MOST_SHOWN
    if more > 0:
        print(f"  and {more} more")


def _seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


if __name__ == "__main__":
    main()
