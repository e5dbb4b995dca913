"""`pvcharge boost` and `pvcharge mode`: from the shell through a real broker to the controller and back."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from cli.runner import Result, Run, WriteConfig, finish, start
from pvcharge.cli.boost import minutes
from pvcharge.clock import SystemClock
from pvcharge.control import Controller, ControlSettings
from pvcharge.model import ChargerState, ChargerStatus, LimitsCommand, Mode, Setpoint
from pvcharge.mqtt import order, topics
from pvcharge.mqtt.acl import acl
from pvcharge.mqtt.commands import CommandListener
from pvcharge.mqtt.link import Link
from pvcharge.mqtt.state import StatePublisher
from pvcharge.mqtt.topics import Namespace
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Inbox, Latest
from pvcharge.values import SnapshotKeeper, values_for
from support.broker import Broker, free_port, running_broker

SITE = Namespace("pvcharge", "home")
USERS = {"cloud-home": "secret-of-cloud", "edge-home": "secret-of-edge"}


class House:
    """A broker with the shipped rules, and a controller on it with a car at the charger."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.clock = SystemClock()
        self.feed = Feed()
        self.inbox: Inbox = asyncio.Queue()
        self.controller = Controller(ControlSettings())
        self.link = Link(
            broker.settings("cloud-home"),
            client_id="pvcharge-home-cloud",
            will=(SITE.path(topics.CLOUD_STATUS), "offline"),
            clock=self.clock,
        )
        CommandListener(self.link, SITE, self.clock, self.inbox.put, min_current_a=6, max_current_a=16)
        keeper = SnapshotKeeper(self.clock, LimitsCommand(6, 16), UTC)
        table = values_for(["roof"], "box")
        events = aiter(self.feed.subscribe())
        self.publisher = StatePublisher(self.link, SITE, self.clock, keeper, table, events)
        loop = ControlLoop(self.controller, self.clock, self.inbox, Latest(None), [], self.feed, lease_s=60.0)
        self.inbox.put_nowait(
            ChargerStatus(self.clock.now(), ChargerState.READY, 0.0, setpoint=Setpoint(0, 0))
        )
        self.tasks = (self.link.run, loop.run, self.publisher.run)

    def config(self, write_config: WriteConfig, user: str = "edge-home") -> Path:
        """Write a configuration for this broker."""
        return write_config(rest=mqtt_table(self.broker.port, user, USERS[user]))

    async def shell(self, config: Path, *words: str) -> Result:
        """Run a command in a process of its own, while the house goes on."""
        process = start(*words, "--config", config)
        return await asyncio.to_thread(finish, process)


def mqtt_table(port: int, user: str, password: str) -> str:
    """Return an `[mqtt]` table for a broker on this machine."""
    return (
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n'
        f'username = "{user}"\npassword = "{password}"\n'
    )


@asynccontextmanager
async def living_house(folder: Path) -> AsyncIterator[House]:
    """Run a house for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running_broker(folder, users=USERS, acl=acl(SITE)))
        house = House(broker)
        tasks = [asyncio.create_task(run()) for run in house.tasks]
        try:
            yield house
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


@pytest.mark.parametrize("user", USERS)
async def test_boost_on_and_off(tmp_path: Path, write_config: WriteConfig, user: str) -> None:
    """With the login of either daemon: it is in force when the command ends, and says until when."""
    async with living_house(tmp_path) as house:
        config = house.config(write_config, user)
        on = await house.shell(config, "boost", "on", "--for", "1h30m")
        assert (on.code, on.err) == (0, "")
        assert on.out.startswith("boost on: done. Boost: full power until ")
        decision = house.controller.decide(house.clock.now())
        assert decision.mode is Mode.BOOST
        assert decision.boost_until is not None
        left = decision.boost_until - house.clock.now()
        assert timedelta(minutes=85) < left <= timedelta(minutes=90)
        off = await house.shell(config, "boost", "off")
        assert (off.code, off.err) == (0, "")
        assert house.controller.decide(house.clock.now()).mode is Mode.SURPLUS


async def test_mode(tmp_path: Path, write_config: WriteConfig) -> None:
    """Set, and set again to the same: both are confirmed."""
    async with living_house(tmp_path) as house:
        config = house.config(write_config)
        for _ in range(2):
            result = await house.shell(config, "mode", "off")
            assert (result.code, result.out, result.err) == (0, "mode off: done. Switched off by you.\n", "")
        assert house.controller.decide(house.clock.now()).mode is Mode.OFF


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer than a test should."""
    monkeypatch.setattr(order, "ANSWER_S", 0.3)


@pytest.mark.usefixtures("_impatient")
def test_no_broker(pvcharge: Run, write_config: WriteConfig) -> None:
    """It says which broker, and why not; the password is nobody's business."""
    port = free_port()
    result = pvcharge("boost", "on", "--config", write_config(rest=mqtt_table(port, "you", "planted")))
    assert (result.code, result.out) == (1, "")
    assert "pvcharge: boost on: no connection to the broker" in result.err
    assert f"127.0.0.1:{port}" in result.err
    assert "refused" in result.err
    assert "planted" not in result.all


def test_a_configuration_without_any_way(pvcharge: Run, write_config: WriteConfig) -> None:
    """The line names the file and the tables."""
    path = write_config()
    result = pvcharge("mode", "off", "--config", path)
    assert (result.code, result.out) == (78, "")
    assert result.err.startswith(f"{path}: [web] and [mqtt] are missing")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["boost"], "switch"),
        (["boost", "maybe"], "invalid choice"),
        (["boost", "off", "--for", "2h"], "--for goes with boost on"),
        (["boost", "on", "--for", "soon"], "write it like 90, 90m, 2h or 1h30m"),
        (["mode"], "name"),
        (["mode", "fast"], "invalid choice"),
    ],
)
def test_wrong_words(pvcharge: Run, words: list[str], said: str) -> None:
    """They are refused before anything is sent, with what would be right."""
    result = pvcharge(*words)
    assert result.code == 2
    assert said in result.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90m", 90), ("2h", 120), ("1h30m", 90), ("1h30", 90), ("24h", 1440), ("1", 1)],
)
def test_durations(text: str, expected: int) -> None:
    """Hours and minutes, together or alone."""
    assert minutes(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0h", "m", "h", "-5", "1.5h", "25h", "1441", "2h90s", "1d", "٣"])
def test_no_durations(text: str) -> None:
    """Nothing, too much, and other people's notations."""
    with pytest.raises(argparse.ArgumentTypeError):
        minutes(text)
