"""What the statuses, headers and bodies of the server mean."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pvcharge.drivers.base import AuthError, DriverError, PermanentError, TransientError
from pvcharge.drivers.solaredge.answers import Answer, understand

AT = datetime(2026, 6, 10, 10, 0, 15, tzinfo=UTC)


def answer(status: int, body: Any = b"", **headers: str) -> Answer:
    """Return an answer; a dict becomes JSON, underscores in names of headers become dashes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(
        "here", AT, status, {name.replace("_", "-"): text for name, text in headers.items()}, content
    )


def test_good_answers_are_json() -> None:
    """Status 200 gives the document."""
    assert understand(answer(200, {"a": 1})) == {"a": 1}


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (200, TransientError, "without JSON"),
        (204, TransientError, "no service"),
        (302, TransientError, "no service"),
        (400, PermanentError, "refused as it is"),
        (401, AuthError, "pvcharge login solaredge"),
        (403, PermanentError, 'Business Pro or Enterprise: set data = "quarter"'),
        (404, PermanentError, "check site_id"),
        (408, TransientError, "gave up"),
        (410, PermanentError, 'retired.*2026-11-03.*api = "v2".*Modbus TCP'),
        (422, PermanentError, "refused as it is"),
        (500, TransientError, "no service"),
        (502, TransientError, "no service"),
        (504, TransientError, "no service"),
    ],
)
def test_statuses(status: int, error: type[DriverError], words: str) -> None:
    """Each status becomes the error that its task can act on, with what to do; HTML changes nothing."""
    with pytest.raises(error, match=words) as caught:
        understand(answer(status, b"<html><h1>Sorry</h1></html>"))
    assert type(caught.value) is error
    assert "html" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"title": "Unauthorized", "detail": "Invalid API key", "status": 401}, "Invalid API key"),
        ({"title": "Not Found", "status": 404}, "Not Found"),
        ({"error": "invalid_grant"}, "invalid_grant"),
        ({"detail": "a\n  b" + "x" * 500}, r"a b"),
        ({"detail": 5}, "answered 404: unknown"),
        (["detail"], "answered 404: unknown"),
    ],
)
def test_the_servers_own_words(body: Any, words: str) -> None:
    """Title or detail of a problem document stand in the message, on one line and not too long."""
    with pytest.raises(PermanentError, match=words) as caught:
        understand(answer(404, body))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.fault("solaredge", "429")
@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry_after": "30"}, 30.0),
        ({"retry_after": "0"}, 1.0),
        ({"retry_after": "-5"}, 1.0),
        ({"retry_after": "9999999"}, 86_400.0),
        ({"retry_after": "Wed, 10 Jun 2026 10:05:15 GMT"}, 300.0),
        ({"retry_after": "Wed, 10 Jun 2026 09:00:00 GMT"}, 1.0),
        ({"retry_after": "soon"}, 900.0),
        ({"x_ratelimit_remaining_minute": "0"}, 45.0),
        ({}, 900.0),
    ],
)
def test_waits_of_429(headers: dict[str, str], wait_s: float) -> None:
    """The wait comes from seconds, an HTTP date, the end of the minute, or is a cautious guess."""
    with pytest.raises(TransientError, match="too many") as caught:
        understand(answer(429, **headers))
    assert caught.value.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("status", "headers", "spent"),
    [
        (429, {"x_ratelimit_remaining_minute": "7"}, True),
        (429, {"x_ratelimit_remaining_minute": "7", "retry_after": "20"}, False),
        (429, {"x_ratelimit_remaining_minute": "0"}, False),
        (429, {"x_ratelimit_remaining_minute": "lots"}, False),
        (429, {}, False),
        (200, {"x_ratelimit_remaining_minute": "7"}, False),
    ],
)
def test_the_month_is_spent(status: int, headers: dict[str, str], *, spent: bool) -> None:
    """Only a refusal with room in the minute and no time to come back means the whole cycle."""
    assert answer(status, **headers).month_is_spent is spent
