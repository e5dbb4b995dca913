"""The configuration table: what it needs, what it refuses, and what it keeps to itself."""

from typing import Any

import pytest
from pydantic import ValidationError

from pvcharge.drivers.base import INVERTERS, find
from pvcharge.drivers.solaredge import DRIVER, SolarEdgeSettings


def test_the_registry_finds_the_driver() -> None:
    """The entry point leads to this driver."""
    assert find(INVERTERS, "solaredge") is DRIVER


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"api": "v1"}, "needs api_key"),
        ({"api": "v1", "client_id": "a", "client_secret": "b"}, "needs api_key"),
        ({}, "client_id with client_secret"),
        ({"client_id": "a"}, "client_id with client_secret"),
        ({"api_key": "k", "client_id": "a", "client_secret": "b"}, "not both"),
        ({"api_key": ""}, "one word"),
        ({"api_key": "two words"}, "one word"),
        ({"api_key": "k", "api": "v3"}, "'v2' or 'v1'"),
        ({"api_key": "k", "apikey": "k"}, "Extra inputs"),
        ({"api_key": "k", "base_url": "ftp://example.org"}, "pattern"),
        ({"api_key": "k", "base_url": "https://user:pw@example.org"}, "pattern"),
        ({"api_key": "k", "base_url": "http://192.0.2.1:8080"}, "in the clear; use https"),
        ({"api_key": "k", "insecure": True}, "only with http"),
        ({"api_key": "k", "billing_day": 31}, "28"),
    ],
)
def test_mistakes_are_named(table: dict[str, Any], words: str) -> None:
    """Each mistake is refused with words that help."""
    with pytest.raises(ValidationError, match=words):
        SolarEdgeSettings.model_validate({"site_id": 4711} | table)


@pytest.mark.parametrize(
    ("table", "by_oauth"),
    [
        ({"api_key": "k"}, False),
        ({"client_id": "a", "client_secret": "b"}, True),
        ({"api": "v1", "api_key": "k"}, False),
        ({"api_key": "k", "base_url": "http://[::1]:8080"}, False),
        ({"api_key": "k", "base_url": "http://192.0.2.1", "insecure": True}, False),
    ],
)
def test_complete_tables_pass(table: dict[str, Any], *, by_oauth: bool) -> None:
    """Key or OAuth: the credentials decide."""
    assert SolarEdgeSettings.model_validate({"site_id": 4711} | table).uses_oauth is by_oauth


def test_spaces_around_a_secret_are_dropped() -> None:
    """A file with a key often ends with a line break."""
    assert SolarEdgeSettings.model_validate({"site_id": 1, "api_key": " key\n"}).key == "key"


def test_secrets_show_neither_in_errors_nor_in_text() -> None:
    """A table with a mistake is printed without its secrets, and so are valid settings."""
    with pytest.raises(ValidationError) as caught:
        SolarEdgeSettings.model_validate({"site_id": 1, "api": "v1", "client_secret": "PLANTED"})
    assert "PLANTED" not in str(caught.value)
    assert "PLANTED" not in repr(SolarEdgeSettings.model_validate({"site_id": 1, "api_key": "PLANTED"}))
