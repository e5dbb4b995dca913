"""What a browser can be made to send by others is refused, and what is answered is safe."""

from pathlib import Path

import aiohttp
import pytest
from multidict import CIMultiDict

from web.access.rig import COOKIE, PASSWORD, Rig, browser, running, status

STATE = "/api/v1/state"
MODE = "/api/v1/mode"
LIVE = "/api/v1/live"
EVIL = "https://evil.example"


async def put(client: aiohttp.ClientSession, **headers: str) -> int:
    """Return the status of the answer to a change, as JSON unless the headers say otherwise."""
    given = {"Content-Type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.put(MODE, data=b"{}", headers=given) as answer:
        return answer.status


async def shake_hands(client: aiohttp.ClientSession, **headers: str) -> int:
    """Return the status of the answer to a WebSocket handshake."""
    try:
        async with client.ws_connect(LIVE, headers=headers) as socket:
            assert await socket.receive_str() == "hello"
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


@pytest.mark.parametrize("path", ["/", STATE, "/nothing", "/api/v1/access"])
async def test_a_name_of_somebody_else_leads_nowhere(tmp_path: Path, path: str) -> None:
    """DNS rebinding: a page of evil.example whose name now leads here."""
    async with running(Rig(tmp_path)) as rig, browser(rig) as client:
        for host in ("evil.example", "evil.example:8080", "localhost.evil.example", "", "a b"):
            async with client.get(path, headers={"Host": host}) as answer:
                assert answer.status == 421
                assert answer.content_type == "application/problem+json"
                assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["localhost", "pi.local:8080", "192.0.2.7", "[::1]:8080", "pv.example"])
async def test_names_of_ours_lead_here(tmp_path: Path, host: str) -> None:
    """The house's, and those of the settings."""
    async with running(Rig(tmp_path, hosts=["pv.example"])) as rig, browser(rig) as client:
        assert await status(client, STATE, Host=host) == 200


async def test_two_hosts_are_none(rig: Rig, client: aiohttp.ClientSession) -> None:
    """A proxy could have looked at the other one."""
    headers = CIMultiDict([("Host", "localhost"), ("Host", "evil.example")])
    async with client.get("/", headers=headers) as answer:
        assert answer.status in (400, 421)
    assert rig.url


@pytest.mark.parametrize("password", [None, PASSWORD])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": EVIL, "Sec_Fetch_Site": "same-origin"},
    ],
)
async def test_pages_of_others_change_nothing(
    tmp_path: Path, password: str | None, headers: dict[str, str]
) -> None:
    """With the owner's cookie, or where everybody is owner."""
    async with running(Rig(tmp_path, password=password)) as rig, browser(rig) as client:
        await rig.login(client)
        assert await put(client, **headers) == 403
        assert await put(client, Origin=rig.url, Sec_Fetch_Site="cross-site") == 403
        assert await put(client, Origin=rig.url) == 200


async def test_a_cookie_without_an_origin_changes_nothing(rig: Rig, client: aiohttp.ClientSession) -> None:
    """A browser that says nothing of where it comes from may come from anywhere."""
    await rig.login(client)
    assert await put(client) == 403
    assert await put(client, Sec_Fetch_Site="same-origin") == 200


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"],
)
async def test_forms_change_nothing(tmp_path: Path, kind: str) -> None:
    """Such types a form of another page can send, even with JSON in them."""
    async with running(Rig(tmp_path)) as rig, browser(rig) as client:
        assert await put(client, Content_Type=kind) == 415
        assert await put(client, Content_Type="application/json; charset=utf-8") == 200


async def test_pages_of_others_open_no_websocket(rig: Rig, client: aiohttp.ClientSession) -> None:
    """Cookies go with these from every page."""
    await rig.login(client)
    assert await shake_hands(client, Origin=rig.url) == 101
    for origin in (EVIL, "null", rig.url.replace("http", "https"), rig.url + "0"):
        expected = 101 if origin.startswith("https://127") else 403  # a proxy may do TLS unseen
        assert await shake_hands(client, Origin=origin) == expected
    assert await shake_hands(client) == 403


async def test_a_websocket_needs_its_level_too(tmp_path: Path) -> None:
    """Programs need no Origin, and a name of ours."""
    async with running(Rig(tmp_path, password=PASSWORD)) as rig, browser(rig) as client:
        assert await shake_hands(client, Origin=rig.url) == 401
    async with running(Rig(tmp_path)) as rig, browser(rig) as client:
        assert await shake_hands(client) == 101
        assert await shake_hands(client, Origin=EVIL) == 403
        assert await shake_hands(client, Origin="http://evil.example", Host="evil.example") == 421


async def test_too_much_is_refused_unread(tmp_path: Path) -> None:
    """Whoever sends it, wherever to."""
    async with running(Rig(tmp_path)) as rig, browser(rig) as client:
        try:
            async with client.put(MODE, data=b"x" * 70_000, headers=rig.own()) as answer:
                assert answer.status == 413
        except aiohttp.ClientConnectionError:
            pass  # the server may hang up while we still send
        assert await status(client, "/") == 200


@pytest.mark.parametrize("path", ["/", STATE, "/nothing", "/broken", LIVE, MODE])
async def test_every_answer_says_what_a_browser_may_do(tmp_path: Path, path: str) -> None:
    """Also that of a fault, and where there is nothing."""
    async with running(Rig(tmp_path)) as rig, browser(rig) as client, client.get(path) as answer:
        headers = answer.headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; manifest-src 'self'; font-src 'self'; worker-src 'self'; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert "Access-Control-Allow-Origin" not in headers


async def test_a_websocket_has_them_too(tmp_path: Path) -> None:
    """Its answer is prepared elsewhere."""
    async with running(Rig(tmp_path)) as rig, browser(rig) as client, client.ws_connect(LIVE) as socket:
        assert socket.get_extra_info("socket") is not None
        assert socket._response.headers["X-Content-Type-Options"] == "nosniff"  # noqa: SLF001


async def test_only_those_named_may_show_the_page_in_a_frame(tmp_path: Path) -> None:
    """Such as Home Assistant."""
    rig = Rig(tmp_path, embed_in=["https://ha.example", "http://ha.local:8123"])
    async with running(rig), browser(rig) as client, client.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.endswith("; frame-ancestors 'self' https://ha.example http://ha.local:8123")
        assert "X-Frame-Options" not in answer.headers


async def test_answers_of_the_api_are_never_kept(tmp_path: Path) -> None:
    """What is not of the API says itself how long it is good."""
    async with running(Rig(tmp_path, base_path="/pv")) as rig, browser(rig) as client:
        for path in ("/pv/api/v1/state", "/pv/api/v1/nothing"):
            async with client.get(path) as answer:
                assert answer.headers["Cache-Control"] == "no-store"
        async with client.get("/") as answer:
            assert answer.headers["Cache-Control"] == "max-age=60"


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "bearer \xff", "Basic YTpi", "Bearer a b", "\t", "x" * 5000]
)
async def test_garbage_in_authorization_is_nobody(client: aiohttp.ClientSession, value: str) -> None:
    """A proxy's own login may be in there as well."""
    assert await status(client, STATE, Authorization=value) == 401


async def test_a_login_by_another_page_is_refused(rig: Rig, client: aiohttp.ClientSession) -> None:
    """Though it has the password: it could log somebody in as somebody else."""
    assert await rig.login(client, Origin=EVIL) == 403
    assert not [cookie for cookie in client.cookie_jar if cookie.key == COOKIE]
