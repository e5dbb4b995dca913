"""`pvcharge status`, and commands by the API: a page in this process, the shell in one of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli.runner import Result, Run, WriteConfig, finish, start
from pvcharge.cli.status import lines
from pvcharge.model import Mode
from pvcharge.web.settings import WebSettings
from web.house import SESSION, House, open_house
from web.scraping import decision, flow, free_port, health, status

PASSWORD = "correct horse"
HTTP = b"HTTP/1.0 200 OK\r\n\r\n"


class Daemon:
    """A house with a page, and the configuration by which the shell finds it."""

    def __init__(self, house: House, config: Path) -> None:
        self.house = house
        self.config = config

    async def shell(self, *words: str) -> Result:
        """Run a command in a process of its own, while the daemon goes on."""
        return await asyncio.to_thread(finish, start(*words, "--config", self.config))


@pytest.fixture
async def daemon(tmp_path: Path, write_config: WriteConfig) -> AsyncIterator[Daemon]:
    """Return a daemon that wants a password, and has kept a token for this machine."""
    port = free_port()
    listen = f"127.0.0.1:{port}"
    config = write_config(rest=f'[web]\nlisten = "{listen}"\npassword = "{PASSWORD}"\n')
    house = House(tmp_path / "state", WebSettings.model_validate({"listen": listen, "password": PASSWORD}))
    for event in (flow(), status(), decision(source="roof"), health("roof"), health("box", ok=False)):
        house.keeper.take(event)
    house.session = SESSION
    async with open_house(house, port):
        yield Daemon(house, config)


async def test_in_words(daemon: Daemon) -> None:
    """What is done and why, the powers, the session, and each device."""
    result = await daemon.shell("status")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "home, standalone, pvcharge 1.0, at 2026-06-15 14:00:00",
        "Following the surplus of 2.9 kW.",
        "roof drives.",
        "mode      surplus",
        "PV        4.0 kW",
        "house     2.5 kW",
        "grid      1.5 kW sold",
        "charger   1.4 kW, charging",
        "session   4.0 kWh, 75% of it solar",
        "roof      works, heard 0 s ago",
        "box       fails, heard 0 s ago: key=SECRET refused",
    ]


async def test_as_json(daemon: Daemon) -> None:
    """As the API tells it, with what was learned."""
    result = await daemon.shell("status", "--json", "--learned")
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    assert document["values"]["pv_w"] == 4000.0
    assert document["learned"]["voltage_v"] == 231.5


async def test_boost_and_mode(daemon: Daemon) -> None:
    """They go by the API where it answers, though there is no broker."""
    boost = await daemon.shell("boost", "on", "--for", "90")
    assert (boost.code, boost.out, boost.err) == (
        0,
        "boost on: done. Following the surplus of 2.9 kW.\n",
        "",
    )
    mode = await daemon.shell("mode", "off")
    assert (mode.code, mode.err) == (0, "")
    assert daemon.house.steering.done == [("boost", True, 90), ("mode", Mode.OFF)]


async def test_a_command_is_not_for_another_site(daemon: Daemon) -> None:
    """Its daemon may listen where ours should: nothing is switched there."""
    text = daemon.config.read_text(encoding="utf-8")
    daemon.config.write_text(text.replace("[site]", '[site]\nname = "cabin"', 1), encoding="utf-8")
    result = await daemon.shell("boost", "on")
    assert (result.code, result.out) == (1, "")
    assert "is that of the site 'home', not of 'cabin'; see [web] listen" in result.err
    assert daemon.house.steering.done == []


async def test_a_command_that_is_not_in_force(daemon: Daemon) -> None:
    """The page's words are passed on."""
    daemon.house.steering.deaf = True
    result = await daemon.shell("mode", "off")
    assert (result.code, result.out) == (1, "")
    assert result.err == "pvcharge: mode off: the controller has not carried it out within 5 s; see its log\n"


async def test_without_the_token(daemon: Daemon) -> None:
    """Who may not read it is told how to get in."""
    (daemon.house.folder / "web-token").unlink()
    result = await daemon.shell("status")
    assert (result.code, result.out) == (1, "")
    assert "PVCHARGE_TOKEN" in result.err


async def test_another_daemon(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its address, with a token in the environment."""
    token = json.loads((daemon.house.folder / "web-token").read_text())["token"]
    monkeypatch.setenv("PVCHARGE_TOKEN", token)
    url = daemon.house.settings.local_url
    result = await asyncio.to_thread(finish, start("status", "--url", url))
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("home, standalone")


def test_nobody_is_there(pvcharge: Run, write_config: WriteConfig) -> None:
    """It says where it has looked."""
    port = free_port()
    config = write_config(rest=f'[web]\nlisten = "127.0.0.1:{port}"\n')
    for words in (("status",), ("mode", "off")):
        result = pvcharge(*words, "--config", config)
        assert (result.code, result.out) == (1, "")
        assert f"no pvcharge at http://127.0.0.1:{port}: nobody listens there" in result.err


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense.invalid", "http://nonsense.invalid: there is no machine of this name"),
        ("http://[", "http://[: that is no address such as http://pi:8080"),
        ("ftp://pi", "ftp://pi: that is no address such as http://pi:8080"),
    ],
)
def test_a_wrong_address(pvcharge: Run, url: str, told: str) -> None:
    """It says what is wrong with it."""
    result = pvcharge("status", "--url", url)
    assert (result.code, result.out, result.err) == (1, "", f"pvcharge: status: no pvcharge at {told}\n")


async def test_an_address_from_the_browser(daemon: Daemon) -> None:
    """The page's place in it does not matter; a base path that is missing is asked for."""
    (daemon.house.folder / "web-token").unlink()
    port = daemon.house.settings.local_url.rpartition(":")[2]
    for url in (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}/?x=1#/live"):
        result = await asyncio.to_thread(finish, start("status", "--url", url))
        assert (result.code, result.out) == (1, "")
        assert result.err.endswith("; put a token, made on its page, into $PVCHARGE_TOKEN\n")
    result = await asyncio.to_thread(finish, start("status", "--url", f"127.0.0.1:{port}/pv"))
    assert f"is http://127.0.0.1:{port}/pv the whole address of the page" in result.err


async def test_a_wrong_token(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has set one is told that it is the token."""
    monkeypatch.setenv("PVCHARGE_TOKEN", "pvc_wrong")
    result = await daemon.shell("status")
    assert (result.code, result.out) == (1, "")
    assert "the daemon does not know the token in $PVCHARGE_TOKEN" in result.err


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.0 200 OK\r\n\r\n<html>", HTTP + b"[]"])
async def test_somebody_else_is_there(answer: bytes) -> None:
    """Such as a program that does not speak HTTP, or the page of another one."""

    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for words in (("status", "--url", url), ("status", "--forget", "--yes", "--url", url)):
            result = await asyncio.to_thread(finish, start(*words))
            assert (result.code, result.out) == (1, "")
            assert result.err == f"pvcharge: status: no pvcharge at {url}: somebody else answers there\n"


async def test_another_api_is_there() -> None:
    """What cannot be understood is said to be so."""

    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HTTP + b'{"values": 3}')
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        result = await asyncio.to_thread(finish, start("status", "--url", url))
    assert (result.code, result.out) == (1, "")
    assert "answers something else than this version of pvcharge does" in result.err


def test_a_configuration_without_a_page(pvcharge: Run, write_config: WriteConfig) -> None:
    """The line names the file and the table."""
    path = write_config()
    result = pvcharge("status", "--config", path)
    assert (result.code, result.out) == (78, "")
    assert result.err.startswith(f"{path}: [web] is missing")


def test_nothing_is_known_yet(house_state: dict[str, Any]) -> None:
    """What is not known is said to be unknown, or left out."""
    assert list(lines(house_state)) == [
        "home, standalone, pvcharge 1.0, at 2026-06-15 14:00:00",
        "PV        unknown",
        "house     unknown",
        "grid      unknown",
        "charger   unknown",
    ]


def test_a_boost_and_a_battery(house_state: dict[str, Any]) -> None:
    """Until when, in the time of the house; and which way the battery's power goes."""
    house_state["values"] |= {
        "mode": "boost",
        "boost_until": "2026-06-15T13:30:00+00:00",
        "battery_w": -1200.0,
        "battery_soc_pct": 54.0,
    }
    told = list(lines(house_state))
    assert "mode      boost until 15:30:00" in told
    assert "battery   1.2 kW discharging, 54 %" in told


def test_long_names(house_state: dict[str, Any]) -> None:
    """The columns give way, as far as that is of use; nothing that comes from afar steers the terminal."""
    device = {"kind": "inverter", "ok": True, "age_s": 3.0, "error": None}
    names = ("roof east upstairs", "a name of more than thirty letters")
    house_state["devices"] = [{"name": name, **device} for name in names]
    assert list(lines(house_state))[-3:] == [
        "charger                        unknown",
        "roof east upstairs             works, heard 3 s ago",
        "a name of more than thirty letters works, heard 3 s ago",
    ]


async def test_a_name_that_would_steer_the_terminal(daemon: Daemon) -> None:
    """It does not."""
    daemon.house.keeper.take(health("roof\x1b[2J\n", ok=True))
    result = await daemon.shell("status")
    assert "roof?[2J? works" in result.out


@pytest.fixture
async def house_state(tmp_path: Path) -> dict[str, Any]:
    """Return the state of a house of which nothing is known yet."""
    return House(tmp_path).keeper.state("owner").model_dump(mode="json")
