"""What a guest, and somebody who is not even that, can do: nothing but look."""

import json

import aiohttp
import pytest

from pvcharge.web.settings import WebSettings
from web.house import House, open_house

METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS")
LOOKS = {"/state", "/live", "/day", "/energy", "/sessions", "/sessions.csv", "/savings", "/openapi.json"}
ANYBODY = {("GET", "/access"), ("POST", "/login"), ("POST", "/logout")}
DISGUISES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


def locked(house: House, *, guests: bool) -> House:
    """Return a house with a password."""
    settings = WebSettings.model_validate({"password": "correct horse", "guest_view": guests})
    return House(house.folder, settings)


@pytest.mark.parametrize("guests", [True, False])
async def test_each_method_of_each_route(house: House, guests: bool) -> None:  # noqa: FBT001 - a parameter
    """Whatever the document tells of: what is not for looking asks for more, with every method."""
    inside = locked(house, guests=guests)
    paths = inside.site.document()["paths"]
    assert isinstance(paths, dict)
    async with open_house(inside) as api:
        for path, item in paths.items():
            for method in METHODS:
                async with api.request(
                    method, path[1:].replace("{id}", "0" * 16), json={} if method[0] == "P" else None
                ) as answer:
                    status = answer.status
                if method == "OPTIONS":
                    assert status == 204, path
                elif method.replace("HEAD", "GET").lower() not in item:
                    assert status == 405, (method, path)
                elif (method.replace("HEAD", "GET"), path) in ANYBODY:
                    assert status != 401, path
                elif guests and path in LOOKS:
                    assert status in (200, 405, 422, 426), (method, path)
                else:
                    assert status in (401, 405), (method, path)
    assert inside.steering.done == []
    assert inside.stored.revision == 3


async def test_disguises(house: House) -> None:
    """A request is what its first line says, and a token counts only in its header."""
    inside = locked(house, guests=True)
    async with open_house(inside) as api:
        secret = json.loads((house.folder / "web-token").read_text())["token"]
        for header in DISGUISES:
            async with api.get("settings", headers={header: "PUT"}) as answer:
                assert answer.status == 401
            async with api.post("state", json={}, headers={header: "GET"}) as answer:
                assert answer.status == 405
        for query in ("token", "access_token", "password"):
            async with api.get("learned", params={query: secret}) as answer:
                assert answer.status == 401


async def test_sockets_of_whoever_may_not_look(house: House) -> None:
    """They are not opened; a guest's is, and what it says does nothing."""
    async with open_house(locked(house, guests=False)) as api:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await api.ws_connect("live")
        assert refused.value.status == 401
    inside = locked(house, guests=True)
    async with open_house(inside) as api, api.ws_connect("live") as ws:
        await ws.receive_str()
        await ws.send_json({"mode": "off"})
        async with api.get("state") as answer:
            assert answer.status == 200
    assert inside.steering.done == []
