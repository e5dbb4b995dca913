"""Runs command lines within the test's process and beside it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pvcharge.cli.main import main


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Everything it printed."""
        return self.out + self.err


Run = Callable[..., Result]
WriteConfig = Callable[..., Path]


def run_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> Result:
    """Run a command line within this process."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:  # how argparse says goodbye
        code = int(end.code or 0)
    written = capsys.readouterr()
    return Result(code, written.out, written.err)


def start_python(*arguments: object) -> subprocess.Popen[str]:
    """Start a Python of its own, with pipes for what it prints."""
    return subprocess.Popen(  # noqa: S603 - the interpreter that runs this test, with the test's own words
        [sys.executable, *(str(argument) for argument in arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a command line in a process of its own."""
    return start_python("-m", "pvcharge", *arguments)


def finish(process: subprocess.Popen[str]) -> Result:
    """Wait for the end of a process."""
    with process:
        out, err = process.communicate(timeout=60)
        return Result(process.returncode, out, err)
