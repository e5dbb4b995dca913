"""Runs tests with one place of the source broken, to see whether they notice.

No file of the source is written: the module is changed on its way from the disk, past any bytecode. Whoever
uses this must not have loaded anything of ours before.

As a program it reads JSON, a list of faults: each the module, the text in it, what stands there instead, and
the test. It answers with the exit codes of pytest and what it said.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

import hypothesis
import looptime  # noqa: F401 - so that it is loaded once for all
import pydantic  # noqa: F401 - the same
import pytest
import structlog  # noqa: F401 - the same

OPTIONS = ("-x", "-q", "-n0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


LOOK_S = 0.01  # between two looks whether a child has ended
Change = Callable[[str], str]  # of a source


def replacing(before: str, after: str) -> Change:
    """Return what puts another text in the place of one that must be there, once."""

    def replaced(source: str) -> str:
        if source.count(before) != 1:
            raise ImportError(f"not once in it: {before}")
        return source.replace(before, after)

    return replaced


class Breaker(MetaPathFinder):
    """Finds one module, and has it read with its source changed.

    Args:
        name: of the module, with dots.
        change: of its source.
    """

    def __init__(self, name: str, change: Change) -> None:
        self._name, self._change = name, change

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is, None for all others."""
        if fullname != self._name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            raise ImportError(f"{fullname}: not found, so it cannot be broken")
        spec.loader = _Loader(fullname, spec.origin, self._change)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, change: Change) -> None:
        super().__init__(fullname, path)
        self._change = change

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self._change(self.get_data(path).decode("utf-8"))
        return compile(source, path, "exec", dont_inherit=True)


class _NoShrinking:
    """A plugin: the first example that fails is enough, it need not be the smallest."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("broken", deadline=None, derandomize=True, phases=phases)
        hypothesis.settings.load_profile("broken")


def outcome(
    module: str, change: Change, tests: Sequence[str], longest_s: float = float("inf")
) -> tuple[int, str]:
    """Run tests with a fault in a child that has the libraries already, until the first of them fails.

    Args:
        module: of ours, with dots.
        change: of its source.
        tests: as pytest takes them.
        longest_s: after which the child is killed.

    Returns:
        The exit code, and what was said.
    """
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.setsid()
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                sys.meta_path.insert(0, Breaker(module, change))
                code = int(pytest.main([*OPTIONS, *tests], plugins=[_NoShrinking()]))
                sys.stdout.flush()
            finally:
                os._exit(code)
        code = _ended(child, longest_s)
        said.seek(0)
        return code, said.read().decode("utf-8", "replace")


def _ended(child: int, longest_s: float) -> int:
    due_s = time.monotonic() + longest_s
    while time.monotonic() < due_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(LOOK_S)
    os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    faults = json.load(sys.stdin)
    json.dump(
        [outcome(module, replacing(before, after), [test]) for module, before, after, test in faults],
        sys.stdout,
    )
