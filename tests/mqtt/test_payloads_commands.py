"""The words of `boost/set` and `mode/set`."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, make_status
from pvcharge.control import Controller, ControlSettings
from pvcharge.model import Mode, ModeCommand
from pvcharge.mqtt.payloads import parse_boost, parse_mode
from pvcharge.mqtt.wire import PayloadError

PARSERS: list[Callable[[bytes], ModeCommand]] = [lambda payload: parse_boost(payload, NOON), parse_mode]


@pytest.mark.parametrize(
    ("payload", "until_s"), [(b"OFF", 0), (b"off", 0), (b"1", 60), (b" 90\n", 5400), (b"1440", 86400)]
)
def test_boost_with_an_end(payload: bytes, until_s: float) -> None:
    """Minutes from now; OFF is an end now."""
    assert parse_boost(payload, NOON) == ModeCommand(Mode.BOOST, NOON + timedelta(seconds=until_s))


@pytest.mark.parametrize("payload", [b"ON", b"on", b" On\n"])
def test_boost_without_an_end(payload: bytes) -> None:
    """Lasts until told otherwise."""
    assert parse_boost(payload, NOON) == ModeCommand(Mode.BOOST, None)


def test_off_brings_back_the_mode_before() -> None:
    """And changes nothing where there is no boost."""
    controller = Controller(ControlSettings(mode="min_surplus"))
    controller.observe(make_status())
    for word in (b"ON", b"OFF", b"OFF"):
        command = parse_boost(word, NOON)
        controller.set_mode(command.mode, command.until)
        expected = Mode.BOOST if word == b"ON" else Mode.MIN_SURPLUS
        assert controller.decide(NOON).mode is expected


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"0",
        b"1441",
        b"-5",
        b"1.5",
        b"99999",
        b"yes",
        b"ON OFF",
        b"\xff",
        "٣".encode(),
        b"ON" + b" " * 9000,
    ],
)
def test_other_words_are_no_boost(payload: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(PayloadError):
        parse_boost(payload, NOON)


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_has_its_word(mode: Mode) -> None:
    """In capitals or not."""
    assert parse_mode(mode.value.encode()) == parse_mode(mode.value.upper().encode()) == ModeCommand(mode)


def test_unknown_mode_is_told_with_those_there_are() -> None:
    """So that the sender can mend it."""
    with pytest.raises(PayloadError, match="'fast' is none of off, surplus, min_surplus, boost"):
        parse_mode(b"fast")


@pytest.mark.parametrize("parse", PARSERS)
@given(
    payload=st.one_of(
        st.binary(max_size=60), st.text(max_size=20).map(lambda text: text.encode(errors="replace"))
    )
)
def test_nothing_but_a_payload_error_comes_of_garbage(
    parse: Callable[[bytes], ModeCommand], payload: bytes
) -> None:
    """Of any bytes."""
    with suppress(PayloadError):
        assert parse(payload).mode in Mode
