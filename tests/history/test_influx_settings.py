"""The `[influxdb]` table: what is refused, and that a token does not get around."""

import pytest
from pydantic import ValidationError

from pvcharge.history.influx.settings import InfluxSettings

TOKEN = "my-secret-token"
REMOTE = "http://influx.example:8086"


def settings(**table: object) -> InfluxSettings:
    """Validate a table as it stands in a file."""
    return InfluxSettings.model_validate(table)


def test_an_address_is_enough() -> None:
    """VictoriaMetrics needs nothing else; the rest has sane defaults."""
    plain = settings(url="http://localhost:8428/")
    assert plain.url == "http://localhost:8428"
    assert (plain.bucket, plain.org, plain.token, plain.gzip) == ("pvcharge_raw", "", None, True)


@pytest.mark.parametrize(
    "url",
    [
        *("", "influx.example", "localhost:8086", "ftp://localhost", "http://", "http:///path", "//host"),
        *("http://host:port", "http://host:0", "http://host:99999", "http://[::1", "http://ho st"),
        *("http://host?db=x", "http://host#x", "http://host\n"),
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """At once, not at the first batch."""
    with pytest.raises(ValidationError, match="must be an address"):
        settings(url=url)


@pytest.mark.parametrize("url", ["http://me:pass@host", "https://me@host", "https://:pass@host"])
def test_credentials_in_an_address_are_refused(url: str) -> None:
    """An address is logged and shown."""
    with pytest.raises(ValidationError, match="must hold no user or password") as caught:
        settings(url=url)
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://influx.example", "http://localhost:8086", "http://127.0.0.1:8086", "http://[::1]:8086"]
)
def test_a_token_may_be_sent_where_nobody_listens(url: str) -> None:
    """Over TLS, or within this machine."""
    assert settings(url=url, token=TOKEN).token is not None


@pytest.mark.parametrize("url", [REMOTE, "http://192.0.2.1:8086", "http://localhost.example"])
def test_a_token_is_not_sent_in_the_clear(url: str) -> None:
    """Unless whoever runs the network says so."""
    with pytest.raises(ValidationError, match="in the clear") as caught:
        settings(url=url, token=TOKEN)
    assert TOKEN not in str(caught.value)
    assert settings(url=url, token=TOKEN, insecure=True).token is not None
    assert settings(url=url).token is None


@pytest.mark.parametrize("token", ["", " ", "two words", "tök", "a\nb", "a\x00b"])
def test_a_token_fits_into_a_header(token: str) -> None:
    """Else each request would fail, and say with what."""
    with pytest.raises(ValidationError, match="one word"):
        settings(url="http://localhost", token=token)


def test_a_token_from_a_file_loses_its_line_break() -> None:
    """Editors add one."""
    token = settings(url="http://localhost", token=f"{TOKEN}\n").token
    assert token is not None
    assert token.get_secret_value() == TOKEN


def test_a_token_is_not_shown() -> None:
    """Neither in logs of the settings nor in what is dumped of them."""
    table = settings(url="http://localhost", token=TOKEN)
    assert TOKEN not in f"{table!r} {table.model_dump()} {table.model_dump_json()}"


@pytest.mark.parametrize(
    "table",
    [
        {"url": "https://influx.example", "insecure": True},
        {"url": REMOTE, "ca_file": "ca.pem"},
        {"url": REMOTE, "buckets": "x"},
        {"url": REMOTE, "bucket": ""},
        {"url": REMOTE, "batch_events": 0},
        {"url": REMOTE, "flush_s": 11},  # the connection would not last until then
        {"url": REMOTE, "flush_s": 0},
        {"url": REMOTE, "timeout_s": 0},
        {"url": REMOTE, "settle_s": -1},
        {},
    ],
)
def test_what_makes_no_sense_is_refused(table: dict[str, object]) -> None:
    """A setting that does nothing is a mistake."""
    with pytest.raises(ValidationError):
        settings(**table)
