"""Who may do what: nobody more than was declared."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pvcharge.web.access import Level, needs
from pvcharge.web.access.levels import needed
from web.access.rig import PASSWORD, Rig, browser, change, running, status, undeclared

STATE = "/api/v1/state"
UNDECLARED = "/api/v1/undeclared"
ACCESS = "/api/v1/access"


async def access(client: aiohttp.ClientSession) -> object:
    """Return what the page says of the visitor."""
    async with client.get(ACCESS) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_without_a_password_everybody_is_the_owner(tmp_path: Path) -> None:
    """Only this machine gets there."""
    async with running(Rig(tmp_path)) as rig, browser(rig) as client:
        assert await access(client) == {"level": "owner", "password_set": False, "guest_view": False}
        assert [await status(client, path) for path in ("/", STATE, UNDECLARED)] == [200, 200, 200]
        assert await rig.login(client) == 409


async def test_with_a_password_strangers_see_the_empty_page_only(client: aiohttp.ClientSession) -> None:
    """It has the form to log in."""
    assert await access(client) == {"level": "none", "password_set": True, "guest_view": False}
    assert [await status(client, path) for path in ("/", STATE, UNDECLARED)] == [200, 401, 401]


async def test_guests_may_look(tmp_path: Path) -> None:
    """And do nothing; what declares nothing is not for them."""
    async with (
        running(Rig(tmp_path, password=PASSWORD, guest_view=True)) as rig,
        browser(rig) as client,
    ):
        assert await access(client) == {"level": "guest", "password_set": True, "guest_view": True}
        assert [await status(client, path) for path in (STATE, UNDECLARED)] == [200, 401]
        async with client.put("/api/v1/mode", json={}, headers=rig.own()) as answer:
            assert answer.status == 401


async def test_whoever_has_logged_in_may_do_everything(rig: Rig, client: aiohttp.ClientSession) -> None:
    """With the cookie."""
    assert await rig.login(client) == 204
    assert await access(client) == {"level": "owner", "password_set": True, "guest_view": False}
    assert [await status(client, path) for path in (STATE, UNDECLARED)] == [200, 200]
    async with client.put("/api/v1/mode", json={}, headers=rig.own()) as answer:
        assert answer.status == 200


async def test_a_refusal_says_what_to_do(client: aiohttp.ClientSession) -> None:
    """As problem+json, and how programs log in."""
    async with client.get(UNDECLARED) as answer:
        assert answer.content_type == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="pvcharge"'
        problem = await answer.json()
    assert problem == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "log in, or send a token, to do this",
    }


@pytest.mark.parametrize(
    ("settings", "warns"),
    [
        ({}, False),
        ({"trusted_proxies": ["127.0.0.1"]}, True),
        ({"trusted_proxies": ["127.0.0.1"], "password": PASSWORD}, False),
    ],
)
async def test_a_proxy_without_a_password_is_warned_of(
    tmp_path: Path,
    logs: list[MutableMapping[str, Any]],
    settings: dict[str, Any],
    warns: bool,  # noqa: FBT001
) -> None:
    """It may lead strangers to what was for this machine only."""
    await Rig(tmp_path, **settings).access.start()
    assert any("whoever the proxy lets through" in line["event"] for line in logs) is warns


@pytest.mark.parametrize(("path", "expected"), [("/nothing", 404), ("/api/v1/mode", 405)])
async def test_the_router_keeps_its_word(client: aiohttp.ClientSession, path: str, expected: int) -> None:
    """What there is not is not found, whoever asks."""
    assert await status(client, path) == expected


def test_what_declares_nothing_is_for_the_owner() -> None:
    """So is what declares nonsense."""
    assert needed(undeclared) is Level.OWNER
    assert needed(change) is Level.OWNER
    assert needed(needs(Level.NONE)(lambda: None)) is Level.NONE
    assert needed(needs(0)(lambda: None)) is Level.OWNER  # type: ignore[arg-type]


@pytest.mark.parametrize(("is_public", "level"), [(True, Level.NONE), (False, Level.GUEST)])
def test_metrics_are_open_or_not(tmp_path: Path, is_public: bool, level: Level) -> None:  # noqa: FBT001
    """As the user has said."""
    assert Rig(tmp_path, metrics_public=is_public).access.metrics_level is level
