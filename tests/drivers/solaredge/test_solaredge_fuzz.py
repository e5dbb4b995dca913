"""No answer whatever, right or spoilt, makes the driver raise anything but its own errors."""

import json
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.drivers.base import DriverError
from pvcharge.drivers.solaredge.answers import Answer, understand
from pvcharge.drivers.solaredge.oauth import Tokens, extract_code
from pvcharge.drivers.solaredge.powerflow import parse_power_flow
from pvcharge.drivers.solaredge.telemetry import parse_quarters

AT = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["W", "kW", "KWH", "GRID", "Load", "2026-06-10T08:00:00Z", "9999-12-31T23:59:59Z", 10**400]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

POINT = {"timestamp": "2026-06-10T08:00:00+02:00", "value": 3.0}
SERIES = {"unit": "W", "values": [POINT]}
METERS = {"resolution": "QUARTER_HOUR", "meters": {"M1": {"importPower": SERIES, "exportPower": SERIES}}}
STORAGE = {"resolution": "QUARTER_HOUR", "storage": {"B1": {"chargePower": SERIES, "stateOfEnergy": SERIES}}}
PRODUCTION = {"resolution": "QUARTER_HOUR", **SERIES}
FLOW = {
    "siteCurrentPowerFlow": {
        "unit": "kW",
        "connections": [{"from": "GRID", "to": "Load"}],
        "GRID": {"currentPower": 1.0},
        "LOAD": {"currentPower": 1.0},
        "PV": {"currentPower": 0.0},
        "STORAGE": {"status": "Idle", "currentPower": 0.0, "chargeLevel": 50},
    }
}


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to all parts of a document below its root."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for key, part in items:
        found.append((*path, key))
        if isinstance(part, dict | list):
            found += places(part, (*path, key))
    return found


def spoilt(document: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return strategies for anything at all, and for the document with one part replaced."""

    def replace(path: tuple[Any, ...], part: Any) -> Any:
        copy = deepcopy(document)
        target: Any = copy
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = part
        return copy

    return JSON | st.builds(replace, st.sampled_from(places(document)), JSON)


@pytest.mark.fault("solaredge", "wrong type")
@given(spoilt(FLOW))
def test_power_flows(document: Any) -> None:
    """A power flow is read, or refused as a driver refuses."""
    with suppress(DriverError):
        parse_power_flow(document, at=AT, source="roof")


@pytest.mark.fault("solaredge", "wrong type")
@given(spoilt(METERS), st.none() | spoilt(STORAGE), st.none() | spoilt(PRODUCTION))
def test_quarters(meters: Any, storage: Any, production: Any) -> None:
    """Series are read, or refused as a driver refuses; what is read is in order."""
    with suppress(DriverError):
        flows = parse_quarters(meters, storage=storage, production=production, now=AT, source="roof")
        assert [flow.start for flow in flows] == sorted({flow.start for flow in flows})


@pytest.mark.fault("solaredge", "wrong type")
@given(spoilt({"access_token": "a", "refresh_token": "r", "expires_in": 7200}))
def test_tokens(document: Any) -> None:
    """The token endpoint's answer is read, or refused as a driver refuses."""
    with suppress(DriverError):
        Tokens.from_answer(document, AT)


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "retry-after": st.text(max_size=12)
        | st.sampled_from(["nan", "-1", "inf", "Wed, 10 Jun 2026 11:00:00 -0000"]),
        "x-ratelimit-remaining-minute": st.text(max_size=3)
        | st.sampled_from(["0", "9", "-1", "²", "9" * 5000]),
    },
)


@pytest.mark.fault("solaredge", "garbage")
@given(
    st.integers(100, 599),
    HEADERS,
    st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 100_000),
)
def test_answers(status: int, headers: dict[str, str], body: bytes) -> None:
    """Any status, header and body becomes JSON or a driver's error, and any wait is reasonable."""
    answer = Answer("here", AT, status, headers, body)
    assert answer.month_is_spent in (True, False)
    try:
        understand(answer)
    except DriverError as error:
        wait_s = getattr(error, "retry_after_s", None)
        assert wait_s is None or 1 <= wait_s <= 86_400


@given(st.text() | st.text().map(lambda text: f"https://example.org/back?{text}"))
def test_pasted_text(pasted: str) -> None:
    """Whatever is pasted gives a code or a driver's error."""
    with suppress(DriverError):
        assert extract_code(pasted, 4711)
