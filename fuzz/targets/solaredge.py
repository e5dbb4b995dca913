"""Answers of the SolarEdge cloud: status and headers in the first line, the documents in the next ones.

The first line is `KIND|STATUS|retry-after|requests left in this minute`, of which KIND is `flow`, `quarters`
(three documents: meters, storage, production), `token`, `login` (the file of the tokens) or `pasted`.
"""

import json
from contextlib import suppress
from datetime import UTC, timedelta
from typing import Any

from pvcharge.drivers.base import DriverError, TransientError
from pvcharge.drivers.solaredge.answers import Answer, problem, understand
from pvcharge.drivers.solaredge.oauth import Tokens, extract_code
from pvcharge.drivers.solaredge.powerflow import parse_power_flow
from pvcharge.drivers.solaredge.telemetry import QUARTER, parse_quarters
from pvcharge.history.rows import TABLES
from pvcharge.model import PowerFlow
from pvcharge.mqtt.payloads import decode_flow, encode_flow
from targets.base import NOON, Target, check_message, check_text, is_number

_WHERE = "SolarEdge /v2/sites/4711/power-flow at https://monitoringapi.solaredge.com"
_SECRET = "plantedsecret0123456789"  # noqa: S105 - of no account
_LARGEST_W = 1e16


def run(data: bytes) -> None:
    """Understand an answer, and check what comes of it."""
    head, *bodies = data.split(b"\n")
    kind, status, retry, left = (*head.split(b"|"), b"", b"", b"")[:4]
    texts = {"retry-after": retry, "x-ratelimit-remaining-minute": left}
    headers = {name: text.decode("latin-1") for name, text in texts.items() if text}
    code = int(status) if status.isdigit() and len(status) == 3 else 200
    answers = [Answer(_WHERE, NOON, code, headers, body, (_SECRET,)) for body in bodies or [b""]]
    assert answers[0].month_is_spent in (True, False)
    check_text(problem(answers[0]))
    try:
        _parse(kind.decode("latin-1"), answers, bodies or [b""])
    except DriverError as error:
        check_message(error, *(("SolarEdge",) if kind != b"pasted" else ()), secrets=(_SECRET,))
        wait_s = getattr(error, "retry_after_s", None)
        assert is_number(wait_s, 1, 86_400), f"wait of {wait_s} s"


def _parse(kind: str, answers: list[Answer], bodies: list[bytes]) -> None:
    if kind == "pasted":
        with suppress(UnicodeDecodeError):
            extract_code(bodies[0].decode(), 4711)
    elif kind == "login":
        document = _json(answers[0])
        if isinstance(document, dict):
            _check_tokens(Tokens.from_file(document))
    elif kind == "token":
        _check_tokens(Tokens.from_answer(understand(answers[0]), NOON))
    elif kind == "quarters":
        documents = [understand(answer) if answer.body else None for answer in answers[:3]]
        meters, storage, production = (*documents, None, None)[:3]
        flows = parse_quarters(meters, storage=storage, production=production, now=NOON, source="roof")
        assert [flow.start for flow in flows] == sorted({flow.start for flow in flows}), "out of order"
        for flow in flows:
            assert flow.end - flow.start == QUARTER
            assert flow.end <= NOON, "a quarter that has not ended"
            _check_flow(flow)
    else:
        _check_flow(parse_power_flow(understand(answers[0]), at=NOON, source="roof"))


def _json(answer: Answer) -> Any:
    try:
        return answer.json()
    except TransientError:
        return None


def _check_flow(flow: PowerFlow) -> None:
    for power_w in (flow.pv_w, flow.load_w):
        assert is_number(power_w, 0, _LARGEST_W), f"power {power_w}"
    for power_w in (flow.grid_w, flow.battery_w):
        assert is_number(power_w, -_LARGEST_W, _LARGEST_W), f"power {power_w}"
    assert is_number(flow.battery_soc_pct, 0, 100), f"charge {flow.battery_soc_pct}"
    assert flow.start.utcoffset() == timedelta()
    table = TABLES[PowerFlow]
    assert table.from_row(*table.to_row(flow)) == flow, "the history reads another flow"
    if all(
        is_number(power_w, -1e7, 1e7) for power_w in (flow.pv_w, flow.grid_w, flow.battery_w, flow.load_w)
    ):
        assert decode_flow(encode_flow(flow).encode()) == flow, "the cloud reads another flow"


def _check_tokens(tokens: Tokens) -> None:
    for token in (tokens.access, tokens.refresh):
        assert token.isascii(), "a token that fits into no header"
        assert token.isprintable(), "a token that breaks its header"
        assert token not in repr(tokens) or len(token) < 40, "a token in a text"
    assert tokens.expires_at.tzinfo is UTC
    kept = json.loads(json.dumps(tokens.to_file()))
    assert Tokens.from_file(kept) == tokens, "the file holds other tokens"


def _input(head: str, *documents: object) -> bytes:
    return "\n".join(
        [head, *(json.dumps(document) if document is not None else "" for document in documents)]
    ).encode()


def _series(unit: str, *values: float | None) -> dict[str, object]:
    times = (f"2026-06-15T{11 + index // 4}:{index % 4 * 15:02}:00+02:00" for index in range(len(values)))
    return {
        "unit": unit,
        "values": [{"timestamp": time, "value": value} for time, value in zip(times, values, strict=True)],
    }


_FLOW = {
    "siteCurrentPowerFlow": {
        "updateRefreshRate": 3,
        "unit": "kW",
        "connections": [
            {"from": "PV", "to": "Load"},
            {"from": "LOAD", "to": "Grid"},
            {"from": "STORAGE", "to": "Load"},
        ],
        "GRID": {"status": "Active", "currentPower": 2.5},
        "LOAD": {"status": "Active", "currentPower": 1.0},
        "PV": {"status": "Active", "currentPower": 3.0},
        "STORAGE": {"status": "Discharging", "currentPower": 0.5, "chargeLevel": 64, "critical": False},
    }
}
_METERS = {
    "resolution": "QUARTER_HOUR",
    "meters": {
        "606A0001": {
            "importEnergy": _series("KWH", 0.1, 0.0, None),
            "exportEnergy": _series("KWH", 0.0, 0.7, 0.2),
        },
        "606A0002": {
            "productionPower": _series("W", 3100.0, 3300.5, 2900),
            "consumptionPower": _series("kW", 1.1, 0.9),
        },
    },
}
_STORAGE = {
    "resolution": "QUARTER_HOUR",
    "storage": {
        "7E0A0001": {
            "chargePower": _series("W", 500, 0, 0),
            "dischargePower": _series("W", 0, 250, 0),
            "stateOfEnergy": _series("PERCENTAGE", 40, 41.5, 41),
        }
    },
}
_PRODUCTION = {"resolution": "QUARTER_HOUR", **_series("W", 3100.0, 3300.5, 2900)}
_TOKENS = {
    "access_token": "eyJhbGciOi.J9",
    "refresh_token": "def50200ab",
    "expires_in": 7200,
    "token_type": "Bearer",
}
_LOGIN = {
    "access_token": "eyJhbGciOi.J9",
    "refresh_token": "def50200ab",
    "expires_at": "2026-06-15T14:00:00+00:00",
}
_REFUSED = {"title": "Unauthorized", "detail": f"key {_SECRET} is not valid", "status": 401}

TARGET = Target(
    name="solaredge",
    run=run,
    seeds=(
        _input("flow|200", _FLOW),
        _input("flow|200", {"siteCurrentPowerFlow": {"unit": "W", "LOAD": {"currentPower": 10}}}),
        _input("flow|200", {"siteCurrentPowerFlow": {}}),
        _input("quarters|200", _METERS),
        _input("quarters|200", _METERS, _STORAGE, _PRODUCTION),
        _input("token|200", _TOKENS),
        _input(
            "token|400", {"error": "invalid_grant", "error_description": f"the token {_SECRET} was revoked"}
        ),
        _input("login|200", _LOGIN),
        *(_input(f"flow|{status}", _REFUSED) for status in (400, 401, 403, 404, 408, 410, 500, 503)),
        _input("flow|429|Mon, 15 Jun 2026 12:10:00 GMT|0", None),
        _input("flow|429|30|0", None),
        _input("flow|429||5", {"title": "Too Many Requests"}),
        b"pasted\nhttps://example.org/back?code=abc123&site_id=4711",
        b"pasted\nhttps://example.org/back?error=access_denied",
        b"flow|502\n<html><body>Bad gateway</body></html>",
    ),
)
