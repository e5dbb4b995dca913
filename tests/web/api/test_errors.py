"""What goes wrong with requests: always a problem, never a traceback."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from pvcharge.web.settings import WebSettings
from web.house import House, open_house

JSON = {"Content-Type": "application/json"}
PASSWORD = "correct horse"


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """Return the list to which everything logged is appended."""
    with capture_logs() as captured:
        yield captured


async def problem(answer: aiohttp.ClientResponse, status: int) -> dict[str, Any]:
    """Return the problem that an answer tells of."""
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    document: dict[str, Any] = await answer.json(content_type=None)
    assert document["status"] == status
    assert document["title"]
    assert document["type"] == "about:blank"
    return document


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b'{"mode": "off"', b'{"mode": "\\ud800"}', b'{"mode": "off"} x', b"[" * 5000],
)
async def test_what_is_no_json(api: aiohttp.ClientSession, content: bytes) -> None:
    """Cut off, no UTF-8, or too deep."""
    async with api.put("mode", data=content, headers=JSON) as answer:
        assert "JSON" in (await problem(answer, 400))["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_another_kind_of_body(api: aiohttp.ClientSession, kind: str) -> None:
    """Only JSON will do: a form of another site's page can send the others."""
    async with api.put("mode", data=b'{"mode":"off"}', headers={"Content-Type": kind}) as answer:
        await problem(answer, 415)


async def test_a_body_that_never_ends(house: House, api: aiohttp.ClientSession) -> None:
    """Whether it says how long it is or not."""

    async def chunks() -> Any:
        for _ in range(40):
            yield b" " * 4096

    for data in (b" " * 100_000, chunks()):
        try:
            async with api.put("mode", data=data, headers=JSON) as answer:
                await problem(answer, 413)
        except aiohttp.ClientConnectionError:
            pass  # it has hung up in the middle, which is an answer, too
    assert house.steering.done == []


@pytest.mark.parametrize("path", ["nothing", "state/", "State", "tokens/a/b", "../v2/state"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_there_is_nothing_there(api: aiohttp.ClientSession, path: str, method: str) -> None:
    """With any method."""
    async with api.request(method, path, headers=JSON if method == "PUT" else {}) as answer:
        await problem(answer, 404)


@pytest.mark.parametrize(
    ("path", "methods"), [("mode", "PUT"), ("state", "GET,HEAD"), ("settings", "GET,HEAD,PATCH")]
)
async def test_other_methods(api: aiohttp.ClientSession, path: str, methods: str) -> None:
    """It is said which there are, also to whoever just asks."""
    async with api.post(path, json={}) as answer:
        await problem(answer, 405)
        assert answer.headers["Allow"] == methods
    async with api.options(path) as answer:
        assert (answer.status, answer.headers["Allow"], await answer.read()) == (204, methods, b"")


async def test_head_is_get_without_the_body(api: aiohttp.ClientSession) -> None:
    """With the length that there would be."""
    async with api.head("state") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 100


async def test_what_nobody_foresaw(
    house: House,
    api: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    logs: list[MutableMapping[str, Any]],
) -> None:
    """The answer says where in the log it stands, and nothing else; the log says all."""
    monkeypatch.setattr(house.past, "savings", lambda: 1 / 0)
    async with api.get("savings") as answer:
        told = await problem(answer, 500)
    [line] = [line for line in logs if line["event"] == "request failed"]
    assert line["reference"] == told["reference"]
    assert line["exc_info"]
    assert "zero" not in str(told)


async def test_big_answers_are_packed(api: aiohttp.ClientSession) -> None:
    """For whoever can read that."""
    sizes = []
    for accepted in ("gzip", "identity"):
        async with api.get(
            "sessions?start=2000-01-01&limit=300", headers={"Accept-Encoding": accepted}
        ) as it:
            assert it.headers.get("Content-Encoding") == ("gzip" if accepted == "gzip" else None)
            assert it.headers["Vary"] == "Accept-Encoding"
            assert len((await it.json())["sessions"]) == 300
            sizes.append(int(it.headers.get("Content-Length", "0")) or len(await it.read()))
    assert sizes[1] > 50_000


async def test_who_may_do_what(house: House) -> None:
    """A guest sees the house, and commands nothing; whoever is not known sees nothing."""
    for guests, seen in ((True, 200), (False, 401)):
        settings = WebSettings.model_validate({"password": PASSWORD, "guest_view": guests})
        locked = House(house.folder, settings)
        async with open_house(locked) as api:
            for path in ("state", "day", "sessions", "sessions.csv", "savings", "openapi.json"):
                async with api.get(path) as answer:
                    assert answer.status == seen, path
            for path in ("settings", "learned", "log", "support", "tokens"):
                async with api.get(path) as answer:
                    await problem(answer, 401)
            async with api.put("mode", json={"mode": "off"}) as answer:
                await problem(answer, 401)
            if guests:
                async with api.get("state") as answer:
                    state = await answer.json()
                assert (state["level"], state["can"]) == ("guest", ["history"])
        assert locked.steering.done == []


async def test_below_a_path(house: House) -> None:
    """All of it is there, and the way to it; watchers find theirs above it, too."""
    below = House(house.folder, WebSettings.model_validate({"base_path": "/pvcharge"}))
    async with open_house(below) as api:
        async with api.get("state") as answer:
            assert answer.status == 200
        for path, status in (("/healthz", 200), ("/pvcharge/metrics", 200), ("/api/v1/state", 404)):
            async with api.get(path) as answer:
                assert answer.status == status, path
        for path in ("/", "/pvcharge"):
            async with api.get(path, allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (302, "/pvcharge/")
        async with api.get("/elsewhere") as answer:
            await problem(answer, 404)
