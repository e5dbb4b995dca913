"""Keeps the smallest set of inputs that reaches all that a pile of them reaches.

    python fuzz/keep.py TARGET FOLDER

Inputs of the folder that reach further are added to `fuzz/corpus/TARGET/`; what others there reach too goes.
"""

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
LARGEST_KEPT = 3000  # bytes of a file that is kept for what it reaches
MOST_KEPT = 14_000  # bytes of all of them, of one target

Arc = tuple[CodeType, int, int]


def main() -> None:
    """Do it for the target and the folder that the command line names."""
    name, folder = sys.argv[1:]
    sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]
    from targets import TARGETS  # noqa: PLC0415 - after the path to it is known
    from targets.base import be_quiet  # noqa: PLC0415

    be_quiet()
    target, kept = TARGETS[name], CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    inputs = {path.read_bytes() for path in [*_files(kept), *_files(Path(folder))]} | set(target.seeds)
    found = {path.read_bytes() for path in _files(kept / "found")}
    for path in _files(kept):
        path.unlink()
    reached: set[Arc] = set()
    for data in found:
        reached |= _reach(target.run, data)
    size = 0
    for data in sorted(inputs, key=lambda data: (data not in target.seeds, len(data), data)):
        if len(data) > LARGEST_KEPT or size + len(data) > MOST_KEPT:
            continue
        new = _reach(target.run, data) - reached
        if new:
            reached |= new
            size += len(data)
            (kept / sha256(data).hexdigest()[:16]).write_bytes(data)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*")) if path.is_file())


def _reach(run: Any, data: bytes) -> set[Arc]:
    """Return the steps from line to line that our code takes with an input."""
    arcs: set[Arc] = set()

    def trace(frame: FrameType, event: str, _arg: object) -> Any:
        code = frame.f_code
        if "/pvcharge/" not in code.co_filename:
            return None
        last = frame.f_lineno

        def lines(frame: FrameType, event: str, _arg: object) -> Any:
            nonlocal last
            if event == "line":
                arcs.add((code, last, frame.f_lineno))
                last = frame.f_lineno
            return lines

        del event
        return lines

    sys.settrace(trace)
    try:
        run(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no input to keep
        print(f"{sha256(data).hexdigest()[:16]}: {error!r:.200}")
        return set()
    finally:
        sys.settrace(None)
    return arcs


if __name__ == "__main__":
    main()
