"""Each knob of a bad day, turned while the box runs."""

import asyncio
from typing import Any

import pytest
from websockets.exceptions import InvalidHandshake

from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot import WattpilotBox, WattpilotFaults


async def test_freeze_keeps_the_connection_and_says_nothing(house: Any) -> None:
    """A frozen box is silent and deaf, but its connection stays open and even answers pings."""
    server = await house.serve()
    client = await (await house.client(server)).ready()
    await client.until_type("deltaStatus")
    server.faults.freeze = True
    await client.write("amp", 8)
    await client.until_silent()
    await asyncio.wait_for(await client.link.ping(), 1)
    assert server.box.properties["amp"] == 16
    server.faults.freeze = False
    await client.until_type("deltaStatus")


async def test_what_changed_during_a_freeze_comes_after_it(house: Any) -> None:
    """A box that thaws reports what its clients have missed."""
    server = await house.serve()
    client = await (await house.client(server)).ready()
    server.faults.freeze = True
    server.box.press("amp", 8)
    await client.until_silent()
    server.faults.freeze = False
    await client.until_told("amp", 8)


async def test_a_reboot_while_frozen_orphans_connections(house: Any) -> None:
    """The client's connection looks open, but nothing will ever come over it."""
    server = await house.serve(WattpilotBox(boot_s=2))
    client = await (await house.client(server)).ready()
    server.faults.freeze = True
    server.box.reboot()
    await client.until_silent()
    assert server.box.online
    await asyncio.wait_for(await client.link.ping(), 1)


async def test_drop_cuts_all_connections_without_goodbye(house: Any) -> None:
    """Every client loses its connection at once, and may come back."""
    server = await house.serve()
    clients = [await (await house.client(server)).ready() for _ in range(2)]
    server.faults.drop()
    for client in clients:
        assert (await client.until_lost()).rcvd is None
    await (await house.client(server)).ready()


async def test_refuse_lets_nobody_in(house: Any) -> None:
    """New connections fail while those that are there stay."""
    server = await house.serve()
    inside = await (await house.client(server)).ready()
    server.faults.refuse = True
    with pytest.raises((InvalidHandshake, OSError, EOFError)):
        await house.client(server)
    await inside.until_type("deltaStatus")
    server.faults.refuse = False
    await (await house.client(server)).ready()


async def test_slow_login(house: Any) -> None:
    """The box lets a client wait for its verdict, in real seconds."""
    client = await house.client(await house.serve(faults=WattpilotFaults(auth_delay_s=0.1)))
    started = asyncio.get_running_loop().time()
    assert (await client.log_in())["type"] == "authSuccess"
    assert asyncio.get_running_loop().time() - started >= 0.1


async def test_garbage_comes_in_between(house: Any) -> None:
    """Text that is no JSON, JSON that is no message, unknown types and binary frames; good ones as well."""
    server = await house.serve()
    client = await (await house.client(server)).ready()
    server.faults.garbage = True
    frames = [await client.link.recv() for _ in range(16)]
    assert {"{", "[1, 2]", '{"type":"deltaStatus"}', '{"type":"weather","sun":true}'} <= set(frames)
    assert any(isinstance(frame, bytes) for frame in frames)
    assert any(isinstance(frame, str) and '"nrg"' in frame for frame in frames)


async def test_every_nth_write_is_rejected(house: Any) -> None:
    """Rejected writes fail and change nothing; the others work."""
    server = await house.serve(faults=WattpilotFaults(reject_every=2))
    client = await (await house.client(server)).ready()
    outcomes = [(await client.set("amp", amp))["success"] for amp in (7, 8, 9, 10)]
    assert outcomes == [True, False, True, False]
    assert server.box.properties["amp"] == 9


async def test_ignored_writes_look_like_success(house: Any) -> None:
    """The response says yes, the status never follows."""
    server = await house.serve(faults=WattpilotFaults(ignore_writes=True))
    client = await (await house.client(server)).ready()
    assert (await client.set("amp", 8))["success"] is True
    assert server.box.properties["amp"] == 16


async def test_duplicate_responses(house: Any) -> None:
    """Every response comes twice, word for word."""
    client = await house.client(await house.serve(faults=WattpilotFaults(duplicate_responses=True)))
    await client.ready()
    first = await client.set("amp", 8)
    assert await client.until_type("response") == first


async def test_a_late_response_comes_after_its_delta(house: Any) -> None:
    """The changed value is seen before the response that announces it."""
    client = await house.client(await house.serve(faults=WattpilotFaults(late_responses=True)))
    await client.ready()
    await client.write("amp", 8)
    await client.until_told("amp", 8)
    assert client.heard[-1]["type"] == "deltaStatus"
    assert (await client.until_type("response"))["requestId"] == "1"


async def test_late_responses_overtake_each_other(house: Any) -> None:
    """Two requests at once are answered in the reverse order."""
    client = await house.client(await house.serve(faults=WattpilotFaults(late_responses=True)))
    await client.ready()
    await client.until_type("deltaStatus")
    await client.write("amp", 8)
    await client.write("amp", 9)
    assert [(await client.until_type("response"))["requestId"] for _ in range(2)] == ["2", "1"]


async def test_missing_and_retyped_keys(house: Any) -> None:
    """Some firmware does not report a key, or reports it as another JSON type; null stays null."""
    faults = WattpilotFaults(missing={"pha", "nrg"}, retyped={"amp": str, "alw": int, "acu": float})
    client = await (await house.client(await house.serve(faults=faults))).ready()
    await client.until_type("deltaStatus")
    assert not {"pha", "nrg"} & client.status.keys()
    assert (client.status["amp"], client.status["acu"]) == ("16", None)
    assert type(client.status["alw"]) is int
    assert (await client.set("amp", 8))["status"] == {"amp": "8"}


async def test_a_change_by_hand_is_seen(house: Any) -> None:
    """What somebody sets at the box or in the app comes with a delta, without any response."""
    server = await house.serve()
    client = await (await house.client(server)).ready()
    server.box.press("lmo", 4)
    await client.until_told("lmo", 4)
    assert all(message["type"] != "response" for message in client.heard)


async def test_a_reboot_cuts_and_keeps_out(house: Any) -> None:
    """While the box boots nobody gets in; the car waits, then goes on by itself."""
    server = await house.serve(WattpilotBox(boot_s=60))
    client = await (await house.client(server)).ready()
    server.box.plug(Car())
    await client.until(lambda _: client.status["car"] == 2)
    server.box.reboot()
    await client.until_lost()
    assert not server.box.online
    await house.until(lambda: server.box.online)
    again = await (await house.client(server)).ready()
    await again.until(lambda _: again.status["car"] == 2)
    assert again.status["rbc"] == client.status["rbc"] + 1
