"""What the `[web]` table may say."""

import pytest
from pydantic import ValidationError

from pvcharge.web.settings import WebSettings


def test_default_is_this_machine_only() -> None:
    """Nobody else sees anything before the user has said so."""
    settings = WebSettings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("listen", "host", "port", "shown"),
    [
        ("0.0.0.0:80", "0.0.0.0", 80, "0.0.0.0:80"),  # noqa: S104 - as a user would write it
        ("192.0.2.1:65535", "192.0.2.1", 65535, "192.0.2.1:65535"),
        ("localhost:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
        ("[::1]:8080", "::1", 8080, "[::1]:8080"),
        ("[::]:1", "::", 1, "[::]:1"),
        ("[2001:DB8:0:0::1]:8080", "2001:db8::1", 8080, "[2001:db8::1]:8080"),
        ("[fe80::1%eth0]:8080", "fe80::1%eth0", 8080, "[fe80::1%eth0]:8080"),
    ],
)
def test_accepted(listen: str, host: str, port: int, shown: str) -> None:
    """Addresses of both kinds; they are shown in their usual form."""
    settings = WebSettings(listen=listen)
    assert (settings.host, settings.port, settings.listen) == (host, port, shown)


@pytest.mark.parametrize(
    ("listen", "complaint"),
    [
        ("", "an address and a port"),
        ("8080", "an address and a port"),
        (":8080", "an address and a port"),
        ("127.0.0.1", "an address and a port"),
        ("127.0.0.1:", "an address and a port"),
        ("127.0.0.1:http", "an address and a port"),
        ("127.0.0.1:-1", "an address and a port"),
        ("127.0.0.1:٨٠٨٠", "an address and a port"),
        ("127.0.0.1:" + "9" * 5000, "an address and a port"),
        ("http://127.0.0.1:8080", "a name will not do"),
        ("pvcharge.local:8080", "a name will not do"),
        ("[localhost]:8080", "a name will not do"),
        ("256.0.0.1:8080", "a name will not do"),
        ("[[::1]]:8080", "an address and a port"),
        ("127.0.0.1:0", "from 1 to 65535"),
        ("127.0.0.1:65536", "from 1 to 65535"),
        ("::1:8080", "in brackets"),
        ("[127.0.0.1]:8080", "in brackets"),
    ],
)
def test_refused(listen: str, complaint: str) -> None:
    """What nobody could listen on is refused in words that say how it is written; so is a port by chance."""
    with pytest.raises(ValidationError, match=complaint):
        WebSettings(listen=listen)


def test_unknown_keys_are_refused() -> None:
    """A typing error must not look like a setting."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        WebSettings.model_validate({"port": 8080})
