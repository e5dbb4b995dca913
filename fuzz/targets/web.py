"""What browsers and programs send to the page: bodies, queries, and what stands in headers.

`web_bodies`: the name of a model, a space, and the body or the query. `web_addresses`: a text that may be a
host, an origin, a cookie or an address.
"""

from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import cast
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from pvcharge.web.access.attempts import Attempts, TooManyError
from pvcharge.web.access.headers import cookie, sessions_in
from pvcharge.web.access.models import LoginBody, NewTokenBody
from pvcharge.web.addresses import parse_host, parse_origin
from pvcharge.web.api.bodies import (
    BoostBody,
    DayQuery,
    EnergyQuery,
    LimitsBody,
    LogQuery,
    ModeBody,
    SessionsQuery,
    SettingsBody,
    SpanQuery,
)
from pvcharge.web.bodies import Body, Nothing, Query, read_body, read_query
from pvcharge.web.problems import Problem, ProblemError
from pvcharge.web.settings import WebSettings
from targets.base import Target, check_text
from targets.mutate import mutate_by_words, mutate_lines

_SECRET = "plantedpassword77"  # noqa: S105 - of nobody
_BODIES: dict[str, type[Body]] = {
    model.__name__: model
    for model in (ModeBody, BoostBody, LimitsBody, SettingsBody, LoginBody, NewTokenBody, Nothing)
}
_QUERIES: dict[str, type[Query]] = {
    model.__name__: model for model in (DayQuery, EnergyQuery, SpanQuery, SessionsQuery, LogQuery)
}


def run_bodies(data: bytes) -> None:
    """Read a body or a query; what will not do is told by key, with no value of it."""
    head, _, rest = data.partition(b" ")
    name = head.decode("latin-1")
    try:
        if name in _QUERIES:
            pairs = parse_qsl(rest.decode("utf-8", "replace"), keep_blank_values=True)
            _check_query(read_query(MultiDict(pairs), _QUERIES[name]))
        else:
            model = _BODIES.get(name, Nothing)
            _check_body(_read(rest, model))
    except ProblemError as error:
        _check_problem(error, told=rest)


def _read(content: bytes, model: type[Body]) -> Body:
    async def read() -> bytes:
        return content

    work = read_body(cast("web.Request", SimpleNamespace(read=read)), model)
    try:
        work.send(None)
    except StopIteration as ended:
        return cast("Body", ended.value)
    work.close()
    raise AssertionError("waits for something")


def _check_body(body: Body) -> None:
    body.model_dump_json()
    match body:
        case BoostBody():
            assert body.minutes is None or 1 <= body.minutes <= 1440
        case LimitsBody():
            assert all(
                limit_a is None or 1 <= limit_a <= 1000
                for limit_a in (body.min_current_a, body.max_current_a)
            )
        case NewTokenBody():
            check_text(body.name)


def _check_query(query: Query) -> None:
    query.model_dump_json()
    start, end = getattr(query, "start", None), getattr(query, "end", None)
    assert start is None or end is None or start < end


def _check_problem(error: ProblemError, told: bytes) -> None:
    assert 400 <= error.status < 500, f"status {error.status}"
    errors = [{"key": key, "message": message} for key, message in (error.errors or {}).items()]
    text = Problem(
        title="x", status=error.status, detail=error.detail, errors=errors or None
    ).model_dump_json()
    assert _SECRET not in text or told.count(_SECRET.encode()) != 1 or f'"{_SECRET}":'.encode() in told, (
        "a value is told"
    )
    assert len(text) < 10_000, "an endless answer"


def run_addresses(data: bytes) -> None:
    """Read the same text as a host, an origin, a cookie and a visitor's address."""
    text = data.decode("utf-8", "surrogateescape")
    host, origin = parse_host(text), parse_origin(text)
    if host is not None:
        assert parse_host(str(host)) == host, "another host when read again"
        check_text(str(host))
    if origin is not None:
        assert parse_origin(str(origin)) == origin, "another origin when read again"
    for session in sessions_in(text):
        assert session
        assert ";" not in session
    for session in sessions_in(cookie(WebSettings(), "https", "abc") + ";" + text):
        assert session.strip() == session or session
    attempts = Attempts(lambda: 0.0)
    for _ in range(6):
        try:
            attempts.begin(text)
        except TooManyError as error:
            assert error.wait_s > 0
            return
    raise AssertionError("six tries at once")


def _body(model: type[Body], text: str) -> bytes:
    return f"{model.__name__} {text}".encode()


_LINES = (
    _body(ModeBody, '{"mode": "min_surplus"}'),
    _body(BoostBody, '{"on": true, "minutes": 90}'),
    _body(BoostBody, '{"on": false}'),
    _body(LimitsBody, '{"min_current_a": 6, "max_current_a": 16}'),
    _body(
        SettingsBody, '{"revision": 3, "changes": {"control.import_price": 0.31, "control.objective": null}}'
    ),
    _body(LoginBody, f'{{"password": "{_SECRET}"}}'),
    _body(NewTokenBody, '{"name": "evcc on the shelf"}'),
    _body(Nothing, "{}"),
    b"DayQuery date=2026-06-15",
    b"EnergyQuery by=day&start=2026-06-01&end=2026-07-01",
    b"SpanQuery start=2026-06-01",
    b"SessionsQuery start=2026-06-01&end=2026-07-01&limit=50",
    b"LogQuery limit=10",
)
_QUERY_WORDS = (
    *(
        b"&",
        b"=",
        b"%00",
        b"%ff",
        b"%F0%9F%98%80",
        b"%ED%A0%80",
        b"limit=",
        b"limit=1e3",
        b"limit=+1",
        b"limit=%D9%A3",
    ),
    *(
        b"start=",
        b"end=",
        b"by=month",
        b"by=",
        b"date=0001-01-01",
        b"date=2026-06-31",
        b"date=%2B002026-06-15",
    ),
    *(b"date=1781524800", b"date=2026-06-15T00:00", b"1" * 5000, b"&" * 300, b"x" * 300),
)
_spoil_query = mutate_by_words(*_QUERY_WORDS)


def _mutate_bodies(data: bytes, random: Random) -> bytes:
    mutate: Callable[[bytes, Random], bytes] = _spoil_query if b"Query " in data[:20] else mutate_lines
    return mutate(data, random)


BODIES = Target(name="web_bodies", run=run_bodies, seeds=_LINES, mutate=_mutate_bodies)
ADDRESSES = Target(
    name="web_addresses",
    run=run_addresses,
    seeds=(
        *(
            b"pv.example:8080",
            b"[2001:db8::1]:443",
            b"192.0.2.1",
            b"localhost.",
            b"https://ha.example:8123",
            b"null",
        ),
        *(b"pvcharge_session=abc; other=x; pvcharge_session=def", b"::ffff:192.0.2.7%eth0", b"http://[::1]"),
    ),
    mutate=mutate_by_words(
        *(
            b":",
            b"[",
            b"]",
            b".",
            b"..",
            b"-",
            b"_",
            b"@",
            b"/",
            b"?",
            b"#",
            b"%",
            b"%eth0",
            b"0",
            b"65536",
            b"0x7f",
        ),
        *(
            b"\xc4\xb0",
            b"xn--",
            b"\xe3\x80\x82",
            b"http://",
            b"HTTPS://",
            b":80",
            b":443",
            b"pvcharge_session=",
            b";",
        ),
        *(b" ", b"\t", b"\0", b"\xff", b"::", b"ffff:", b"127.1", b"a" * 64, b"a." * 130, b"1" * 5000),
    ),
)
