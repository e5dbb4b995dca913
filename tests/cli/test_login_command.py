"""`pvcharge login solaredge`, against a simulated consent page and token endpoint."""

import asyncio
import io
import json
import stat
import sys
from pathlib import Path

import aiohttp
import pytest

from cli.devices import CLIENT_SECRET, SITE_ID, solaredge
from cli.runner import Run, WriteConfig
from pvcharge.sim.solaredge import SolarEdgeServer


def inverter(cloud: SolarEdgeServer, name: str = "solaredge", site_id: int = SITE_ID) -> str:
    """Return the table of an inverter that needs a login."""
    return (
        f'[[inverter]]\ndriver = "solaredge"\nname = "{name}"\nsite_id = {site_id}\nclient_id = "app"\n'
        f'client_secret = "{CLIENT_SECRET}"\nbase_url = "{cloud.base_url}"\n'
        f'authorize_url = "{cloud.base_url}/authorize"\n'
    )


async def consent(address: str) -> str:
    """Open the page as the owner of the site does and return the code that it shows."""
    async with aiohttp.ClientSession() as session, session.get(address) as page:
        assert page.status == 200
        return (await page.text()).partition("Code: ")[2].partition("<")[0].strip()


def address_of(cloud: SolarEdgeServer) -> str:
    """Return the address of the page of consent."""
    return f"{cloud.base_url}/authorize?client_id=app"


def tokens(tmp_path: Path) -> Path:
    """Return the file that a login writes."""
    return tmp_path / "state" / f"solaredge-{SITE_ID}-tokens.json"


@pytest.mark.parametrize(
    "pasted", ["{code}", "  {code}\n", "https://app.example/back?code={code}&site_id=123456"]
)
async def test_a_code_or_the_whole_address_gives_tokens(
    pvcharge: Run, write_config: WriteConfig, tmp_path: Path, pasted: str
) -> None:
    """They are kept in a private file, and shown to nobody."""
    async with solaredge() as cloud:
        code = await consent(address_of(cloud))
        path = write_config(inverter(cloud))
        result = await asyncio.to_thread(
            pvcharge, "login", "solaredge", "-c", path, "--code", pasted.format(code=code)
        )
    assert (result.code, result.err) == (0, "")
    assert result.out == (f"pvcharge has access to site {SITE_ID}; the tokens are in {tmp_path / 'state'}\n")
    kept = json.loads(tokens(tmp_path).read_text())
    assert stat.S_IMODE(tokens(tmp_path).stat().st_mode) == 0o600
    assert kept["access_token"] not in result.all


async def test_without_code_it_is_asked_for(
    pvcharge: Run, write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address to open is printed first; what is typed then is the code."""
    async with solaredge() as cloud:
        code = await consent(address_of(cloud))
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{code}\n"))
        result = await asyncio.to_thread(pvcharge, "login", "solaredge", "-c", write_config(inverter(cloud)))
        (address,) = (line.strip() for line in result.out.splitlines() if "http" in line)
        assert await consent(address)
    assert result.code == 0
    assert "planted" not in result.all
    assert tokens(tmp_path).exists()


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        ("planted-wrong", "The code is unknown or has been used"),
        ("", "there is no code in the pasted text"),
        ("https://app.example/back?error=access_denied", "SolarEdge granted no access: access_denied"),
        ("https://app.example/back?code=x&site_id=7", "access was granted to site 7"),
        ("https://app.example/back", "there is no code in the pasted text"),
    ],
)
async def test_a_login_that_fails_exits_1(
    pvcharge: Run, write_config: WriteConfig, tmp_path: Path, pasted: str, reason: str
) -> None:
    """With SolarEdge's own words where it has any; nothing is kept."""
    async with solaredge() as cloud:
        path = write_config(inverter(cloud))
        result = await asyncio.to_thread(pvcharge, "login", "solaredge", "-c", path, f"--code={pasted}")
    assert (result.code, result.out) == (1, "")
    assert reason in result.err
    assert "planted" not in result.all
    assert not tokens(tmp_path).exists()


async def test_of_several_inverters_one_is_chosen(
    pvcharge: Run, write_config: WriteConfig, tmp_path: Path
) -> None:
    """By its name; without it the names are told."""
    async with solaredge() as cloud:
        path = write_config(inverter(cloud, "roof") + inverter(cloud, "barn", 7))
        login = ("login", "solaredge", "-c", path, "--code")
        result = await asyncio.to_thread(pvcharge, *login, "x")
        assert (result.code, result.err) == (2, "pvcharge: --device: one of roof, barn\n")
        result = await asyncio.to_thread(pvcharge, *login, "x", "--device", "garage")
        assert result.code == 2
        assert result.err == 'pvcharge: no [[inverter]] with driver = "solaredge" is called garage\n'
        code = await consent(address_of(cloud))
        result = await asyncio.to_thread(pvcharge, *login, code, "--device", "roof")
    assert result.code == 0
    assert tokens(tmp_path).exists()


def test_an_inverter_with_a_key_needs_no_login(pvcharge: Run, write_config: WriteConfig) -> None:
    """Which is a question of usage, not a failure of SolarEdge."""
    result = pvcharge("login", "solaredge", "-c", write_config())
    assert result.code == 2
    assert result.err == "pvcharge: solaredge is read with an api_key and needs no login\n"
