"""Whether the tests notice when a safety rule is broken: small faults in the source, and what comes of them.

    python bench/mutate.py [--module control/limits] [--only comparison] [--sample 50 --seed 1] [--jobs 2]

Each fault is put into a copy of the tree, and the module's tests are run until the first of them fails.
Prints what was caught and each fault that was not; those of `equivalent_mutants.toml` are known to change
nothing that can be seen, with the reason. Ends with 1 if any other survives.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import hypothesis  # noqa: F401 - so that no child has to load it
import pydantic  # noqa: F401 - the same
import pytest
import structlog  # noqa: F401 - the same
from mutants import Mutant, mutants

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
        "control/test_boundaries.py",
        "control/test_unheard_charger.py",
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
    "control/align": ("control/test_align.py", "control/test_controller.py", "control/test_late_charger.py"),
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
    "tasks/stand_in": ("tasks/test_stand_in.py", "tasks/test_stand_in_orders.py", "split/test_alone.py"),
    "tasks/orders_store": ("tasks/test_orders_store.py", "security/test_broker_taken_over.py"),
    "mqtt/bridge": (
        "mqtt/test_bridge_safety.py",
        "mqtt/test_bridge_setpoints.py",
        "mqtt/test_bridge_uplink.py",
        "mqtt/test_bridge_boost.py",
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


_shop: list["Workshop"] = []  # of a worker, one


class Workshop:
    """A copy of the tree, in which one fault at a time is tried."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("src", "tests", "pyproject.toml", "docs", "config.example.toml", "systemd", "README.md"):
            source, target = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)

    def passes(self, module: str, source: str | None = None) -> bool:
        """Run a module's tests with another source of it, and return whether all pass."""
        file = self._folder / "src" / "pvcharge" / f"{module}.py"
        original = file.read_text(encoding="utf-8")
        if source is not None:
            file.write_text(source, encoding="utf-8")
        try:
            return self._run([f"tests/{name}" for name in TESTS[module]])
        finally:
            file.write_text(original, encoding="utf-8")

    def _run(self, tests: list[str]) -> bool:
        """Run tests in a child that has the libraries already, and nothing of ours."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = _in_child(self._folder, tests)
            finally:
                os._exit(code)
        due_s = time.monotonic() + LONGEST_S
        while time.monotonic() < due_s:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status) == 0
            time.sleep(0.01)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return False


def _in_child(folder: Path, tests: list[str]) -> int:
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    os.chdir(folder)
    sys.dont_write_bytecode = True  # two faults of one size in one second have the same bytecode file
    sys.path.insert(0, str(folder / "src"))
    os.environ |= {"CI": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder / "src")}
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*options, *tests]))


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
    with tempfile.TemporaryDirectory() as name, get_context("fork").Pool(jobs, _open_shop, (name,)) as pool:
        for module in pool.imap(_fails_by_itself, dict.fromkeys(module for module, _ in faults)):
            if module:
                sys.exit(f"the tests of {module} fail without any fault")
        yield from pool.imap(_fate, faults)


def _open_shop(folder: str) -> None:
    _shop.append(Workshop(Path(folder) / str(os.getpid())))


def _fails_by_itself(module: str) -> str:
    return "" if _shop[0].passes(module) else module


def _fate(fault: tuple[str, Mutant]) -> Fate:
    module, mutant = fault
    return Fate(module, mutant, caught=not _shop[0].passes(module, mutant.source))


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
