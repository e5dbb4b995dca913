"""The order of messages on one connection, played without a socket."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.base import AuthError, DriverError, PermanentError, TransientError
from pvcharge.drivers.wattpilot.auth import login_proof, sign
from pvcharge.drivers.wattpilot.messages import Answer, Aside, Report
from pvcharge.drivers.wattpilot.session import KeyWanted, Session

HELLO = {"type": "hello", "serial": "12345678", "devicetype": "wattpilot", "secured": True}
DEMAND = {"type": "authRequired", "token1": "one", "token2": "two"}
ACCEPTED = {"type": "authSuccess"}
FULL = {"type": "fullStatus", "partial": False, "status": {"amp": 6}}
KEY = b"the key of both"


def fed(*contents: dict[str, Any]) -> Session:
    """Return a session that has received these messages."""
    session = Session("box at host")
    for content in contents:
        session.receive(json.dumps(content))
    return session


def ready(**hello: Any) -> Session:
    """Return a session that is logged in and has a whole status."""
    session = fed({**HELLO, **hello}, DEMAND)
    session.login(KEY)
    for content in (ACCEPTED, FULL):
        session.receive(json.dumps(content))
    return session


@pytest.mark.parametrize(
    ("device_type", "announced", "algorithm"),
    [("wattpilot", None, "pbkdf2"), ("wattpilot_flex", None, "bcrypt"), ("wattpilot_V2", "bcrypt", "bcrypt")],
)
def test_login_proves_the_key(device_type: str, announced: str | None, algorithm: str) -> None:
    """The box's demand names the key to derive, and the answer proves it with a fresh nonce each time."""
    session = fed({**HELLO, "devicetype": device_type})
    wanted = session.receive(json.dumps({**DEMAND, "hash": announced}))
    assert wanted == KeyWanted("12345678", algorithm)
    first, second = json.loads(session.login(KEY)), json.loads(session.login(KEY))
    assert first["hash"] == login_proof(KEY, "one", "two", first["token3"])
    assert len(first["token3"]) == 32
    assert first["token3"] != second["token3"]


def test_status_in_parts_completes_with_the_last() -> None:
    """Parts and early changes are handed on; only the last part makes the status complete."""
    session = fed(HELLO, DEMAND, ACCEPTED)
    part = {"type": "fullStatus", "partial": True, "status": {"amp": 6}}
    early = {"type": "deltaStatus", "status": {"amp": 8}}
    for content, amp in ((part, 6), (early, 8), (part, 6)):
        assert session.receive(json.dumps(content)) == Report({"amp": amp}, completes=False)
        assert not session.complete
    session.receive(json.dumps(FULL))
    assert session.complete


def test_status_before_the_login_is_not_trusted_as_complete() -> None:
    """A box that has not accepted us yet is not ready."""
    assert not fed(HELLO, DEMAND, FULL).complete


def test_wrong_password() -> None:
    """The error names the box, its words and the setting to change."""
    session = fed(HELLO, DEMAND)
    with pytest.raises(AuthError, match=r"box at host: wrong password.*Nope\?.*set \[charger\] password"):
        session.receive(json.dumps({"type": "authError", "message": "Nope\n"}))


def test_unknown_login_is_permanent() -> None:
    """Another version is needed, so retrying does not help."""
    with pytest.raises(PermanentError, match="'argon2'"):
        fed(HELLO, {**DEMAND, "hash": "argon2"})


@pytest.mark.parametrize(
    "contents",
    [
        [DEMAND],
        [{**HELLO, "serial": None}, DEMAND],
        [HELLO, {**DEMAND, "token1": None}],
        [HELLO, {**DEMAND, "token2": 0.5}],
    ],
)
def test_login_without_its_ingredients(contents: list[dict[str, Any]]) -> None:
    """A demand that cannot be answered ends the attempt with a question to the user."""
    with pytest.raises(TransientError, match="is this a Wattpilot"):
        fed(*contents)


def test_nobody_logs_in_unasked() -> None:
    """A login without a demand is a mistake of the caller."""
    with pytest.raises(RuntimeError):
        fed(HELLO).login(KEY)


@pytest.mark.parametrize("secured", [True, 1])
def test_write_is_signed_where_the_box_wants_it(secured: object) -> None:
    """A secured box gets the write wrapped, whichever way it says so."""
    outer = json.loads(ready(secured=secured).write("amp", 16))
    assert outer["type"] == "securedMsg"
    assert outer["hmac"] == sign(KEY, outer["data"])
    assert json.loads(outer["data"])["value"] == 16


@pytest.mark.parametrize("secured", [False, None, 0])
def test_write_is_plain_otherwise(secured: object) -> None:
    """A box that does not ask for signatures gets the bare message."""
    assert json.loads(ready(secured=secured).write("amp", 16))["type"] == "setValue"


@pytest.mark.parametrize("request_id", [1, "1", "1sm"])
def test_answer_is_matched_by_number(request_id: int | str) -> None:
    """The box may give the number back in three ways."""
    session = ready()
    session.write("amp", 16)
    content = {"type": "response", "requestId": request_id, "success": True, "status": {"amp": 16}}
    assert session.receive(json.dumps(content)) == Answer(1, success=True)
    assert session.outstanding is None


def test_late_and_repeated_answers_are_put_aside() -> None:
    """An answer to anything but the open request may be out of date."""
    session = ready()
    answer = json.dumps({"type": "response", "requestId": "1", "success": True, "status": {"amp": 16}})
    assert session.receive(answer) == Aside()
    session.write("amp", 16)
    session.receive(answer)
    assert session.receive(answer) == Aside()
    session.write("amp", 6)
    assert session.receive(answer) == Aside()
    assert session.outstanding == 2


def test_complaint_without_number_concerns_the_open_request() -> None:
    """An error on the level of messages names no request; a success without a number is not believed."""
    session = ready()
    session.write("amp", 16)
    assert session.receive('{"type": "response", "success": true}') == Aside()
    complaint = session.receive('{"type": "response", "success": false, "message": "bad hmac"}')
    assert complaint == Answer(None, success=False, message="bad hmac")
    assert session.outstanding is None


def test_one_request_at_a_time() -> None:
    """A second write before the first is answered is a mistake of the caller."""
    session = ready()
    session.write("amp", 16)
    with pytest.raises(RuntimeError):
        session.write("amp", 6)


def test_whole_status_may_be_asked_for() -> None:
    """The request has a number of its own, is signed, and is over with the last part."""
    session = ready()
    outer = json.loads(session.request_full_status())
    assert json.loads(outer["data"]) == {"type": "requestFullStatus", "requestId": 1}
    assert json.loads(session.write("amp", 16))["requestId"] == "2sm"
    assert not session.complete
    session.receive(json.dumps(FULL))
    assert session.complete


def test_ignored_frames_are_counted() -> None:
    """Garbage changes nothing but a counter; known messages of no interest do not even that."""
    session = ready()
    assert session.receive("garbage") is None
    assert session.receive('{"type": "newThing"}') is None
    assert session.receive('{"type": "clearSmips"}') == Aside()
    assert session.ignored_frames == 2


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["hello", "authRequired", "authSuccess", "authError", "fullStatus", "response"]
                )
            },
            optional={
                key: st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers())
                for key in (
                    "serial",
                    "devicetype",
                    "secured",
                    "token1",
                    "token2",
                    "hash",
                    "status",
                    "requestId",
                )
            },
        ),
        max_size=8,
    )
)
def test_any_conversation_is_survived(contents: list[dict[str, Any]]) -> None:
    """Messages in any order with any content raise nothing but the contract's errors."""
    try:
        session = fed(*contents)
    except DriverError as error:
        assert str(error).startswith("box at host: ")  # noqa: PT017 -- raising is allowed, not demanded
    else:
        assert session.outstanding is None
