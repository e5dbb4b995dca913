"""Runs tests with one place of the source broken, to see whether they notice.

The program reads JSON, a list of faults: each the module, the text in it, what stands there instead, and the
tests. It answers with the exit codes of pytest and what it said. No file of the source is written: the module
is changed on its way from the disk, past any bytecode.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

import hypothesis
import looptime  # noqa: F401 - so that it is loaded once for all
import pydantic  # noqa: F401 - the same
import pytest
import structlog  # noqa: F401 - the same

OPTIONS = ("-x", "-q", "-n0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


class Breaker(MetaPathFinder):
    """Finds one module, and has it read with a text in it replaced.

    Args:
        name: of the module, with dots.
        before: the text, once in the file.
        after: what stands there instead.
    """

    def __init__(self, name: str, before: str, after: str) -> None:
        self._name, self._before, self._after = name, before, after

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is, None for all others."""
        if fullname != self._name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            raise ImportError(f"{fullname}: not found, so it cannot be broken")
        spec.loader = _Loader(fullname, spec.origin, self._before, self._after)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, before: str, after: str) -> None:
        super().__init__(fullname, path)
        self._before, self._after = before, after

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path).decode("utf-8")
        if source.count(self._before) != 1:
            raise ImportError(f"{path}: not once in it: {self._before}")
        return compile(source.replace(self._before, self._after), path, "exec", dont_inherit=True)


class _NoShrinking:
    """A plugin: the first example that fails is enough, it need not be the smallest."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("broken", deadline=None, derandomize=True, phases=phases)
        hypothesis.settings.load_profile("broken")


def outcome(module: str, before: str, after: str, *tests: str) -> tuple[int, str]:
    """Run tests with a fault in a child that has the libraries already, and nothing of ours."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                sys.meta_path.insert(0, Breaker(module, before, after))
                code = int(pytest.main([*OPTIONS, *tests], plugins=[_NoShrinking()]))
                sys.stdout.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read().decode("utf-8", "replace")


if __name__ == "__main__":
    json.dump([outcome(*fault) for fault in json.load(sys.stdin)], sys.stdout)
