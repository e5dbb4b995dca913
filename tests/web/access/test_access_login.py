"""Logging in and out, and the cookie in between."""

import json
import stat
from collections.abc import MutableMapping
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request
from yarl import URL

from pvcharge.web.access import Level
from pvcharge.web.access.passwords import make_hash, matches
from pvcharge.web.access.sessions import MOST_SESSIONS
from web.access.rig import COOKIE, LOGIN, PASSWORD, WRONG, Rig, browser, running, status

STATE = "/api/v1/state"
Logs = list[MutableMapping[str, Any]]


async def log_out(rig: Rig, client: aiohttp.ClientSession) -> int:
    """Log out as the page does; return the status."""
    async with client.post("/api/v1/logout", json={}, headers=rig.own()) as answer:
        return answer.status


def session_of(client: aiohttp.ClientSession, rig: Rig) -> str:
    """Return the session that a browser has in its cookie."""
    morsel: Morsel[str] = client.cookie_jar.filter_cookies(URL(rig.url))[COOKIE]
    return morsel.value


async def test_a_wrong_password_is_refused(rig: Rig, client: aiohttp.ClientSession) -> None:
    """And gives no cookie."""
    async with client.post(LOGIN, json={"password": WRONG}, headers=rig.own()) as answer:
        assert answer.status == 401
        assert "Set-Cookie" not in answer.headers
        assert WRONG not in await answer.text()
    assert await status(client, STATE) == 401


@pytest.mark.parametrize("form", [PASSWORD, make_hash(PASSWORD)], ids=["plain", "hash"])
async def test_the_password_may_be_given_as_it_is_or_as_a_hash(tmp_path: Path, form: str) -> None:
    """Either way the same one opens, and the hash itself does not."""
    async with running(Rig(tmp_path, password=form)) as rig, browser(rig) as client:
        assert await rig.login(client, make_hash(PASSWORD)) == 401
        assert await rig.login(client) == 204


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    rig: Rig, client: aiohttp.ClientSession
) -> None:
    """And goes nowhere else."""
    async with client.post(LOGIN, json={"password": PASSWORD}, headers=rig.own()) as answer:
        (header,) = answer.headers.getall("Set-Cookie")
    value, *attributes = header.split("; ")
    assert value.startswith(f"{COOKIE}=")
    assert len(value) > 43 + len(COOKIE)  # 256 bits
    assert sorted(attributes) == ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Strict"]


@pytest.mark.parametrize(
    ("embed_in", "scheme", "expected"),
    [
        ([], "https", {"SameSite=Strict", "Secure"}),
        (["https://ha.example"], "https", {"SameSite=None", "Secure", "Partitioned"}),
        (["http://ha.example:8123"], "http", {"SameSite=Lax"}),
    ],
)
async def test_the_cookie_behind_a_proxy(
    tmp_path: Path, embed_in: list[str], scheme: str, expected: set[str]
) -> None:
    """Behind TLS it is sent by TLS only; in a frame of another site it is sent where that is safe."""
    rig = Rig(
        tmp_path,
        password=PASSWORD,
        base_path="/pv",
        hosts=["pv.example"],
        trusted_proxies=["127.0.0.1"],
        embed_in=embed_in,
    )
    headers = {
        "X-Forwarded-Proto": scheme,
        "X-Forwarded-Host": "pv.example",
        "Origin": f"{scheme}://pv.example",
    }
    async with (
        running(rig),
        browser(rig) as client,
        client.post(f"/pv{LOGIN}", json={"password": PASSWORD}, headers=headers) as answer,
    ):
        attributes = set(answer.headers["Set-Cookie"].split("; ")[1:])
    assert attributes == expected | {"HttpOnly", "Max-Age=2592000", "Path=/pv"}


async def test_a_cookie_is_worth_nothing_after_logout(rig: Rig, client: aiohttp.ClientSession) -> None:
    """Though somebody has kept it."""
    await rig.login(client)
    kept = f"{COOKIE}={session_of(client, rig)}"
    assert await status(client, STATE) == 200
    assert await log_out(rig, client) == 204
    assert await status(client, STATE) == 401
    async with browser(rig) as thief:
        assert await status(thief, STATE, Cookie=kept) == 401


async def test_what_stays_open_learns_of_the_logout(rig: Rig, client: aiohttp.ClientSession) -> None:
    """A WebSocket that asks again what its visitor may do."""
    await rig.login(client)
    request = make_mocked_request("GET", "/", headers={"Cookie": f"{COOKIE}={session_of(client, rig)}"})
    assert rig.access.level(request) is Level.OWNER
    await log_out(rig, client)
    assert rig.access.level(request) is Level.NONE


async def test_a_session_that_was_planted_is_not_taken_over(rig: Rig, client: aiohttp.ClientSession) -> None:
    """Each login makes an id of its own, and ends the session that was there."""
    planted = "p" * 43
    async with client.post(
        LOGIN, json={"password": PASSWORD}, headers=rig.own(Cookie=f"{COOKIE}={planted}")
    ) as answer:
        assert answer.status == 204
    first = session_of(client, rig)
    await rig.login(client)
    async with browser(rig) as other:
        for dead in (planted, first):
            assert await status(other, STATE, Cookie=f"{COOKIE}={dead}") == 401


async def test_a_cookie_of_the_same_name_does_not_shut_out(rig: Rig, client: aiohttp.ClientSession) -> None:
    """Other programs on this machine can add some."""
    await rig.login(client)
    mixed = f"{COOKIE}=junk; {COOKIE}={session_of(client, rig)}"
    async with browser(rig) as other:
        assert await status(other, STATE, Cookie=mixed) == 200


@pytest.mark.parametrize(
    "junk",
    ["", "=", ";;;", f"{COOKIE}", f"{COOKIE}=", f"{COOKIE}=\xff\xfe", f"{COOKIE}=" + "a" * 5000, "a\tb=1"],
)
async def test_garbage_in_cookies_is_no_session(client: aiohttp.ClientSession, junk: str) -> None:
    """And no fault."""
    assert await status(client, STATE, Cookie=junk) == 401


async def test_sessions_survive_a_restart(tmp_path: Path) -> None:
    """In a file that only the owner can read, and that holds no id."""
    async with running(Rig(tmp_path, password=PASSWORD)) as rig, browser(rig) as client:
        await rig.login(client)
        session = session_of(client, rig)
    file = tmp_path / "web-sessions.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert session not in file.read_text()
    assert PASSWORD not in file.read_text()
    async with running(Rig(tmp_path, password=PASSWORD)) as again, browser(again) as client:
        assert await status(client, STATE, Cookie=f"{COOKIE}={session}") == 200


@pytest.mark.parametrize(
    "other", ["another password", make_hash(PASSWORD), None], ids=["another", "hash", "none"]
)
async def test_sessions_end_with_the_password(tmp_path: Path, other: str | None) -> None:
    """Also where the old one comes back later."""
    async with running(Rig(tmp_path, password=PASSWORD)) as rig, browser(rig) as client:
        await rig.login(client)
        cookie = f"{COOKIE}={session_of(client, rig)}"
    async with running(Rig(tmp_path, password=other)) as changed, browser(changed) as client:
        assert await status(client, STATE, Cookie=cookie) == (200 if other is None else 401)
    async with running(Rig(tmp_path, password=PASSWORD)) as back, browser(back) as client:
        assert await status(client, STATE, Cookie=cookie) == 401


async def test_a_session_ends_when_it_is_not_used(rig: Rig, client: aiohttp.ClientSession) -> None:
    """After thirty days; each use counts."""
    await rig.login(client)
    for _ in range(3):
        rig.pass_time(days=29)
        async with client.get(STATE) as answer:
            assert answer.status == 200
            assert SimpleCookie(answer.headers["Set-Cookie"])[COOKIE].value == session_of(client, rig)
        async with client.get(STATE) as answer:
            assert "Set-Cookie" not in answer.headers
    rig.pass_time(days=30)
    assert await status(client, STATE) == 401


async def test_sessions_have_a_bound(rig: Rig, client: aiohttp.ClientSession) -> None:
    """The one unused for longest makes room."""
    await rig.login(client)
    async with browser(rig) as other:
        for _ in range(MOST_SESSIONS):
            rig.pass_time(seconds=1)
            other.cookie_jar.clear()
            assert await rig.login(other) == 204
        assert await status(other, STATE) == 200
    assert await status(client, STATE) == 401


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        '{"password": 7, "sessions": {"x": 1}}',
        '{"password": "$argon2id$junk", "sessions": []}',
        json.dumps({"sessions": {"a" * 64: "never"}}),
    ],
)
async def test_a_spoilt_file_ends_sessions_only(tmp_path: Path, logs: Logs, content: str) -> None:
    """It neither lets anybody in nor keeps the page from starting."""
    (tmp_path / "web-sessions.json").write_text(content)
    async with running(Rig(tmp_path, password=PASSWORD)) as rig, browser(rig) as client:
        assert await status(client, STATE) == 401
        assert await rig.login(client) == 204
    assert all(PASSWORD not in str(line) for line in logs)


async def test_times_that_are_none_end_their_sessions_only(tmp_path: Path) -> None:
    """In a file that is otherwise ours; the other sessions go on."""
    file = tmp_path / "web-sessions.json"
    async with running(Rig(tmp_path, password=PASSWORD)) as rig, browser(rig) as client:
        assert await rig.login(client) == 204
        (session,) = (cookie.value for cookie in client.cookie_jar)
    document = json.loads(file.read_text())
    document["sessions"] |= {"a" * 64: 10**400, "b" * 64: float("nan"), "c" * 64: True, "d" * 64: -1}
    file.write_text(json.dumps(document))
    async with running(Rig(tmp_path, password=PASSWORD)) as rig, browser(rig) as client:
        assert await status(client, STATE, Cookie=f"{COOKIE}={session}") == 200


async def test_a_disk_that_cannot_be_written_does_not_shut_out(tmp_path: Path, logs: Logs) -> None:
    """It is logged once for each file, and a restart ends the session."""
    (tmp_path / "file").touch()
    rig = Rig(tmp_path / "file", password=PASSWORD)
    async with running(rig), browser(rig) as client:
        assert await rig.login(client) == 204
        assert await rig.login(client) == 204
        assert await status(client, STATE) == 200
    failures = [line["file"] for line in logs if line["event"] == "state file cannot be written"]
    assert sorted(failures) == [str(tmp_path / "file" / name) for name in ("web-sessions.json", "web-token")]


async def test_who_has_logged_out_stays_out(tmp_path: Path) -> None:
    """Also where the disk was full at that time, and the daemon starts anew later."""
    state_dir, aside = tmp_path / "state", tmp_path / "aside"
    async with running(Rig(state_dir, password=PASSWORD)) as rig, browser(rig) as client:
        assert await rig.login(client) == 204
        (session,) = (cookie.value for cookie in client.cookie_jar)
        state_dir.rename(aside)
        state_dir.touch()
        async with client.post("/api/v1/logout", json={}, headers=rig.own()) as answer:
            assert answer.status == 204
        state_dir.unlink()
        aside.rename(state_dir)
    async with running(Rig(state_dir, password=PASSWORD)) as rig, browser(rig) as client:
        assert await status(client, STATE, Cookie=f"{COOKIE}={session}") == 401


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"password":"\\ud800"}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"password":1}', 422),
        (b'{"password":""}', 422),
        (b'{"password":"secret word","more":"secret word"}', 422),
        (b'{"password":"' + b"secret word" * 100 + b'"}', 422),
        (b"[" * 10_000, 400),
        (b'{"password":"' + b"x" * 70_000, 413),
    ],
)
async def test_bodies_that_make_no_sense(
    rig: Rig, client: aiohttp.ClientSession, body: bytes, expected: int
) -> None:
    """Each gets an answer, that shows nothing of what was sent."""
    headers = rig.own(Content_Type="application/json")
    async with client.post(LOGIN, data=body, headers=headers) as answer:
        assert answer.status == expected
        assert (await answer.json())["status"] == expected
        assert "secret word" not in await answer.text()


async def test_a_body_without_a_known_end_has_a_bound(rig: Rig, client: aiohttp.ClientSession) -> None:
    """Sent in chunks, it is cut where it becomes too large."""

    async def endless() -> Any:
        while True:
            yield b"x" * 4096

    headers = rig.own(Content_Type="application/json")
    try:
        async with client.post(LOGIN, data=endless(), headers=headers) as answer:
            assert answer.status == 413
    except aiohttp.ClientConnectionError:
        pass  # the server may hang up while we still send
    assert await status(client, "/") == 200


async def test_a_page_never_sends_elsewhere(rig: Rig, client: aiohttp.ClientSession) -> None:
    """There is no parameter that a login would follow."""
    url = f"{LOGIN}?next=https://evil.example"
    async with client.post(url, json={"password": PASSWORD}, headers=rig.own()) as answer:
        assert answer.status == 204
        assert "Location" not in answer.headers


def test_hashes_are_salted_and_checked() -> None:
    """The same password has another hash each time; what is no hash matches nothing."""
    one, two = make_hash(PASSWORD), make_hash(PASSWORD)
    assert one != two
    assert matches(one, PASSWORD)
    assert not matches(one, WRONG)
    assert not matches("$argon2id$v=19$nonsense", PASSWORD)
    assert not matches(PASSWORD, PASSWORD)
