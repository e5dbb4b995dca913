"""Commands by MQTT: the good ones are passed on, all others change nothing and are answered."""

from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, SITE, ManualClock, RecordingBus
from pvcharge.model import LimitsCommand, Mode, ModeCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.commands import Command, CommandListener
from pvcharge.mqtt.payloads import decode_refusal
from pvcharge.mqtt.topics import Topic

HEARD = (topics.BOOST_SET, topics.MODE_SET, topics.MIN_CURRENT_SET, topics.MAX_CURRENT_SET)


class Rig:
    """A listener with the test in the place of the control loop."""

    def __init__(self) -> None:
        self.bus = RecordingBus()
        self.clock = ManualClock()
        self.commands: list[Command] = []
        CommandListener(self.bus, SITE, self.clock, self._take, min_current_a=6, max_current_a=16)

    async def _take(self, command: Command) -> None:
        self.commands.append(command)

    async def send(self, topic: Topic, payload: bytes, *, retained: bool = False) -> None:
        """Have something come in."""
        await self.bus.deliver(SITE.path(topic), payload, retained=retained)

    def answers(self, topic: Topic) -> list[str]:
        """Return what has been answered about a topic's payloads."""
        return [decode_refusal(message.payload.encode()) for message in self.bus.on(SITE.error(topic))]


@pytest.mark.parametrize(
    ("topic", "payload", "command"),
    [
        (topics.BOOST_SET, b"ON", ModeCommand(Mode.BOOST)),
        (topics.BOOST_SET, b"OFF", ModeCommand(Mode.BOOST, NOON)),
        (topics.BOOST_SET, b"90", ModeCommand(Mode.BOOST, NOON + timedelta(minutes=90))),
        (topics.MODE_SET, b"min_surplus", ModeCommand(Mode.MIN_SURPLUS)),
        (topics.MODE_SET, b"boost", ModeCommand(Mode.BOOST)),
        (topics.MIN_CURRENT_SET, b"6", LimitsCommand(min_current_a=6)),
        (topics.MAX_CURRENT_SET, b" 16\n", LimitsCommand(max_current_a=16)),
    ],
)
async def test_good_commands_are_passed_on(topic: Topic, payload: bytes, command: Command) -> None:
    """Each topic has its own words; nothing is answered."""
    rig = Rig()
    await rig.send(topic, payload)
    assert rig.commands == [command]
    assert rig.bus.published == []


@pytest.mark.parametrize(
    ("topic", "payload", "said"),
    [
        (topics.BOOST_SET, b"maybe", "neither ON nor OFF"),
        (topics.BOOST_SET, b"", "neither ON nor OFF"),
        (topics.MODE_SET, b"fast", "'fast' is none of off, surplus"),
        (topics.MAX_CURRENT_SET, b"17", "'17' is not a whole number of amps from 6 to 16"),
        (topics.MIN_CURRENT_SET, b"5", "'5' is not a whole number of amps from 6 to 16"),
        (topics.MIN_CURRENT_SET, b"7.5", "'7.5' is not"),
        (topics.MIN_CURRENT_SET, b"-7", "'-7' is not"),
        (topics.MAX_CURRENT_SET, b"\xff\x00", r"'\ufffd\x00' is not"),
        (topics.MAX_CURRENT_SET, b"9" * 5000, "'9999"),
    ],
)
async def test_bad_commands_are_answered(
    logs: list[MutableMapping[str, Any]], topic: Topic, payload: bytes, said: str
) -> None:
    """One line in the log, one answer beside the topic, not retained; and nothing has changed."""
    rig = Rig()
    await rig.send(topic, payload)
    assert rig.commands == []
    (answer,) = rig.answers(topic)
    assert said in answer
    assert len(answer) < 300
    assert not rig.bus.published[0].retain
    assert [(entry["log_level"], entry["topic"]) for entry in logs] == [("warning", SITE.path(topic))]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (topics.BOOST_SET, b"ON"),
        (topics.MODE_SET, b"off"),
        (topics.MIN_CURRENT_SET, b"8"),
        (topics.MAX_CURRENT_SET, b"10"),
    ],
)
async def test_retained_commands_are_refused(topic: Topic, payload: bytes) -> None:
    """They would come again at every connect, long after they were meant; the answer says how to mend it."""
    rig = Rig()
    await rig.send(topic, payload, retained=True)
    assert rig.commands == []
    (answer,) = rig.answers(topic)
    assert f"mosquitto_pub -t {SITE.path(topic)} -r -n" in answer


@given(st.lists(st.tuples(st.sampled_from(HEARD), st.binary(max_size=20), st.booleans()), max_size=8))
async def test_garbage_changes_nothing(messages: list[tuple[Topic, bytes, bool]]) -> None:
    """Any bytes on any of the topics are either a command within the limits or are answered."""
    rig = Rig()
    for topic, payload, retained in messages:
        taken = len(rig.commands)
        rig.bus.published.clear()
        rig.clock.advance(2.0)
        await rig.send(topic, payload, retained=retained)
        assert len(rig.commands) - taken + len(rig.answers(topic)) == 1
    for command in rig.commands:
        if isinstance(command, LimitsCommand):
            (amps,) = {command.min_current_a, command.max_current_a} - {None}
            assert amps is not None
            assert 6 <= amps <= 16
