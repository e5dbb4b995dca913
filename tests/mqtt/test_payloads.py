"""Payloads: what goes out comes in again, and nothing else does."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.far_ends import NOON, flows, leases, make_lease, make_status, spoiled, statuses
from pvcharge.model import ChargerStatus, Lease, PowerFlow, Setpoint
from pvcharge.mqtt.payloads import (
    decode_flow,
    decode_lease,
    decode_refusal,
    decode_status,
    encode_flow,
    encode_lease,
    encode_refusal,
    encode_status,
)
from pvcharge.mqtt.wire import MAX_BYTES, PayloadError

LEASE = encode_lease(make_lease())
STATUS = encode_status(make_status(changed_by_hand_at=NOON, session_wh=1.0))
FLOW = encode_flow(PowerFlow(NOON, NOON, pv_w=1.0, grid_w=-1.0, source="roof"))
REFUSAL = encode_refusal(NOON, "no")
NEW = {"rank", "limited"}  # keys that the release before does not write
GOOD: list[tuple[Callable[[bytes], object], str]] = [
    (decode_lease, LEASE),
    (decode_status, STATUS),
    (decode_flow, FLOW),
    (decode_refusal, REFUSAL),
]


@given(statuses)
def test_status_survives_the_way(status: ChargerStatus) -> None:
    """To the microsecond and the last digit."""
    assert decode_status(encode_status(status).encode()) == status


@given(flows)
def test_flow_survives_the_way(flow: PowerFlow) -> None:
    """Instants and means."""
    assert decode_flow(encode_flow(flow).encode()) == flow


@given(leases)
def test_lease_survives_the_way(lease: Lease) -> None:
    """Of any setpoint."""
    assert decode_lease(encode_lease(lease).encode()) == lease


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_refusal_survives_the_way(error: str) -> None:
    """In any language."""
    assert decode_refusal(encode_refusal(NOON, error).encode()) == error


def test_setpoint_payload_is_as_documented() -> None:
    """Scripts may rely on it."""
    assert json.loads(LEASE) == {
        "v": 1,
        "seq": 1_781_524_800_000,
        "at": "2026-06-15T12:00:00+00:00",
        "lease_s": 60.0,
        "phases": 3,
        "current_a": 10,
        "hand_known_at": None,
    }


@pytest.mark.parametrize(("payload", "kind"), [(STATUS, ChargerStatus), (FLOW, PowerFlow)])
def test_payload_has_all_fields(payload: str, kind: type[Any]) -> None:
    """A field that is added to the model is not forgotten here."""
    assert set(json.loads(payload)) == {"v"} | {field.name for field in fields(kind)}


@pytest.mark.parametrize(("decode", "payload"), GOOD)
def test_every_key_is_needed_and_no_other_allowed(decode: Callable[[bytes], object], payload: str) -> None:
    """A typing error in a script is told, not ignored."""
    values = json.loads(payload)
    for key in values.keys() - NEW:
        with pytest.raises(PayloadError, match=f"'{key}': Field required"):
            decode(json.dumps({name: value for name, value in values.items() if name != key}).encode())
    with pytest.raises(PayloadError, match="'current': Extra inputs are not permitted"):
        decode(json.dumps(values | {"current": 6}).encode())


@pytest.mark.parametrize(("decode", "payload"), GOOD)
@pytest.mark.parametrize("version", [0, 2, True, 1.0, "1", None, [1]])
def test_only_version_1_is_understood(
    decode: Callable[[bytes], object], payload: str, version: object
) -> None:
    """A wrong version is told before anything that follows from it."""
    values = json.loads(payload) | {"v": version, "at": "changed", "new": 1}
    with pytest.raises(PayloadError, match=r"^'v': "):
        decode(json.dumps(values).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seq", True),
        ("seq", 1.0),
        ("seq", "1"),
        ("seq", 1),
        ("seq", 2**53),
        ("seq", 10**400),
        ("lease_s", 0),
        ("lease_s", -1),
        ("lease_s", 1e9),
        ("lease_s", float("nan")),
        ("lease_s", float("inf")),
        ("lease_s", False),
        ("lease_s", None),
        ("phases", 2),
        ("phases", -3),
        ("phases", 3.0),
        ("phases", True),
        ("current_a", 0),
        ("current_a", -6),
        ("current_a", 10.5),
        ("current_a", "10"),
        ("current_a", 10**9),
        ("current_a", []),
        ("at", "2026-06-15T12:00:00"),
        ("at", "2026-06-15"),
        ("at", 1781524800),
        ("at", "yesterday"),
        ("at", "9999-12-31T23:59:59-14:00"),
        ("at", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_wrong_values_of_a_setpoint_are_refused(key: str, value: object) -> None:
    """Each by itself, where all else is right."""
    with pytest.raises(PayloadError):
        decode_lease(json.dumps(json.loads(LEASE) | {key: value}).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"setpoint": {"phases": 2, "current_a": 6}},
        {"setpoint": {"phases": 3, "current_a": 6, "more": 1}},
        {"setpoint": "3p 6 A"},
        {"state": "flying"},
        {"power_w": float("-inf")},
        {"power_w": 1e12},
        {"power_w": True},
        {"changed_by_hand_at": "2026-06-15T12:00:00"},
        {"fault": "x" * 501},
        {"fault": 14},
    ],
)
def test_wrong_values_of_a_status_are_refused(changes: dict[str, object]) -> None:
    """Each by itself, where all else is right."""
    with pytest.raises(PayloadError, match=next(iter(changes))):
        decode_status(json.dumps(json.loads(STATUS) | changes).encode())


def test_a_flow_of_the_release_before_is_understood() -> None:
    """An edge that is updated after its cloud goes on being heard; what it does not say is as it was then."""
    values = {key: value for key, value in json.loads(FLOW).items() if key not in NEW}
    flow = decode_flow(json.dumps(values).encode())
    assert flow == PowerFlow(NOON, NOON, pv_w=1.0, grid_w=-1.0, source="roof")
    assert (flow.rank, flow.limited) == (0, False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("rank", value) for value in (-1, 1001, 1.0, "0", True, None)),
        *(("limited", value) for value in (0, 1, "false", None)),
    ],
)
def test_wrong_values_of_a_flow_are_refused(key: str, value: object) -> None:
    """Each by itself, where all else is right."""
    with pytest.raises(PayloadError, match=f"'{key}'"):
        decode_flow(json.dumps(json.loads(FLOW) | {key: value}).encode())


def test_flow_that_ends_before_it_starts_is_refused() -> None:
    """It is no interval of time."""
    changes = {"end": (NOON - timedelta(seconds=1)).isoformat()}
    with pytest.raises(PayloadError, match="after the end"):
        decode_flow(json.dumps(json.loads(FLOW) | changes).encode())


def test_times_are_converted_to_utc() -> None:
    """Whatever offset the sender likes."""
    lease = decode_lease(json.dumps(json.loads(LEASE) | {"at": "2026-06-15T14:00:00+02:00"}).encode())
    assert lease.at == NOON
    assert lease.at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"\xef\xbb\xbf" + LEASE.encode(),
        LEASE.encode() + b" x",
        LEASE.encode("utf-16"),
        b"[" * 4000,
        b'{"v":' * 1000,
        LEASE.encode() + b" " * MAX_BYTES,
        b'{"v":1,"at":"\\ud800"}',
    ],
)
@pytest.mark.parametrize(("decode", "_good"), GOOD)
def test_what_is_no_json_object_is_refused(
    decode: Callable[[bytes], object], _good: str, payload: bytes
) -> None:
    """However it is spoiled."""
    with pytest.raises(PayloadError):
        decode(payload)


def test_error_text_is_short_and_on_one_line() -> None:
    """It goes to logs and back to the sender, who may have sent anything."""
    key = "\x1b[31m\n" + "x" * 5000
    with pytest.raises(PayloadError) as caught:
        decode_lease(json.dumps(json.loads(LEASE) | {key: 1}).encode())
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@given(st.data())
@pytest.mark.parametrize(("decode", "payload"), GOOD)
def test_nothing_but_a_payload_error_comes_of_garbage(
    decode: Callable[[bytes], object], payload: str, data: st.DataObject
) -> None:
    """Bytes, JSON, and payloads with one key changed."""
    received = data.draw(spoiled(payload))
    with suppress(PayloadError):
        decode(received)


def test_no_charge_is_a_setpoint() -> None:
    """Of no phases and no current."""
    values = json.loads(LEASE) | {"phases": 0, "current_a": 0}
    assert decode_lease(json.dumps(values).encode()).setpoint == Setpoint(0, 0)
