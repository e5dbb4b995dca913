"""Looks for inputs that break a parser, beginning with those that are kept, and keeps what is new.

    python fuzz/run.py all --seconds 60
    python fuzz/run.py wattpilot --seconds 600

What breaks a target is written to `fuzz/found/`, and told at the end; mend it, and move the file to
`fuzz/corpus/TARGET/found/`, where the tests try it for ever.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from traceback import extract_tb, format_exception

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
FOUND = HERE / "found"
SLOWEST_S = 20  # that an input may take
MOST_MB = 2048


@dataclass(frozen=True, slots=True)
class Campaign:
    """What came of trying one target.

    Attributes:
        executions: inputs tried.
        per_second: of them.
        seconds: that it took.
        kept: files that are kept now.
        found: files with inputs that break it.
    """

    target: str
    executions: int
    per_second: int
    seconds: int
    kept: int
    found: list[Path]


def main() -> int:
    """Run the campaigns that the command line names; return 1 if anything was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", help='the name of a target, or "all"')
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--jobs", type=int, default=1, help="targets at the same time")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
    _need_atheris()
    if options.inside:
        _fuzz(options.target, options.inside, options.seconds)
    from targets import TARGETS  # noqa: PLC0415 - after the path to it is known

    if options.target != "all" and options.target not in TARGETS:
        parser.error(f"there is no target {options.target}; there is all, {', '.join(TARGETS)}")
    names = list(TARGETS) if options.target == "all" else [options.target]
    print(f"{'target':<20}{'executions':>12}{'per second':>12}{'seconds':>9}{'kept':>6}{'found':>7}")
    found: list[Path] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for done in pool.map(lambda name: _campaign(name, options.seconds), names):
            found += done.found
            figures = f"{done.executions:>12,}{done.per_second:>12,}{done.seconds:>9}{done.kept:>6}"
            print(f"{done.target:<20}{figures}{len(done.found):>7}", flush=True)
    for path in found:
        print(f"found: {path}")
    return 1 if found else 0


def _need_atheris() -> None:
    try:
        import atheris  # noqa: F401, PLC0415 - only who fuzzes needs it
    except ImportError:
        raise SystemExit(
            "atheris is missing, with which inputs are searched: pip install 'pvcharge[fuzz]'"
        ) from None


def _campaign(name: str, seconds: int) -> Campaign:
    """Try a target in a process of its own, and keep what reaches further than what is kept."""
    FOUND.mkdir(exist_ok=True)
    before = set(FOUND.iterdir())
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder)
        for path in [*_files(CORPUS / name), *_files(CORPUS / name / "found")]:
            shutil.copy(path, new)
        command = [sys.executable, str(HERE / "run.py"), name, "--inside", folder, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - ourselves
        told = {key: int(value) for key, value in re.findall(r"stat::(\w+):\s+(\d+)", done.stderr)}
        seconds_told = re.findall(r"Done \d+ runs in (\d+) second", done.stderr)
        found = sorted(set(FOUND.iterdir()) - before)
        if found or not told:
            (FOUND / f"{name}.log").write_text(done.stdout + done.stderr)
        merge = subprocess.run(  # noqa: S603 - ourselves, apart from what may have broken something
            [sys.executable, str(HERE / "keep.py"), name, folder], check=False, capture_output=True, text=True
        )
        if merge.returncode:
            print(merge.stdout + merge.stderr, file=sys.stderr)
    return Campaign(
        target=name,
        executions=told.get("number_of_executed_units", 0),
        per_second=told.get("average_exec_per_sec", 0),
        seconds=int(seconds_told[0]) if seconds_told else seconds,
        kept=len(list(_files(CORPUS / name))),
        found=[path for path in found if path.suffix != ".log"],
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*")) if path.is_file())


def _fuzz(name: str, folder: Path, seconds: int) -> None:
    """Try a target with libFuzzer; never returns."""
    import atheris  # noqa: PLC0415 - must come before what it shall see

    with atheris.instrument_imports(include=["pvcharge"]):
        from targets import TARGETS  # noqa: PLC0415
        from targets.base import LARGEST, be_quiet  # noqa: PLC0415
    be_quiet()
    target = TARGETS[name]
    for seed in target.seeds:
        (folder / sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.4:
            return bytes(atheris.Mutate(data, most))
        return target.mutate(data, random)[:most]

    def attempt(data: bytes) -> None:
        """Write down the first input of each failure, and go on."""
        try:
            target.run(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            where = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-2:]]
            failure = (type(error).__name__, *where)
            if failure not in failures:
                failures.add(failure)
                path = FOUND / f"{name}-{sha256(data).hexdigest()[:16]}"
                path.write_bytes(data)
                print(f"{path}\n{''.join(format_exception(error, chain=False))}", file=sys.stderr)

    failures: set[tuple[str, ...]] = set()
    limits = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", f"-timeout={SLOWEST_S}"]
    limits += [f"-rss_limit_mb={MOST_MB}", "-print_final_stats=1", f"-artifact_prefix={FOUND}/{name}-"]
    atheris.Setup([name, *limits, str(folder)], attempt, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
