"""`pvcharge check`: what it says of a good configuration, of a bad one, and of devices that it asks."""

import asyncio
from pathlib import Path

import pytest

from cli.devices import KEY, PASSWORD, SITE_ID, solaredge, wattpilot
from cli.runner import Result, Run, WriteConfig
from mqtt.links import running
from pvcharge.clock import SystemClock
from pvcharge.mqtt.link import Link
from pvcharge.sim.solaredge import SolarEdgeServer
from pvcharge.sim.wattpilot import WattpilotServer
from support.broker import running_broker


def inverter(cloud: SolarEdgeServer, *, api: str = "v1", key: str = KEY, name: str = "roof") -> str:
    """Return the table of an inverter that is read from this cloud."""
    return (
        f'[[inverter]]\ndriver = "solaredge"\nname = "{name}"\napi = "{api}"\nsite_id = {SITE_ID}\n'
        f'api_key = "{key}"\nbase_url = "{cloud.base_url}"\n'
    )


def charger(box: WattpilotServer, *, password: str = PASSWORD) -> str:
    """Return the table of this charger."""
    return (
        f'[charger]\ndriver = "wattpilot"\nhost = "{box.host}"\nport = {box.port}\npassword = "{password}"\n'
    )


def test_a_good_configuration_is_told_in_short(
    pvcharge: Run, write_config: WriteConfig, tmp_path: Path
) -> None:
    """What will run, with which limits, and where its state is."""
    path = write_config(rest='[control]\nmax_current_a = 13\nphases = [1]\nobjective = "no_import"\n')
    result = pvcharge("check", "--config", path)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        f"OK {path}",
        "  site        home, role standalone",
        "  inverters   solaredge (solaredge)",
        "  charger     wattpilot (wattpilot), 6 to 13 A on 1 phase",
        "  objective   no_import",
        f"  state       {tmp_path}/state",
    ]


def test_all_problems_are_listed_with_exit_code_78(pvcharge: Run, write_config: WriteConfig) -> None:
    """A line for each on stderr, and no secret on either stream."""
    path = write_config(charger='[charger]\ndriver = "wattpilot"\nport = 0\npassword = 12345\n')
    result = pvcharge("check", "-c", path)
    assert (result.code, result.out) == (78, "")
    assert result.err.splitlines() == [
        f"{path}: [charger] host: is missing",
        f"{path}: [charger] port: must be at least 1",
        f"{path}: [charger] password: must be a text in quotes",
    ]


def test_secrets_in_a_file_that_all_may_read_are_refused(pvcharge: Run, write_config: WriteConfig) -> None:
    """Also where nothing else is wrong."""
    path = write_config()
    path.chmod(0o644)
    result = pvcharge("check", "-c", path)
    assert result.code == 78
    advice = "other users can read this file; run chmod 600 on it, or use"
    assert result.err.splitlines() == [
        f"{path}: [[inverter]] #1 api_key: {advice} api_key_file",
        f"{path}: [charger] password: {advice} password_file",
    ]
    assert "planted" not in result.all


async def test_devices_that_answer_are_shown_and_left_alone(pvcharge: Run, write_config: WriteConfig) -> None:
    """Each with what it says; nothing is written to the charger."""
    async with solaredge(v1="alive") as cloud, wattpilot() as (server, box):
        tables = inverter(cloud) + inverter(cloud, api="v2", name="quarters")
        result = await asyncio.to_thread(
            pvcharge, "check", "--probe", "-c", write_config(tables, charger(server))
        )
        assert (result.code, result.err) == (0, "")
        lines = result.out.splitlines()[-3:]
        assert lines[0].startswith("OK roof: PV 3000 W, grid -2000 W, load 1000 W (at ")
        assert lines[1].startswith("OK quarters: grid -2000 W (mean of 15 min until ")
        assert lines[2] == ("OK wattpilot: no car, 0 W, set to 16 A on 3 phases, allows up to 16 A")
        assert box.written == []


async def test_a_device_that_refuses_does_not_hide_the_others(
    pvcharge: Run, write_config: WriteConfig
) -> None:
    """One line of error for a retired API and a wrong key each, then the charger's answer."""
    async with solaredge() as cloud, solaredge(v1="alive") as old, wattpilot() as (server, box):
        tables = inverter(cloud) + inverter(old, key="planted-wrong", name="other")
        result = await asyncio.to_thread(
            pvcharge, "check", "--probe", "-c", write_config(tables, charger(server))
        )
        gone, refused, answered = result.out.splitlines()[-3:]
        assert result.code == 1
        assert gone.startswith("FAILED roof: SolarEdge /site/123456/currentPowerFlow at http://127.0.0.1:")
        assert "answered 410" in gone
        assert 'Use api = "v2"' in gone
        assert refused.startswith("FAILED other: ")
        assert "the credentials are refused; check api_key" in refused
        assert answered.startswith("OK wattpilot: no car")
        assert "planted" not in result.all
        assert box.written == []


async def test_a_wrong_password_is_said(pvcharge: Run, write_config: WriteConfig) -> None:
    """With what to do, and without the password."""
    async with solaredge(v1="alive") as cloud, wattpilot() as (server, box):
        path = write_config(inverter(cloud), charger(server, password="planted-wrong"))
        result = await asyncio.to_thread(pvcharge, "check", "--probe", "-c", path)
        answered, refused = result.out.splitlines()[-2:]
        assert result.code == 1
        assert answered.startswith("OK roof: PV 3000 W")
        assert refused.startswith(f"FAILED wattpilot: wattpilot at 127.0.0.1:{server.port}: wrong password")
        assert "planted" not in result.all
        assert box.written == []


async def test_devices_that_are_not_there_are_said(pvcharge: Run, write_config: WriteConfig) -> None:
    """Refused connections and a login that nobody has made yet."""
    async with solaredge() as cloud, wattpilot() as (server, _):
        oauth = inverter(cloud, api="v2").replace(
            f'api_key = "{KEY}"', 'client_id = "app"\nclient_secret = "planted-client-secret"'
        )
        path = write_config(oauth, charger(server))
        await server.aclose()
        result = await asyncio.to_thread(pvcharge, "check", "--probe", "-c", path)
        nobody, refused = result.out.splitlines()[-2:]
        assert result.code == 1
        assert nobody == "FAILED roof: no login for SolarEdge site 123456 yet; run: pvcharge login solaredge"
        assert refused.startswith(f"FAILED wattpilot: wattpilot at 127.0.0.1:{server.port}: no connection")


@pytest.mark.parametrize("fault", ["freeze", "refuse"])
async def test_a_charger_that_hangs_is_given_up(
    pvcharge: Run, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """No device can make the check wait for ever."""
    monkeypatch.setattr("pvcharge.cli.check.PROBE_S", 0.3)
    async with solaredge(v1="alive") as cloud, wattpilot() as (server, _):
        setattr(server.faults, fault, True)
        path = write_config(inverter(cloud), charger(server))
        result = await asyncio.to_thread(pvcharge, "check", "--probe", "-c", path)
        assert result.code == 1
        assert "OK roof: " in result.out
        assert "FAILED wattpilot: " in result.out


ROLES = {
    "cloud": ("inverters   solaredge (solaredge)", "charger     at the edge, 6 to 16 A on 1 or 3 phases"),
    "edge": ("inverters   none here", "charger     wattpilot (wattpilot), 6 to 16 A on 1 or 3 phases"),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_says_what_it_has(pvcharge: Run, write_config: WriteConfig, role: str) -> None:
    """And how it reaches the other."""
    missing = {"cloud": {"charger": ""}, "edge": {"inverter": ""}}[role]
    broker = f'[mqtt]\nhost = "broker.example"\nusername = "{role}-home"\npassword = "planted"\n'
    path = write_config(**missing, head=f'role = "{role}"\n', rest=broker)
    result = pvcharge("check", "--config", path)
    assert (result.code, result.err) == (0, "")
    lines = [line.strip() for line in result.out.splitlines()]
    assert lines[1] == f"site        home, role {role}"
    assert set(ROLES[role]) <= set(lines)
    assert lines[-1] == f"broker      broker.example:8883 as {role}-home, TLS on"
    assert "planted" not in result.all


async def test_the_broker_is_asked_too(pvcharge: Run, write_config: WriteConfig, tmp_path: Path) -> None:
    """Who is there, as far as the broker tells; a wrong password is a failure."""
    async with running_broker(tmp_path, users={"cloud-home": "right"}) as broker:
        publisher = Link(
            broker.settings("cloud-home"),
            client_id="edge",
            will=("pvcharge/home/edge/status", "offline"),
            clock=SystemClock(),
        )
        async with running(publisher):
            await publisher.publish("pvcharge/home/edge/status", "online", retain=True)

            async def probe(password: str) -> Result:
                table = (
                    f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\ntls = false\n'
                    f'username = "cloud-home"\npassword = "{password}"\n'
                )
                path = write_config("", "", head='role = "cloud"\n', rest=table)
                return await asyncio.to_thread(pvcharge, "check", "--probe", "-c", path)

            good, bad = await probe("right"), await probe("wrong")
    assert (good.code, good.out.splitlines()[-1]) == (
        0,
        "OK broker: lets us in; edge online, cloud never seen",
    )
    assert bad.code == 1
    assert "wrong user or password" in bad.out.splitlines()[-1]
