"""Tokens of programs: shown once, kept as a hash, good until they are deleted."""

import json
import stat
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import TypeAdapter

from pvcharge.web.access import LOCAL_TOKEN_FILE
from pvcharge.web.access.models import MOST_TOKENS
from pvcharge.web.access.tokens import Token
from web.access.rig import NOON, PASSWORD, Rig, browser, running, status

TOKENS = "/api/v1/tokens"
STATE = "/api/v1/state"
FILE = "web-tokens.json"


@asynccontextmanager
async def page(state_dir: Path) -> AsyncIterator[tuple[Rig, aiohttp.ClientSession]]:
    """Return a page and its owner."""
    async with running(Rig(state_dir, password=PASSWORD)) as rig, browser(rig) as owner:
        assert await rig.login(owner) == 204
        yield rig, owner


async def make(rig: Rig, owner: aiohttp.ClientSession, name: str = "ha") -> dict[str, str]:
    """Make a token."""
    async with owner.post(TOKENS, json={"name": name}, headers=rig.own()) as answer:
        assert answer.status == 201
        return TypeAdapter(dict[str, str]).validate_python(await answer.json())


async def listed(owner: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """Return the list of tokens."""
    async with owner.get(TOKENS) as answer:
        return TypeAdapter(list[dict[str, Any]]).validate_python((await answer.json())["tokens"])


async def delete(rig: Rig, owner: aiohttp.ClientSession, token_id: str) -> int:
    """Delete a token; return the status."""
    async with owner.delete(f"{TOKENS}/{token_id}", headers=rig.own()) as answer:
        return answer.status


async def opens(rig: Rig, secret: str) -> bool:
    """Whether somebody with this token and nothing else gets in, to look and to change."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with browser(rig) as program:
        looked = await status(program, STATE, **headers) == 200
        async with program.put("/api/v1/mode", json={}, headers=headers) as answer:
            assert looked == (answer.status == 200)
    return looked


async def test_a_token_opens_until_it_is_deleted(tmp_path: Path) -> None:
    """The list never shows it."""
    async with page(tmp_path) as (rig, owner):
        made = await make(rig, owner)
        assert sorted(made) == ["id", "name", "token"]
        secret = made["token"]
        assert len(secret) >= 43  # 256 bits
        noon = "2026-06-15T12:00:00+00:00"
        entry = {"id": made["id"], "name": "ha", "created_at": noon, "last_used_at": None}
        assert await listed(owner) == [entry]
        assert await opens(rig, secret)
        assert await listed(owner) == [entry | {"last_used_at": noon}]
        assert not await opens(rig, secret[:-1])
        assert await delete(rig, owner, made["id"]) == 204
        assert not await opens(rig, secret)
        assert await delete(rig, owner, made["id"]) == 404


async def test_tokens_survive_restarts_and_passwords(tmp_path: Path) -> None:
    """In a file that only the owner can read, and that holds no token."""
    async with page(tmp_path) as (rig, owner):
        secret = (await make(rig, owner))["token"]
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()
    async with running(Rig(tmp_path, password="another password")) as rig:
        assert await opens(rig, secret)


async def test_the_local_token_is_for_programs_that_may_read_it(tmp_path: Path) -> None:
    """It is in no list, and another one after each start."""
    file = tmp_path / LOCAL_TOKEN_FILE
    async with page(tmp_path) as (rig, owner):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        secret = json.loads(file.read_text())["token"]
        assert await opens(rig, secret)
        assert await listed(owner) == []
    async with page(tmp_path) as (rig, _):
        assert not await opens(rig, secret)
        assert await opens(rig, json.loads(file.read_text())["token"])


async def test_strangers_make_see_and_delete_none(tmp_path: Path) -> None:
    """Not even in guests' view."""
    async with (
        running(Rig(tmp_path, password=PASSWORD, guest_view=True)) as rig,
        browser(rig) as guest,
    ):
        assert await status(guest, TOKENS) == 401
        assert await delete(rig, guest, "0" * 16) == 401
        async with guest.post(TOKENS, json={"name": "x"}, headers=rig.own()) as answer:
            assert answer.status == 401


@pytest.mark.parametrize(
    "token_id",
    ["%2e%2e%2f..%2fetc%2fpasswd", "..%2fweb-tokens.json", "*", "%00", "a" * 4000, "0" * 16, "%ff", "%"],
)
async def test_an_id_is_no_path(tmp_path: Path, token_id: str) -> None:
    """What is no id of a token is not found."""
    async with page(tmp_path) as (rig, owner):
        await make(rig, owner)
        assert await delete(rig, owner, token_id) in (400, 404)
        assert len(await listed(owner)) == 1


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x00", "x" * 65, None, 7])
async def test_names_that_will_not_do(tmp_path: Path, name: object) -> None:
    """Each is refused by its key."""
    async with page(tmp_path) as (rig, owner):
        async with owner.post(TOKENS, json={"name": name}, headers=rig.own()) as answer:
            assert answer.status == 422
            assert [error["key"] for error in (await answer.json())["errors"]] == ["name"]
        assert await listed(owner) == []


async def test_tokens_have_a_bound(tmp_path: Path) -> None:
    """Then one must go first."""
    async with page(tmp_path) as (rig, owner):
        for number in range(MOST_TOKENS):
            await make(rig, owner, f"number {number} \u2600")
        async with owner.post(TOKENS, json={"name": "more"}, headers=rig.own()) as answer:
            assert answer.status == 409
        assert len(await listed(owner)) == MOST_TOKENS


async def fails(request: Awaitable[int]) -> bool:
    """Whether a request is answered with 503."""
    return await request == 503


async def test_what_cannot_be_kept_is_not_made(tmp_path: Path) -> None:
    """A token that would be gone after a restart is worse than none; one deleted is good no more at least."""
    state_dir = tmp_path / "state"
    async with page(state_dir) as (rig, owner):
        made = await make(rig, owner)
        for file in state_dir.iterdir():
            file.unlink()
        state_dir.rmdir()
        state_dir.touch()
        async with owner.post(TOKENS, json={"name": "more"}, headers=rig.own()) as answer:
            assert answer.status == 503
        assert len(await listed(owner)) == 1
        assert await fails(delete(rig, owner, made["id"]))
        assert not await opens(rig, made["token"])


@pytest.mark.parametrize(
    "content",
    [
        *("junk", "[]", '{"tokens": 7}', '{"tokens": [7, null, {}]}', '{"tokens": [{"id": "../x"}]}'),
        json.dumps(
            {"tokens": [{"id": "0" * 16, "name": "x", "hash": "0" * 64, "created_at": "2026-06-15T12:00:00"}]}
        ),
    ],
)
async def test_a_spoilt_file_opens_nothing(tmp_path: Path, content: str) -> None:
    """And does not keep the page from starting."""
    (tmp_path / FILE).write_text(content)
    async with page(tmp_path) as (rig, owner):
        assert await listed(owner) == []
        assert await opens(rig, (await make(rig, owner))["token"])


def test_a_token_does_not_show_its_hash() -> None:
    """Not even that belongs into a log."""
    token = Token(id="0" * 16, name="ha", hash="a" * 64, created_at=NOON)
    assert "a" * 64 not in repr(token)
