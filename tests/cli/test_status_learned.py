"""`pvcharge status --learned` and `--forget`."""

import asyncio
import os
import pty
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cli.runner import Result, Run
from control import kept_documents
from pvcharge.cli.learned import learned_lines
from pvcharge.control import Controller, ControlSettings
from pvcharge.web.settings import WebSettings
from web.house import House, open_house
from web.scraping import free_port

VIENNA = ZoneInfo("Europe/Vienna")
QUESTION = "Forget what was learned? It will be learned anew"


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[House]:
    """Return a house with a page."""
    port = free_port()
    house = House(tmp_path, WebSettings.model_validate({"listen": f"127.0.0.1:{port}"}))
    async with open_house(house, port):
        yield house


async def shell(house: House, *words: str, answer: str | None = None) -> Result:
    """Run `status`; with an answer on a terminal, without one where nobody can be asked."""

    def run() -> Result:
        mine, theirs = pty.openpty()
        try:
            if answer is not None:
                os.write(mine, answer.encode())
            done = subprocess.run(  # noqa: S603 - the interpreter that runs this test, with the test's own words
                [sys.executable, "-m", "pvcharge", "status", "--url", house.settings.local_url, *words],
                stdin=subprocess.DEVNULL if answer is None else theirs,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            os.close(mine)
            os.close(theirs)
        return Result(done.returncode, done.stdout, done.stderr)

    return await asyncio.to_thread(run)


async def learned_of(house: House) -> object:
    """Return what the house still knows."""
    assert house.ports.learned is not None
    return (await house.ports.learned.learned()).get("voltage_v")


@pytest.mark.parametrize(
    ("answer", "forgets"), [("y\n", True), ("Yes\n", True), ("\n", False), ("no\n", False)]
)
async def test_on_a_terminal(daemon: House, answer: str, forgets: bool) -> None:  # noqa: FBT001
    """It is asked for a yes before."""
    result = await shell(daemon, "--forget", answer=answer)
    assert QUESTION in result.err
    assert result.code == (0 if forgets else 1)
    assert result.out == ("Forgotten. Learning begins anew.\n" if forgets else "")
    assert await learned_of(daemon) == (None if forgets else 231.5)


async def test_where_nobody_can_be_asked(daemon: House) -> None:
    """It wants --yes, and then does not ask."""
    result = await shell(daemon, "--forget")
    assert (result.code, result.out) == (2, "")
    assert "--yes" in result.err
    assert await learned_of(daemon) == 231.5
    result = await shell(daemon, "--forget", "--yes", "--json")
    assert (result.code, result.err) == (0, "")
    assert '"v": 1' in result.out
    assert await learned_of(daemon) is None


async def test_where_nothing_is_learned(tmp_path: Path) -> None:
    """Such as at an edge; nobody is asked in vain."""
    port = free_port()
    house = House(tmp_path, WebSettings.model_validate({"listen": f"127.0.0.1:{port}"}))
    house.ports = type(house.ports)(steering=house.steering, log=house.ports.log, support=house.ports.support)
    edge = House(tmp_path, house.settings, house.ports)
    async with open_house(edge, port):
        for words in (("--forget",), ("--learned",)):
            result = await shell(edge, *words, answer="y\n")
            assert (result.code, result.out) == (1, "")
            assert result.err == (
                "pvcharge: status: nothing is learned here; that is where the controller runs\n"
            )


def test_words_that_do_not_go_together(pvcharge: Run) -> None:
    """They are refused before anybody is asked."""
    assert pvcharge("status", "--yes", "--url", "pi").code == 2
    assert pvcharge("status", "--forget", "--learned", "--url", "pi").code == 2


def test_nothing_yet() -> None:
    """A controller that has heard nothing."""
    assert list(learned_lines(Controller(ControlSettings()).learned(), VIENNA)) == ["Learned: nothing yet."]


def test_in_words() -> None:
    """What a controller has truly learned from some days of a source, in one column."""
    told = list(learned_lines(kept_documents.learned(), VIENNA))
    assert told[0] == "Learned of cloud:"
    rows = dict(re.split(" {2,}", line.strip()) for line in told[1:])
    assert rows["Learned until"] == "2026-06-18 11:30"
    assert rows["A reading comes every"] == "15 min"
    assert rows["Most from the roof on a clear day"] == "7.3 kW"
    assert len({line.rindex("  ") for line in told[1:]}) == 1


def test_all_that_can_be_known() -> None:
    """Each is told with its unit."""
    source = {
        "name": "roof",
        "heard_at": "2026-06-15T10:00:00+00:00",
        "usual_pause_s": 5.0,
        "usual_age_s": 3.0,
        "ages": {"mean_s": 4.0, "spread_s": 2.0},
        "gain": {"gain": 0.975},
        "forecast": {
            "clear_day": {"seen_days": 4.21, "greatest_w": 7450.0},
            "usual_clearness": 0.62,
            "usual_rest_w": 412.0,
        },
    }
    assert [line.split("  ")[-1].strip() for line in learned_lines({"sources": [source]}, VIENNA)] == [
        "Learned of roof:",
        "2026-06-15 12:00",
        "5 s",
        "4 s +/- 2 s",
        "0.97",
        "4.2",
        "7.5 kW",
        "62%",
        "0.4 kW",
    ]
