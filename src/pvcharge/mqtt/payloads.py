"""What stands in the messages: JSON <-> model, strict and pure.

Whatever bytes come in, decoding returns a valid value or raises `PayloadError`, nothing else. All keys are
always written, unknown ones are refused, and times are converted to UTC. Only keys that a release before
does not write may be missing, so that a cloud can be updated before its edge.
"""

import re
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from pvcharge.model import ChargerState, ChargerStatus, Lease, Mode, ModeCommand, PowerFlow, Setpoint
from pvcharge.mqtt.peer import seq_at
from pvcharge.mqtt.wire import (
    FIRST,
    LAST,
    Payload,
    PayloadError,
    Strict,
    Time,
    check_length,
    decode,
    encode,
    shown,
)

MAX_LEASE_S = 3600.0
MAX_BOOST_MIN = 24 * 60
MAX_RANK = 1000

_MINUTES = re.compile(r"[0-9]{1,4}")

_Power = Annotated[float, Field(ge=-1e7, le=1e7)]
_Energy = Annotated[float, Field(ge=0, le=1e12)]
_Amps = Annotated[int, Field(ge=0, le=1000)]
_Phases = Annotated[int, Field(ge=0, le=3)]


class _Setpoint(Strict):
    phases: _Phases
    current_a: _Amps


class _Status(Payload):
    at: Time
    state: ChargerState
    power_w: _Power
    phases: _Phases
    current_a: Annotated[float, Field(ge=0, le=1000)]
    setpoint: Annotated[_Setpoint, AfterValidator(lambda it: Setpoint(it.phases, it.current_a))] | None
    min_current_a: _Amps | None
    max_current_a: _Amps | None
    session_wh: _Energy | None
    total_wh: _Energy | None
    changed_by_hand_at: Time | None
    fault: Annotated[str, Field(max_length=500)] | None


class _Flow(Payload):
    start: Time
    end: Time
    pv_w: _Power | None
    grid_w: _Power | None
    battery_w: _Power | None
    load_w: _Power | None
    battery_soc_pct: Annotated[float, Field(ge=0, le=100)] | None
    source: Annotated[str, Field(max_length=100)]
    rank: Annotated[int, Field(ge=0, le=MAX_RANK)] = 0
    limited: bool = False


class _Lease(Payload):
    seq: Annotated[int, Field(ge=seq_at(FIRST), le=seq_at(LAST))]
    at: Time
    lease_s: Annotated[float, Field(gt=0, le=MAX_LEASE_S)]
    phases: _Phases
    current_a: _Amps
    hand_known_at: Time | None


class _Boost(Payload):
    at: Time
    until: Time | None


class _Refusal(Payload):
    at: Time
    error: Annotated[str, Field(max_length=1000)]


def encode_status(status: ChargerStatus) -> str:
    """Return the payload of `edge/charger`."""
    return encode(asdict(status))


def decode_status(payload: bytes) -> ChargerStatus:
    """Read the payload of `edge/charger`.

    Raises:
        PayloadError: it is none.
    """
    return ChargerStatus(**decode(_Status, payload).values())


def encode_flow(flow: PowerFlow) -> str:
    """Return the payload of `edge/flow`."""
    return encode(asdict(flow))


def decode_flow(payload: bytes) -> PowerFlow:
    """Read the payload of `edge/flow`.

    Raises:
        PayloadError: it is none.
    """
    values = decode(_Flow, payload).values()
    try:
        return PowerFlow(**values)
    except ValueError:
        raise PayloadError("start: lies after the end") from None


def encode_lease(lease: Lease) -> str:
    """Return the payload of `cloud/setpoint`; for its `seq` see `pvcharge.mqtt.peer.seq_at`."""
    return encode(
        {
            "seq": lease.seq,
            "at": lease.at,
            "lease_s": lease.duration_s,
            **asdict(lease.setpoint),
            "hand_known_at": lease.hand_known_at,
        }
    )


def decode_lease(payload: bytes) -> Lease:
    """Read the payload of `cloud/setpoint`.

    Raises:
        PayloadError: it is none, or no such setpoint exists.
    """
    wire = decode(_Lease, payload)
    try:
        setpoint = Setpoint(wire.phases, wire.current_a)
    except ValueError as error:
        raise PayloadError(str(error)) from None
    return Lease(wire.seq, wire.at, wire.lease_s, setpoint, wire.hand_known_at)


def encode_boost(at: datetime, boost: ModeCommand) -> str:
    """Return the payload of `edge/boost`: a boost commanded at this time; `OFF` is one that ended then."""
    return encode({"at": at, "until": boost.until})


def decode_boost(payload: bytes) -> tuple[datetime, ModeCommand]:
    """Read the payload of `edge/boost`: when it was commanded, and the boost.

    Raises:
        PayloadError: it is none.
    """
    wire = decode(_Boost, payload)
    return wire.at, ModeCommand(Mode.BOOST, wire.until)


def encode_refusal(at: datetime, error: str) -> str:
    """Return the payload of a topic's `/error`: what was wrong with a payload there."""
    return encode({"at": at, "error": error})


def decode_refusal(payload: bytes) -> str:
    """Return what a topic's `/error` says.

    Raises:
        PayloadError: it is no such payload.
    """
    return decode(_Refusal, payload).error


def parse_boost(payload: bytes, now: datetime) -> ModeCommand:
    """Read the payload of `boost/set`: `ON`, `OFF`, or minutes from now; capitals or not.

    Returns:
        A boost. `OFF` is one that ends now, after which the mode before it is in force again.

    Raises:
        PayloadError: it is something else, or more than a day.
    """
    word = _word(payload)
    if word == "on":
        return ModeCommand(Mode.BOOST)
    if word == "off":
        return ModeCommand(Mode.BOOST, until=now)
    if not _MINUTES.fullmatch(word) or not 0 < int(word) <= MAX_BOOST_MIN:
        raise PayloadError(f"{shown(word)} is neither ON nor OFF nor minutes from 1 to {MAX_BOOST_MIN}")
    return ModeCommand(Mode.BOOST, until=now + timedelta(minutes=int(word)))


def parse_mode(payload: bytes) -> ModeCommand:
    """Read the payload of `mode/set`: the name of a mode, in capitals or not.

    Raises:
        PayloadError: there is no such mode.
    """
    word = _word(payload)
    try:
        return ModeCommand(Mode(word))
    except ValueError:
        raise PayloadError(f"{shown(word)} is none of {', '.join(Mode)}") from None


def _word(payload: bytes) -> str:
    check_length(payload)
    try:
        return payload.decode().strip().lower()
    except UnicodeDecodeError:
        raise PayloadError("no UTF-8 text") from None
