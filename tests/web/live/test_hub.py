"""The live view: a snapshot, then changes; and clients that do not keep up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest

from pvcharge.model import Mode, Reason
from pvcharge.web.live import client as live_client
from pvcharge.web.live import hub as live_hub
from pvcharge.web.settings import WebSettings
from web.house import House, open_house
from web.scraping import decision, flow, health, status

PATIENCE_S = 10.0  # real seconds; only a test that fails takes so long


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell more often than people would like."""
    monkeypatch.setattr(live_hub, "EVERY_S", 0.02)
    monkeypatch.setattr(live_hub, "SILENCE_S", 0.2)


async def heard(ws: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next message."""
    async with asyncio.timeout(PATIENCE_S):
        document = json.loads(await ws.receive_str())
    assert isinstance(document, dict)
    return document


async def heard_change(ws: aiohttp.ClientWebSocketResponse, key: str) -> dict[str, Any]:
    """Return the changes of the next message that has some of this key."""
    while True:
        message = await heard(ws)
        if key in message["changes"]:
            return dict(message["changes"])


async def test_a_snapshot_and_then_what_changes(house: House, api: aiohttp.ClientSession) -> None:
    """The snapshot is the state; each change tells what differs, and its number follows the one before."""
    house.keeper.take(flow())
    async with api.get("state") as answer, api.ws_connect("live") as ws:
        first = await heard(ws)
        assert (first["type"], first["state"]) == ("snapshot", await answer.json())
        house.publish(flow(house.pass_time(5), pv_w=4100.0))
        house.publish(decision(house.pass_time(1), mode=Mode.BOOST, reason=Reason.BOOST))
        second = await heard(ws)
        assert (second["type"], second["seq"]) == ("delta", first["seq"] + 1)
        assert second["at"] == "2026-06-15T12:00:06+00:00"
        changes = second["changes"]
        assert changes["values"]["pv_w"] == 4100.0
        assert "grid_w" not in changes["values"]
        assert changes["texts"]["en"]["reason"] == "Boost: full power."
        assert changes["decision_age_s"] == 0.0
        assert [device["name"] for device in changes["devices"]] == ["roof"]
        third = await heard(ws)
        assert (third["seq"], third["changes"]) == (second["seq"] + 1, {})


async def test_what_is_told_adds_up(house: House, api: aiohttp.ClientSession) -> None:
    """Snapshot and changes, put together as the contract says, are the state."""
    async with api.ws_connect("live") as ws:
        state = (await heard(ws))["state"]
        for event in (flow(), status(), decision(), health("box"), health("box", ok=False), flow(pv_w=1.0)):
            house.publish(event)
            house.pass_time(7)
            await asyncio.sleep(0.05)
        house.publish(health("last"))
        while "last" not in {device["name"] for device in state["devices"]}:
            message = await heard(ws)
            changes = message["changes"]
            values = {**state["values"], **changes.pop("values", {})}
            state = {**state, **changes, "values": values, "at": message["at"]}
        async with api.get("state") as answer:
            assert state == await answer.json()


async def test_ages_alone_are_no_news(house: House, api: aiohttp.ClientSession) -> None:
    """They are told with the next sign of life."""
    house.keeper.take(status())
    async with api.ws_connect("live") as ws:
        await heard(ws)
        started_s = asyncio.get_running_loop().time()
        house.pass_time(3)
        changes = await heard_change(ws, "devices")
        assert [device["age_s"] for device in changes["devices"]] == [3.0]
        assert asyncio.get_running_loop().time() - started_s > 0.1


async def test_messages_are_rendered_once_for_all(
    house: House, api: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many look on."""
    rendered: list[object] = []
    dump = live_hub.dump

    def counted(document: Any) -> str:
        rendered.append(document["type"])
        return dump(document)

    monkeypatch.setattr(live_hub, "dump", counted)
    async with several(api, 20) as clients:
        firsts = [await heard(ws) for ws in clients]
        house.publish(flow())
        for ws in clients:
            await heard_change(ws, "values")
    snapshots = len({first["seq"] for first in firsts})
    assert rendered.count("snapshot") == snapshots
    assert rendered.count("delta") < 20


@asynccontextmanager
async def several(
    api: aiohttp.ClientSession, number: int
) -> AsyncIterator[list[aiohttp.ClientWebSocketResponse]]:
    """Return so many clients that look on."""
    clients = [await api.ws_connect("live") for _ in range(number)]
    try:
        yield clients
    finally:
        for ws in clients:
            await ws.close()


async def stalled(api: aiohttp.ClientSession) -> tuple[aiohttp.ClientWebSocketResponse, asyncio.Transport]:
    """Return a client that has begun to look on, and reads nothing until its transport resumes."""
    ws = await api.ws_connect("live", autoping=False, max_msg_size=0)
    connection = ws._response.connection  # noqa: SLF001 - nothing else lets it pause
    assert connection is not None
    transport = cast("asyncio.Transport", connection.transport)
    transport.pause_reading()
    return ws, transport


def fill(house: House, number: int) -> None:
    """Have some 60 kB changed."""
    for index in range(300):
        house.publish(health(f"{'device' * 20} {index}", {"count": float(number)}))


async def test_who_does_not_keep_up_gets_a_snapshot(house: House, api: aiohttp.ClientSession) -> None:
    """What was missed is dropped, the numbers go on, and nobody else notices."""
    slow, transport = await stalled(api)
    async with api.ws_connect("live", max_msg_size=0) as quick:
        last = await heard(quick)
        for number in range(60):
            fill(house, number)
            last = await heard(quick)
            assert max(client.waiting for client in house.hub.clients) <= live_client.QUEUE
        transport.resume_reading()
        seqs: list[int] = []
        kinds: list[str] = []
        while not seqs or seqs[-1] < last["seq"]:
            message = await heard(slow)
            seqs.append(message["seq"])
            kinds.append(message["type"])
        assert seqs == sorted(set(seqs))
        gaps = [
            kind for kind, before, seq in zip(kinds[1:], seqs, seqs[1:], strict=False) if seq > before + 1
        ]
        assert gaps
        assert set(gaps) == {"snapshot"}
        await slow.close()


async def test_who_does_not_read_is_cut(
    house: House, api: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if there was nothing to be told that would have filled its buffers: no pong comes."""
    monkeypatch.setattr(live_client, "READS_S", 0.3)
    await stalled(api)
    async with asyncio.timeout(PATIENCE_S):
        while house.hub.clients:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def test_who_reads_stays(
    house: House, api: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pongs come by themselves."""
    monkeypatch.setattr(live_client, "READS_S", 0.2)
    async with api.ws_connect("live") as ws:
        for _ in range(5):
            await heard(ws)
        assert len(house.hub.clients) == 1


async def test_too_many(house: House, api: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused, until somebody goes."""
    monkeypatch.setattr(live_hub, "MOST_CLIENTS", 2)
    async with several(api, 2) as clients:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await api.ws_connect("live")
        assert refused.value.status == 503
        await clients[0].close()
        async with asyncio.timeout(PATIENCE_S):
            while len(house.hub.clients) > 1:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        async with api.ws_connect("live") as ws:
            await heard(ws)


async def test_guests_leave_places(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of them look on, the owner finds one."""
    monkeypatch.setattr(live_hub, "MOST_WITH_GUESTS", 1)
    locked = House(
        house.folder, WebSettings.model_validate({"password": "correct horse", "guest_view": True})
    )
    async with open_house(locked) as api, several(api, 1):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await api.ws_connect("live")
        token = json.loads((house.folder / "web-token").read_text())["token"]
        async with api.ws_connect("live", headers={"Authorization": f"Bearer {token}"}) as ws:
            assert (await heard(ws))["state"]["level"] == "owner"


async def test_what_clients_say_is_ignored(api: aiohttp.ClientSession) -> None:
    """Unless it is too much."""
    async with api.ws_connect("live") as ws:
        await ws.send_str('{"type": "hello"}')
        await ws.send_bytes(b"\x00" * 4000)
        await heard(ws)
        await heard(ws)
        await ws.send_str("x" * 5000)
        async with asyncio.timeout(PATIENCE_S):
            while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_the_end_leaves_nothing_behind(house: House) -> None:
    """Clients are told to come again, and all tasks have ended."""
    before = asyncio.all_tasks()
    async with aiohttp.ClientSession() as client:
        async with open_house(house) as api:
            async with api.get("state") as answer:
                url = answer.url.with_path("/api/v1/live")
            reading, (stuck, _) = await client.ws_connect(url), await stalled(api)
            await heard(reading)
        assert (await reading.receive()).data == aiohttp.WSCloseCode.GOING_AWAY
        await stuck.close()
    assert house.hub.clients == set()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() <= before


async def test_a_guest_sees_no_commands(house: House) -> None:
    """The snapshot is the guest's own, the changes are those of all."""
    settings = WebSettings.model_validate({"password": "correct horse", "guest_view": True})
    locked = House(house.folder, settings)
    async with open_house(locked) as api, api.ws_connect("live") as ws:
        state = (await heard(ws))["state"]
        assert (state["level"], state["can"]) == ("guest", ["history"])
        locked.publish(flow())
        assert (await heard_change(ws, "values"))["values"]["pv_w"] == 4000.0


async def test_who_may_not_any_more_is_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as after a log-out elsewhere."""
    monkeypatch.setattr(live_client, "CHECK_S", 0.05)
    locked = House(house.folder, WebSettings.model_validate({"password": "correct horse"}))
    async with open_house(locked) as api:
        async with api.get("access") as answer:
            own = {"Origin": str(answer.url.origin())}  # as a browser says on our own page
        async with api.post("login", json={"password": "correct horse"}, headers=own) as answer:
            assert answer.status == 204
        async with api.ws_connect("live", headers=own) as ws:
            await heard(ws)
            async with api.post("logout", json={}, headers=own) as answer:
                assert answer.status == 204
            async with asyncio.timeout(PATIENCE_S):
                while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
            assert message.data == aiohttp.WSCloseCode.POLICY_VIOLATION
