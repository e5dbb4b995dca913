"""The box over a real socket: login, status, and what a client may ask."""

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotServer


async def test_introduces_itself(house: Any) -> None:
    """The first two frames say who the box is and what it wants; old firmware names no hash."""
    client = await house.client(await house.serve())
    hello, asked = await client.hear(), await client.hear()
    assert hello == {
        "type": "hello",
        "serial": "10000001",
        "hostname": "Wattpilot_10000001",
        "friendly_name": "Wattpilot_10000001",
        "manufacturer": "fronius",
        "devicetype": "wattpilot",
        "version": "36.3",
        "protocol": 2,
        "secured": True,
    }
    assert asked.keys() == {"type", "token1", "token2"}
    assert re.fullmatch("[A-Za-z0-9]{32}", asked["token1"])
    assert asked["token1"] != asked["token2"]


@pytest.mark.parametrize("flex", [False, True])
@pytest.mark.parametrize("hash_mode", [None, "pbkdf2", "bcrypt"])
async def test_lets_the_right_password_in(house: Any, flex: bool, hash_mode: str | None) -> None:  # noqa: FBT001
    """Both algorithms work on both generations, named or not; the success echoes the login."""
    server = await house.serve(WattpilotBox(flex=flex), hash_mode=hash_mode)
    client = await house.client(server)
    verdict = await client.log_in()
    assert verdict.keys() == {"type", "token3", "hash"}
    assert verdict["type"] == "authSuccess"
    assert client.heard[1].get("hash") == hash_mode


async def test_keeps_a_wrong_password_out(house: Any) -> None:
    """A wrong password is told, then the box closes the connection in an orderly way."""
    client = await house.client(await house.serve())
    verdict = await client.log_in("something else")
    assert (verdict["type"], verdict["message"]) == ("authError", "Wrong password")
    with pytest.raises(ConnectionClosed) as closed:
        await client.hear()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


@pytest.mark.parametrize("nonsense", ["{", "[]", '{"type":"auth"}', '{"type":"PING"}'])
async def test_survives_a_nonsense_login(house: Any, nonsense: str) -> None:
    """Whatever comes instead of a login is a wrong password."""
    client = await house.client(await house.serve())
    await client.link.send(nonsense)
    assert (await client.until_type("authError"))["message"] == "Wrong password"


@pytest.mark.parametrize(("flex", "parts", "keys"), [(False, 4, 304), (True, 1, 558)])
async def test_full_status_comes_in_parts(house: Any, flex: bool, parts: int, keys: int) -> None:  # noqa: FBT001
    """Old boxes send four parts, the last without `partial`; the Flex sends all in one."""
    client = await house.client(await house.serve(WattpilotBox(flex=flex)))
    await client.ready()
    seen = [message["partial"] for message in client.heard if message["type"] == "fullStatus"]
    assert seen == [True] * (parts - 1) + [False]
    assert len(client.status) == keys


@pytest.mark.parametrize(("flex", "last"), [(False, "updateInverter"), (True, "clearSmips")])
async def test_lists_inverters_after_the_status(house: Any, flex: bool, last: str) -> None:  # noqa: FBT001
    """The list of inverters is reset and filled; the Flex resets the list of meters, too."""
    client = await (await house.client(await house.serve(WattpilotBox(flex=flex)))).ready()
    names: list[str] = []
    while len(names) < (4 if flex else 3):
        names.append((await client.until(lambda message: message["type"] != "deltaStatus"))["type"])
    assert names[:3] == ["clearInverters", "updateInverter", "updateInverter"]
    assert names[-1] == last


async def test_deltas_come_all_the_time_and_hold_what_changed(house: Any) -> None:
    """Even an idle box talks: times, grid and temperatures always, all else only when it changed."""
    client = await (await house.client(await house.serve())).ready()
    first, second = await client.until_type("deltaStatus"), await client.until_type("deltaStatus")
    for delta in (first, second):
        assert delta["status"].keys() >= {"utc", "loc", "rbt", "nrg", "fhz", "tma"}
        assert not delta["status"].keys() & {"amp", "frc", "lmo", "car", "sse"}
    assert 0 < second["status"]["rbt"] - first["status"]["rbt"] < 100_000


async def test_a_charge_is_seen(house: Any) -> None:
    """A client sees a car coming, drawing its power, and leaving."""
    server = await house.serve()
    client = await (await house.client(server)).ready()
    server.box.plug(Car())
    await client.until(lambda _: client.status["car"] == 2 and client.status["nrg"][4] == 16)
    server.box.unplug()
    await client.until(lambda _: client.status["car"] == 1)
    assert client.status["acu"] is None
    assert client.status["nrg"][11] == 0


async def test_writes_and_echoes(house: Any) -> None:
    """A write is answered with the inner request's id as a string, and all clients see it in a delta."""
    server = await house.serve()
    writer = await (await house.client(server)).ready()
    watcher = await (await house.client(server)).ready()
    response = await writer.set("amp", 8)
    assert response == {"type": "response", "requestId": "1", "success": True, "status": {"amp": 8}}
    for client in (writer, watcher):
        await client.until_told("amp", 8)


async def test_refuses_what_is_out_of_range(house: Any) -> None:
    """The text of a refused write is go-e's."""
    client = await (await house.client(await house.serve())).ready()
    response = await client.set("amp", 33)
    assert response["success"] is False
    assert response["message"] == "amp: failed: Value 33 exceeds range 6 to 16 (33)"
    assert response["requestId"] == "1"


async def test_refuses_a_wrong_signature(house: Any) -> None:
    """A write with a wrong hmac fails and changes nothing."""
    server = await house.serve()
    client = await (await house.client(server)).ready()
    await client.write("amp", 8, hmac="0" * 64)
    response = await client.until_type("response")
    assert (response["success"], response["requestId"]) == (False, "1sm")
    assert server.box.properties["amp"] == 16


@pytest.mark.parametrize("secured", [True, False])
async def test_unsigned_writes(house: Any, secured: bool) -> None:  # noqa: FBT001
    """A plain write is taken only by a box that says it wants none signed."""
    server = await house.serve(secured=secured)
    client = await (await house.client(server)).ready()
    assert client.heard[0]["secured"] is secured
    await client.say({"type": "setValue", "requestId": 5, "key": "amp", "value": 8})
    assert (await client.until_type("response"))["success"] is not secured
    assert server.box.properties["amp"] == (16 if secured else 8)


async def test_unknown_messages_fail(house: Any) -> None:
    """Clients use PING as a probe: the box does not know it and says so."""
    client = await (await house.client(await house.serve())).ready()
    await client.say({"type": "PING"})
    response = await client.until_type("response")
    assert response == {"type": "response", "success": False, "message": 'unknown message type="PING"'}


async def test_full_status_on_request_but_not_twice_at_once(house: Any) -> None:
    """A client may ask for the full status; a second wish meanwhile fails with the box's own spelling."""
    client = await (await house.client(await house.serve())).ready()
    await client.until_type("updateInverter")
    for request_id in (1, 2):
        await client.say({"type": "requestFullStatus", "requestId": request_id})
    response = await client.until_type("response")
    assert response["requestId"] == "2"
    assert response["message"] == "sending of fullStatus still in progress, paralell not allowed anymore!"
    await client.until(lambda message: message["type"] == "fullStatus" and not message["partial"])


async def test_reboot_by_a_client_ends_the_connection(house: Any) -> None:
    """The box answers, goes away without a goodbye, and is back later with its counter raised."""
    server = await house.serve(WattpilotBox(boot_s=5))
    client = await (await house.client(server)).ready()
    assert (await client.set("rst", 1))["success"] is True
    await client.until_lost()
    await house.until(lambda: server.box.online)
    again = await (await house.client(server)).ready()
    assert again.status["rbc"] == client.status["rbc"] + 1


async def test_only_one_path(house: Any) -> None:
    """Anything but /ws is not found."""
    server = await house.serve()
    with pytest.raises(InvalidStatus, match="404"):
        await connect(server.url + "/other")


async def test_box_lives_without_clients(house: Any) -> None:
    """A car charges whether somebody watches or not."""
    server = await house.serve()
    server.box.plug(Car())
    await house.until(lambda: server.box.power_w > 0)


async def test_closing_leaves_nothing_behind(house: Any) -> None:
    """After `aclose` no task is left, even with clients that are in the middle of something."""
    before = asyncio.all_tasks()
    server = await house.serve()
    asking = await house.client(server)
    await asking.hear()
    ready = await (await house.client(server)).ready()
    await server.aclose()
    for client in (asking, ready):
        await client.until_lost()
        await client.link.wait_closed()
    assert asyncio.all_tasks() == before
    await server.aclose()


async def test_closes_and_starts_again_on_its_port(house: Any) -> None:
    """A server that was closed can be started again where clients know it."""
    server = await house.serve()
    port = server.port
    await server.aclose()
    await server.start()
    assert server.port == port
    await (await house.client(server)).ready()


class BrokenClock:
    """A clock whose time never passes without an accident."""

    def now(self) -> datetime:
        """Return noon."""
        return datetime(2026, 6, 1, 12, tzinfo=UTC)

    async def sleep(self, seconds: float) -> NoReturn:
        """Fail."""
        raise ZeroDivisionError(seconds)


async def test_an_error_in_the_background_surfaces() -> None:
    """What ended the box's life is raised when the server is closed."""
    server = WattpilotServer(WattpilotBox(), password="secret", clock=BrokenClock())
    await server.start()
    await asyncio.sleep(0.01)
    with pytest.raises(ZeroDivisionError):
        await server.aclose()


async def test_an_error_of_a_connection_is_logged(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A mistake in serving one client closes its connection and is on record; the next one is served."""
    server = await house.serve()
    server.faults.retyped = {"sse": lambda _: 1 / 0}
    await (await house.client(server)).log_in()
    await house.until(lambda: "connection handler failed" in caplog.text)
    server.faults.retyped = {}
    await (await house.client(server)).ready()


async def test_frames_are_compact_json(house: Any) -> None:
    """One object per text frame, without blanks between its parts."""
    client = await house.client(await house.serve())
    frame = await client.link.recv()
    assert isinstance(frame, str)
    assert frame == json.dumps(json.loads(frame), separators=(",", ":"))
