"""Whether the tests notice when a safety rule is broken: small faults in the source, and what comes of them.

    python bench/mutate.py [--module control/limits] [--only comparison] [--sample 50 --seed 1] [--jobs 2]

With each fault the module's tests are run until the first of them fails; no file is changed for it.
Prints what was caught and each fault that was not; those of `equivalent_mutants.toml` are known to change
nothing that can be seen, with the reason. Ends with 1 if any other survives.
"""

import argparse
import os
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from mutants import Mutant, mutants

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.broken import outcome

ROOT = Path(__file__).resolve().parent.parent
KNOWN = Path(__file__).with_name("equivalent_mutants.toml")
FATES = ("caught", "harmless", "survived")
LONGEST_S = 120.0  # a test that has not come to an end by then has noticed something
SAFETY = (
    "control/test_limits_command.py",
    "control/test_safety_rules.py",
    "control/test_recalled_safety.py",
)
# The tests of each module, those first that are quick or most likely to notice.
TESTS: dict[str, tuple[str, ...]] = {
    "control/limits": (
        "control/test_controller.py",
        "control/test_switching.py",
        *SAFETY,
        "control/test_configure.py",
        "control/test_restart.py",
    ),
    "control/freshness": (
        "control/test_freshness.py",
        "control/test_boundaries.py",
        "control/test_controller.py",
        "control/test_learned.py",
        *SAFETY,
        "control/test_sources.py",
    ),
    "control/controller": (
        "control/test_controller.py",
        "control/test_restart.py",
        "control/test_boundaries.py",
        "control/test_unheard_charger.py",
        "control/test_held_levels.py",
        "control/test_freshness.py",
        "control/test_switching.py",
        "control/test_limits_command.py",
        "control/test_configure.py",
        "control/test_forgetting.py",
        "control/test_late_charger.py",
        *SAFETY,
        "control/test_hidden.py",
        "control/test_sources.py",
        "tasks/test_stand_in.py",
    ),
    "control/hand": (
        "control/test_controller.py",
        "control/test_restart.py",
        "control/test_safety_rules.py",
        "tasks/test_stand_in.py",
    ),
    "control/currents": (
        "control/test_limits_command.py",
        "control/test_configure.py",
        "control/test_controller.py",
        "control/test_safety_rules.py",
    ),
    "control/align": (
        "control/test_align.py",
        "control/test_align_boundaries.py",
        "control/test_controller.py",
        "control/test_late_charger.py",
    ),
    "control/ladder": (
        "control/test_ladder.py",
        "control/test_controller.py",
        "control/test_spread.py",
        *SAFETY,
    ),
    "control/switching": (
        "control/test_switching.py",
        "control/test_controller.py",
        *SAFETY,
        "test_yardsticks.py",
    ),
    "tasks/charger_task": (
        "tasks/test_charger_task.py",
        "tasks/test_charger_silence.py",
        "tasks/test_task_safety.py",
        "tasks/test_stuck_driver.py",
        "tasks/test_charger_boundaries.py",
    ),
    "tasks/hand_store": ("tasks/test_hand_store.py",),
    "tasks/wear": (
        "tasks/test_wear.py",
        "tasks/test_wear_boundaries.py",
        "security/test_broker_taken_over.py",
    ),
    "tasks/leasing": (
        "tasks/test_control_loop.py",
        "tasks/test_charger_task.py",
        "tasks/test_task_safety.py",
    ),
    "tasks/stand_in": (
        "tasks/test_stand_in.py",
        "tasks/test_stand_in_orders.py",
        "tasks/test_stand_in_boundaries.py",
        "split/test_alone.py",
    ),
    "tasks/orders_store": ("tasks/test_orders_store.py", "security/test_broker_taken_over.py"),
    "mqtt/bridge": (
        "mqtt/test_bridge_safety.py",
        "mqtt/test_bridge_setpoints.py",
        "mqtt/test_bridge_uplink.py",
        "mqtt/test_bridge_boost.py",
        "mqtt/test_bridge_boundaries.py",
        "mqtt/test_edge_boost.py",
        "mqtt/test_bridge_far_ends.py",
        "split/test_outages.py",
        "split/test_boost.py",
        "security/test_broker_taken_over.py",
    ),
}


class Fate(NamedTuple):
    """What became of a fault."""

    module: str
    mutant: Mutant
    caught: bool


def chosen(args: argparse.Namespace) -> list[tuple[str, Mutant]]:
    """Return the faults that are asked for."""
    modules = [args.module] if args.module else list(TESTS)
    found = [
        (module, mutant)
        for module in modules
        for mutant in mutants((ROOT / "src" / "pvcharge" / f"{module}.py").read_text(encoding="utf-8"))
        if args.only in (None, mutant.kind)
    ]
    if args.sample and args.sample < len(found):
        drawn = random.Random(args.seed).sample(range(len(found)), args.sample)  # noqa: S311 - no secret
        found = [found[index] for index in sorted(drawn)]
    return found


def fates(faults: list[tuple[str, Mutant]], jobs: int) -> Iterator[Fate]:
    """Try all faults and yield what becomes of them, in their order."""
    with get_context("fork").Pool(jobs) as pool:
        for module in pool.imap(_fails_by_itself, dict.fromkeys(module for module, _ in faults)):
            if module:
                sys.exit(f"the tests of {module} fail without any fault")
        yield from pool.imap(_fate, faults)


def _fails_by_itself(module: str) -> str:
    return "" if _passes(module) else module


def _fate(fault: tuple[str, Mutant]) -> Fate:
    module, mutant = fault
    return Fate(module, mutant, caught=not _passes(module, mutant.source))


def _passes(module: str, broken: str | None = None) -> bool:
    """Run a module's tests, with another source of it if one is given."""
    name, tests = f"pvcharge.{module.replace('/', '.')}", [f"tests/{test}" for test in TESTS[module]]
    code, _ = outcome(name, lambda source: source if broken is None else broken, tests, LONGEST_S)
    return code == 0


def known() -> dict[tuple[str, str, str], str]:
    """Return why a fault changes nothing, by module, source before and source after."""
    entries = tomllib.loads(KNOWN.read_text(encoding="utf-8")).get("mutant", [])
    return {(it["module"], it["before"], it["after"]): it["reason"] for it in entries}


def main() -> None:
    """Try the faults, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", choices=TESTS)
    parser.add_argument("--only", help="one kind of faults, such as comparison")
    parser.add_argument("--sample", type=int, help="so many of them, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "src"))
    os.environ |= {"CI": "1", "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    harmless, began_s = known(), time.monotonic()
    counts: Counter[tuple[str, str]] = Counter()
    survivors = 0
    for module, mutant, caught in fates(chosen(args), args.jobs):
        explained = (module, mutant.before, mutant.after) in harmless
        fate = "caught" if caught else "harmless" if explained else "survived"
        counts[module, fate] += 1
        if fate == "survived":
            survivors += 1
            print(
                f"{module}.py:{mutant.line}: {mutant.kind}: {mutant.before}  ->  {mutant.after}", flush=True
            )
    print(f"\n{'module':22}{'caught':>9}{'harmless':>9}{'survived':>9}")
    for module in dict.fromkeys(module for module, _ in counts):
        print(f"{module:22}" + "".join(f"{counts[module, fate]:9}" for fate in FATES))
    total = {fate: sum(count for (_, it), count in counts.items() if it == fate) for fate in FATES}
    print(
        f"{'all':22}" + "".join(f"{total[fate]:9}" for fate in FATES), f"{time.monotonic() - began_s:7.0f} s"
    )
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()
