"""Messages of the box: what is understood, and that nothing else does harm."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.wattpilot.auth import sign
from pvcharge.drivers.wattpilot.messages import (
    Answer,
    Aside,
    Hello,
    LoginAccepted,
    LoginDemand,
    LoginRefused,
    Message,
    Report,
    login,
    parse,
    printable,
    request_full_status,
    secured,
    set_value,
)

UNDERSTOOD = [
    (
        {
            "type": "hello",
            "serial": "12345678",
            "devicetype": "wattpilot",
            "version": "36.3",
            "secured": True,
        },
        Hello("12345678", "wattpilot", "36.3", secured=True),
    ),
    ({"type": "hello", "serial": 12345678, "secured": 1}, Hello("12345678", "", None, secured=True)),
    ({"type": "hello", "serial": None, "secured": "yes"}, Hello("", "", None, secured=False)),
    ({"type": "authRequired", "token1": "a", "token2": "b"}, LoginDemand("a", "b", None)),
    ({"type": "authRequired", "token1": "a", "hash": "bcrypt"}, LoginDemand("a", "", "bcrypt")),
    ({"type": "authSuccess"}, LoginAccepted()),
    ({"type": "authError", "message": "Wrong password"}, LoginRefused("Wrong password")),
    ({"type": "authError", "message": ["?"]}, LoginRefused("")),
    ({"type": "fullStatus", "partial": True, "status": {"amp": 6}}, Report({"amp": 6}, completes=False)),
    ({"type": "fullStatus", "partial": False, "status": {"amp": 6}}, Report({"amp": 6}, completes=True)),
    ({"type": "fullStatus", "status": {"amp": 6}}, Report({"amp": 6}, completes=True)),
    ({"type": "deltaStatus", "status": {"amp": None}}, Report({"amp": None}, completes=False)),
    ({"type": "deltaStatus", "status": [1]}, Report({}, completes=False)),
    (
        {"type": "response", "requestId": "3", "success": True, "status": {"amp": 6}},
        Answer(3, success=True),
    ),
    ({"type": "response", "requestId": 3, "success": True}, Answer(3, success=True)),
    ({"type": "response", "requestId": "3sm", "success": True}, Answer(3, success=True)),
    ({"type": "response", "requestId": True, "success": 1}, Answer(None, success=False)),
    (
        {"type": "response", "success": False, "message": "no\x1b[31m"},
        Answer(None, success=False, message="no?[31m"),
    ),
    ({"type": "clearSmips"}, Aside()),
    ({"type": "updateInverter", "id": "1"}, Aside()),
]

GARBAGE: list[str | bytes] = [
    "",
    "nonsense",
    "null",
    "[]",
    '"hello"',
    "{}",
    '{"type": null}',
    '{"type": ["hello"]}',
    '{"type": "news"}',
    b"\x00\x81\xa4type\xa5hello",
    b"\xff\xfe",
    '{"type": "deltaStatus", "status": {"amp": ' + "9" * 5000 + "}}",
    "[" * 100_000,
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
KINDS = ["hello", "authRequired", "authSuccess", "authError", "fullStatus", "deltaStatus", "response"]
FIELDS = [
    "serial",
    "devicetype",
    "version",
    "secured",
    "token1",
    "token2",
    "hash",
    "message",
    "partial",
    "status",
]


@pytest.mark.parametrize(("content", "message"), UNDERSTOOD)
def test_message_is_understood(content: dict[str, Any], message: Message) -> None:
    """Known messages are read, with keys missing or of another type; bytes do as well as text."""
    assert parse(json.dumps(content)) == message
    assert parse(json.dumps(content).encode()) == message


@pytest.mark.parametrize("frame", GARBAGE)
def test_garbage_is_no_message(frame: str | bytes) -> None:
    """What is no JSON object of a known type is nothing."""
    assert parse(frame) is None


@pytest.mark.fault("wattpilot", "garbage")
@given(st.text() | st.binary())
def test_any_frame_is_survived(frame: str | bytes) -> None:
    """No frame makes the parser raise."""
    assert parse(frame) is None


@pytest.mark.fault("wattpilot", "wrong type")
@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from([*FIELDS, "requestId", "success"]), json_values),
)
def test_any_content_is_survived(kind: str, content: dict[str, Any]) -> None:
    """A message of a known type is read whatever stands in it."""
    assert parse(json.dumps({**content, "type": kind})) is not None


def test_texts_of_the_box_are_made_harmless() -> None:
    """Neither control characters nor floods of text get into a log."""
    assert printable("Wrong\npassword\x00") == "Wrong?password?"
    assert len(printable("x" * 10_000)) == 120
    assert printable({"no": "text"}) == ""


def test_write_is_wrapped_with_its_signature() -> None:
    """The signature is over the very text of the inner message, and both numbers go together."""
    data = set_value(7, "amp", 16)
    outer = json.loads(secured(7, data, b"key"))
    assert json.loads(data) == {"type": "setValue", "requestId": 7, "key": "amp", "value": 16}
    assert outer == {"type": "securedMsg", "data": data, "requestId": "7sm", "hmac": sign(b"key", data)}


def test_plain_messages() -> None:
    """The login carries our nonce and the proof, a request for all properties its number, nothing else."""
    assert json.loads(login("nonce", "proof")) == {"type": "auth", "token3": "nonce", "hash": "proof"}
    assert json.loads(request_full_status(8)) == {"type": "requestFullStatus", "requestId": 8}
