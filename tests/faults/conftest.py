"""What the tests of faults share."""

from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from faults.home import Home
from pvcharge.drivers.wattpilot import driver

MakeHome = Callable[..., Home]
RECOVERY = "recovery"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long recoveries took, in seconds of the house, where they were measured."""
    taken = [
        (report.nodeid.rpartition("/")[2], *value)
        for report in terminalreporter.getreports("")  # of setups and teardowns that went well
        if report.when == "teardown"
        for name, value in report.user_properties
        if name == RECOVERY
    ]
    if taken:
        terminalreporter.section("recovered within")
    for test, device, recovery_s in taken:
        terminalreporter.write_line(f"{recovery_s:6} s  {device:18} {test}")


class Logs:
    """Everything that was logged."""

    def __init__(self, lines: list[MutableMapping[str, Any]]) -> None:
        self.lines = lines

    def loud(self, event: str, device: str) -> list[str]:
        """Return the errors of the lines of this kind about a device that everybody sees."""
        return [
            str(line.get("error", ""))
            for line in self.lines
            if line["event"] == event and line.get("device") == device and line["log_level"] != "debug"
        ]

    @property
    def crashes(self) -> list[MutableMapping[str, Any]]:
        """Return what only a bug may cause."""
        return [line for line in self.lines if line["log_level"] in ("error", "critical")]

    def hold(self, secret: str) -> bool:
        """Whether a secret stands anywhere."""
        return any(secret in repr(line) for line in self.lines)


@pytest.fixture
def quick_charger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give sockets on loopback less time than those in a house."""
    monkeypatch.setattr(driver, "HANDSHAKE_S", 1.5)
    monkeypatch.setattr(driver, "ANSWER_S", 0.5)
    monkeypatch.setattr(driver, "REPORT_S", 0.2)


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Return what is logged."""
    with capture_logs() as lines:
        yield Logs(lines)


@pytest.fixture
def make_home(
    tmp_path: Path, logs: Logs, record_property: Callable[[str, object], None]
) -> Iterator[MakeHome]:
    """Return a maker of houses; what was written to their boxes, and that nothing crashed, is checked."""
    homes = []

    def make(**options: Any) -> Home:
        homes.append(Home(tmp_path, **options))
        return homes[-1]

    yield make
    assert logs.crashes == []
    for home in homes:
        home.check_writes()
        for device, recovery_s in home.recoveries:
            record_property(RECOVERY, (device, round(recovery_s)))


@pytest.fixture
async def home(make_home: MakeHome) -> AsyncIterator[Home]:
    """Run a house whose car follows the surplus already."""
    async with make_home().running() as home:
        await home.settles()
        yield home
