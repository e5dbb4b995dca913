"""The messages of the Wattpilot: JSON objects, one per WebSocket frame.

What comes in is a foreign device's word: any key may be missing, null or of another type than last
year. Parsing therefore never raises; what makes no sense is `None`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pvcharge import texts
from pvcharge.drivers.wattpilot.auth import sign

_LONGEST_TEXT = 120
_SECURED_SUFFIX = "sm"


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the box is; the first message of a connection."""

    serial: str
    device_type: str
    firmware: str | None
    secured: bool  # writes must be signed


@dataclass(frozen=True, slots=True)
class LoginDemand:
    """The box asks for a login; `algorithm` is None on older firmware."""

    token1: str
    token2: str
    algorithm: str | None


@dataclass(frozen=True, slots=True)
class LoginAccepted:
    """The password was right."""


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """The password was wrong, or so says the box."""

    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """Properties of the box: all of them (in one or more parts) or those that changed."""

    properties: Mapping[str, Any]
    completes: bool  # the last part of a full status


@dataclass(frozen=True, slots=True)
class Answer:
    """The box's word on a request; `request_id` is None where it leaves that out.

    The value that it repeats is what it was told, not what it has taken, so it is not kept.
    """

    request_id: int | None
    success: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """A known message that says nothing about charging, such as the list of inverters in the house."""


Message = Hello | LoginDemand | LoginAccepted | LoginRefused | Report | Answer | Aside


def parse(frame: str | bytes) -> Message | None:
    """Return what a frame says, or None if that is no JSON object of a known type."""
    try:
        content = json.loads(frame)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, numbers of thousands of digits, endless nesting
        return None
    kind = content.get("type") if isinstance(content, dict) else None
    interpret = _KINDS.get(kind) if isinstance(kind, str) else None
    return None if interpret is None else interpret(content)


def _hello(content: dict[str, Any]) -> Hello:
    return Hello(
        serial=_text(content, "serial") or "",
        device_type=_text(content, "devicetype") or "",
        firmware=_text(content, "version"),
        secured=content.get("secured") in (True, 1),
    )


def _login_demand(content: dict[str, Any]) -> LoginDemand:
    return LoginDemand(
        token1=_text(content, "token1") or "",
        token2=_text(content, "token2") or "",
        algorithm=_text(content, "hash"),
    )


def _login_accepted(_content: dict[str, Any]) -> LoginAccepted:
    return LoginAccepted()


def _login_refused(content: dict[str, Any]) -> LoginRefused:
    return LoginRefused(printable(content.get("message")))


def _full_status(content: dict[str, Any]) -> Report:
    return Report(_properties(content), completes=not content.get("partial"))


def _delta_status(content: dict[str, Any]) -> Report:
    return Report(_properties(content), completes=False)


def _answer(content: dict[str, Any]) -> Answer:
    return Answer(
        request_id=_request_id(content),
        success=content.get("success") is True,
        message=printable(content.get("message")),
    )


def _aside(_content: dict[str, Any]) -> Aside:
    return Aside()


_KINDS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "hello": _hello,
    "authRequired": _login_demand,
    "authSuccess": _login_accepted,
    "authError": _login_refused,
    "fullStatus": _full_status,
    "deltaStatus": _delta_status,
    "response": _answer,
    "clearInverters": _aside,
    "updateInverter": _aside,
    "clearSmips": _aside,
}


def _text(content: dict[str, Any], key: str) -> str | None:
    value = content.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # a serial number or version that some firmware sends as a number
    # JSON can hold halves of characters, which no hash and no text can.
    return texts.sendable(value) if isinstance(value, str) else None


def _properties(content: dict[str, Any]) -> dict[str, Any]:
    status = content.get("status")
    return status if isinstance(status, dict) else {}


def _request_id(content: dict[str, Any]) -> int | None:
    """Accept 7, "7" and "7sm": the box answers with the inner or the outer number, as text or not."""
    digits = (_text(content, "requestId") or "").removesuffix(_SECURED_SUFFIX)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _LONGEST_TEXT else None


def printable(value: Any) -> str:
    """Return a text of the box fit for a log or a terminal: bounded, without control characters."""
    text = value if isinstance(value, str) else ""
    return texts.printable(text[:_LONGEST_TEXT])


def login(token3: str, proof: str) -> str:
    """Return the message that answers a `LoginDemand`."""
    return json.dumps({"type": "auth", "token3": token3, "hash": proof})


def set_value(request_id: int, key: str, value: int) -> str:
    """Return the message that sets one property of the box."""
    return json.dumps({"type": "setValue", "requestId": request_id, "key": key, "value": value})


def request_full_status(request_id: int) -> str:
    """Return the message that asks for all properties."""
    return json.dumps({"type": "requestFullStatus", "requestId": request_id})


def secured(request_id: int, data: str, key: bytes) -> str:
    """Wrap a message with the proof that it comes from a client that knows the password."""
    return json.dumps(
        {
            "type": "securedMsg",
            "data": data,
            "requestId": f"{request_id}{_SECURED_SUFFIX}",
            "hmac": sign(key, data),
        }
    )
