"""`pvcharge probe`, against a Modbus server with the registers of inverters."""

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.runner import Result, Run, WriteConfig
from drivers.solaredge_modbus.images import Inverters, battery, inverter, meter
from pvcharge.cli import probe
from pvcharge.cli.main import COMMANDS
from pvcharge.drivers.base import Finding, Survey
from pvcharge.drivers.solaredge_modbus import SolarEdgeModbusInverter, line
from web.scraping import free_port


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "REOPEN_PAUSE_S", 0.01)


@pytest.fixture
async def house() -> AsyncIterator[Inverters]:
    """Run a leader with meter and battery, and a follower."""
    leader = inverter(3000, dc_w=3060) | meter(900) | battery(1000.0, 40.0)
    async with Inverters({1: leader, 2: inverter(2000, dc_w=2050, serial="7F")}) as server:
        yield server


async def probed(pvcharge: Run, *arguments: object) -> Result:
    """Run the command in a thread, beside the server."""
    return await asyncio.to_thread(pvcharge, "probe", *arguments)


def table(house: Inverters) -> str:
    """Return the table of this house, under the name `roof`."""
    return (
        f'[[inverter]]\ndriver = "solaredge_modbus"\nname = "roof"\nhost = "127.0.0.1"\nport = {house.port}\n'
    )


async def test_an_address_is_shown_with_all_that_is_there(pvcharge: Run, house: Inverters) -> None:
    """Parts, reading, balance, and what to paste; without any configuration, and nothing is written."""
    result = await probed(pvcharge, f"127.0.0.1:{house.port}", "--units", "1,2", "-c", "/nowhere/pv.toml")
    assert result.code == 0
    assert f"OK 127.0.0.1, port {house.port} answers" in result.out
    cells = " ".join(result.out.split())
    for words in ("where", "what", "role", "says", "grid power", "7E0A1B2C", "meter 1", "battery 1"):
        assert words in cells
    lines = result.out.splitlines()
    assert "reading  PV 6000 W, grid -900 W, load 4100 W, battery 1000 W, battery at 40 %" in lines
    assert "balance  pv + grid - load - battery = 110 W" in lines
    pasted = tomllib.loads(result.out.partition("For the configuration:")[2])
    expected = {"driver": "solaredge_modbus", "host": "127.0.0.1", "port": house.port, "units": [1, 2]}
    assert pasted == {"inverter": [expected]}
    assert {function for _, function, *_ in house.requests} == {3}


async def test_what_is_printed_as_toml_is_a_configuration(
    pvcharge: Run, write_config: WriteConfig, house: Inverters
) -> None:
    """It can be appended to the file as it is."""
    made = await probed(pvcharge, f"127.0.0.1:{house.port}", "--toml")
    assert made.code == 0
    assert made.out.startswith("[[inverter]]\n")
    checked = await asyncio.to_thread(pvcharge, "check", "-c", write_config(made.out))
    assert (checked.code, checked.err) == (0, "")
    assert "solaredge-modbus (solaredge_modbus)" in checked.out


async def test_json_has_all_of_it(pvcharge: Run, house: Inverters) -> None:
    """One object on stdout, and nothing else there."""
    result = await probed(pvcharge, f"127.0.0.1:{house.port}", "--json")
    document = json.loads(result.out)
    assert result.code == 0
    assert set(document) == {"device", "findings", "flow", "residual_w", "advice", "table"}
    assert [set(finding) for finding in document["findings"]] == [{"where", "what", "role", "says"}] * 3
    assert (document["flow"]["grid_w"], document["flow"]["limited"]) == (-900.0, False)
    assert document["table"]["port"] == house.port


async def test_a_device_of_the_configuration(
    pvcharge: Run, write_config: WriteConfig, house: Inverters
) -> None:
    """By its name, with its settings; what is in the file need not be pasted."""
    result = await probed(pvcharge, "roof", "-c", write_config(table(house)))
    assert result.code == 0
    assert "OK roof answers" in result.out
    assert "grid -900 W" in result.out
    assert "For the configuration" not in result.out


async def test_the_usual_ports_are_tried_in_turn(
    pvcharge: Run, house: Inverters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said which of them answers, and that the other does not."""
    assert probe.PORTS == (1502, 502)
    nobody = free_port()
    monkeypatch.setattr(probe, "PORTS", (nobody, house.port))
    result = await probed(pvcharge, "127.0.0.1")
    assert result.code == 0
    assert f"FAILED 127.0.0.1, port {nobody}: " in result.err
    assert f"OK 127.0.0.1, port {house.port} answers" in result.out
    assert f"port = {house.port}\n" in result.out


async def test_nobody_there_is_exit_code_1(pvcharge: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each port, and what else may be the cause."""
    monkeypatch.setattr(probe, "PORTS", (free_port(), free_port()))
    result = await probed(pvcharge, "127.0.0.1")
    assert (result.code, result.out) == (1, "")
    assert result.err.count("FAILED 127.0.0.1, port ") == 2
    assert "see whether another program has one open" in result.err


async def test_a_device_that_hangs_is_given_up(
    pvcharge: Run, house: Inverters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long its driver would wait."""
    monkeypatch.setattr(probe, "PROBE_S", 0.2)
    house.mute = {1}
    result = await probed(pvcharge, f"127.0.0.1:{house.port}")
    assert (result.code, result.out) == (1, "")
    assert "no answer within 0 s" in result.err


def test_what_cannot_be_surveyed_can_be_read(pvcharge: Run, write_config: WriteConfig) -> None:
    """A cloud and a charger have no parts to look for."""
    path = write_config()
    for name, driver in (("solaredge", "solaredge"), ("wattpilot", "wattpilot")):
        result = pvcharge("probe", name, "-c", path)
        assert (result.code, result.out) == (2, "")
        assert f"{name} ({driver}) cannot be surveyed" in result.err
        assert "pvcharge check --probe" in result.err
        assert "planted" not in result.all


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cellar"], "no device is called cellar; there are: solaredge, wattpilot; an address is HOST:PORT"),
        (["cel\x1b[31mlar"], "no device is called cel\ufffd[31mlar"),
        (["solaredge", "--toml"], "--toml is for an address"),
        (["192.0.2.1:modbus"], "port: modbus is no number"),
        (["192.0.2.1:0"], "port: Input should be greater than or equal to 1"),
        (["192.0.2.1:70000"], "port: Input should be less than or equal to 65535"),
        (["192.0.2.1", "--units", "1,x"], "--units: x is no number"),
        (["192.0.2.1", "--units", ""], "--units: nothing is no number"),
        (["192.0.2.1", "--units", "0"], "units: Input should be greater"),
        (["192.0.2.1", "--units", "1,1"], "units: unit 1 is given twice"),
        (["http://192.0.2.1:502"], "host: must be a host name or an IP address"),
        (["192.0.2.1", "--json", "--toml"], "not allowed with argument"),
        ([], "the following arguments are required"),
    ],
)
def test_what_is_impossible_is_exit_code_2(
    pvcharge: Run, write_config: WriteConfig, arguments: list[str], words: str
) -> None:
    """With what is possible, and nobody is asked."""
    result = pvcharge("probe", "-c", write_config(), *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_a_name_needs_a_good_configuration(pvcharge: Run, tmp_path: Path) -> None:
    """Exit code 78 where it is missing or bad."""
    assert pvcharge("probe", "roof", "-c", tmp_path / "none.toml").code == 78
    bad = tmp_path / "bad.toml"
    bad.write_text("role =\n")
    result = pvcharge("probe", "roof", "-c", bad)
    assert (result.code, result.out) == (78, "")
    assert "no valid TOML" in result.err


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("192.0.2.1", "192.0.2.1", None),
        ("inverter.lan:502", "inverter.lan", 502),
        ("2001:db8::7", "2001:db8::7", None),
        ("[2001:db8::7]", "2001:db8::7", None),
        ("[2001:db8::7]:1502", "2001:db8::7", 1502),
    ],
)
def test_addresses(address: str, host: str, port: int | None) -> None:
    """As people write them; without a port both usual ones are meant."""
    places = probe.at_address(address, None)
    assert {place.settings.host for place in places} == {host}
    assert [place.settings.port for place in places] == ([port] if port else [1502, 502])


def test_a_bare_word_is_an_address_where_nothing_is_configured(
    pvcharge: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who has just unpacked pvcharge has no names."""
    default = tmp_path / "pvcharge.toml"
    monkeypatch.setattr("pvcharge.cli.options.DEFAULT_CONFIG", str(default))
    monkeypatch.setattr(probe, "DEFAULT_CONFIG", str(default))
    monkeypatch.setattr(probe, "PORTS", (free_port(),))
    result = pvcharge("probe", "localhost")
    assert result.code == 1
    assert "FAILED localhost, port " in result.err
    default.write_text("role =\n")
    assert pvcharge("probe", "roof").code == 78


async def test_devices_do_not_command_the_terminal(
    pvcharge: Run, house: Inverters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may call itself whatever it likes: neither markup nor escapes get through, to people or as JSON."""
    evil = "[red]a[/red]\x1b]0;b\x07\x1b[2J\u202ec\r\n\x9bd"

    async def survey(_: SolarEdgeModbusInverter) -> Survey:
        return Survey((Finding(evil, evil, evil, evil),), None, None, (evil,))

    monkeypatch.setattr(SolarEdgeModbusInverter, "survey", survey)
    for option in ([], ["--json"]):
        result = await probed(pvcharge, f"127.0.0.1:{house.port}", *option)
        assert result.code == 0
        assert all(each.isprintable() or each == "\n" for each in result.all)
        assert "[red]" in result.out
    assert json.loads(result.out)["advice"] == [evil]
    people = await probed(pvcharge, f"127.0.0.1:{house.port}")
    assert "reading  none that could be used" in people.out
    assert "advice   [red]a[/red]\ufffd]0;b\ufffd\ufffd[2J\ufffdc\ufffd\ufffd\ufffdd" in people.out


def test_it_is_in_the_list_of_commands(pvcharge: Run) -> None:
    """Where people look first."""
    assert "probe" in COMMANDS
    assert COMMANDS["probe"].split()[0] in pvcharge("--help").out
