"""What docs/api.md and docs/home-assistant.md give to copy works as it stands."""

import asyncio
import json
import os
import re
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml  # type: ignore[import-untyped]
from aiohttp import ClientSession
from yarl import URL

from pvcharge.model import Mode
from pvcharge.mqtt.discovery import announcement
from pvcharge.mqtt.topics import TOPICS, Namespace
from pvcharge.values import values_for
from pvcharge.web.api.handlers import Handlers
from pvcharge.web.api.routes import routes
from pvcharge.web.settings import WebSettings
from support.docs import DOCS
from support.services import require
from web.house import House, open_house

API = (DOCS / "api.md").read_text(encoding="utf-8")
HOME_ASSISTANT = (DOCS / "home-assistant.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8080"
TOKEN = "pvc_..."
PASSWORD = "a right password"


def shell_code(having: str) -> str:
    """Return the block of shell code of docs/api.md that has a text."""
    (code,) = (code for code in re.findall(r"```sh\n(.*?)```", API, re.DOTALL) if having in code)
    return str(code)


async def origin_of(client: ClientSession) -> URL:
    """Return where the page of a client is."""
    async with client.get("access") as answer:
        return answer.url.origin()


async def follow(code: str, origin: URL, folder: Path, token: str = "") -> str:
    """Do what a block of shell code says at a page, and return what was answered."""
    assert ADDRESS in code
    text = code.replace(ADDRESS, str(origin)).replace(TOKEN, token)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-ec",
        f'curl() {{ command curl --silent --show-error --fail-with-body --max-time 10 "$@"; }}\n{text}',
        cwd=folder,
        env={**os.environ, "no_proxy": "127.0.0.1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_examples_of_the_api_work_with_a_token(tmp_path: Path) -> None:
    """Each is allowed, and does what it says."""
    require("curl", "curl")
    house = House(tmp_path, WebSettings.model_validate({"password": PASSWORD}))
    async with open_house(house) as client:
        origin = await origin_of(client)
        own = {"Origin": str(origin)}
        async with client.post("login", json={"password": PASSWORD}, headers=own) as answer:
            assert answer.status == 204
        async with client.post("tokens", json={"name": "docs"}, headers=own) as answer:
            made = await answer.json()
        await follow(shell_code("API="), origin, tmp_path, made["token"])
    assert house.steering.done == [("mode", Mode.MIN_SURPLUS), ("boost", True, 90)]
    assert len((tmp_path / "sessions.csv").read_text().splitlines()) == 2


async def test_the_openapi_document_can_be_fetched(tmp_path: Path) -> None:
    """On this machine and without a password, as the page says."""
    require("curl", "curl")
    async with open_house(House(tmp_path)) as client:
        document = json.loads(await follow(shell_code("openapi.json"), await origin_of(client), tmp_path))
    assert document["openapi"].startswith("3.1")


def test_bodies_by_example_are_taken() -> None:
    """They are what the routes' own models accept."""
    models = {f"{route.method} {route.path}": route.endpoint.body for route in routes(Mock(spec=Handlers))}
    examples = re.findall(r"^\| `([A-Z]+ /[\w/]+)` \| `(\{.*?\})`(?: \||[,;])", API, re.MULTILINE)
    assert len(examples) == 3
    for route, body in examples:
        model = models[route]
        assert model is not None
        model.model_validate_json(body)


def test_entities_that_home_assistant_is_told_of() -> None:
    """Names in the chapter and its automations are those that are announced."""
    site = Namespace("pvcharge", "home")
    said = announcement(site, values_for(["roof"], "box"), has_edge=True, min_current_a=6, max_current_a=16)
    entities = {entity["default_entity_id"] for entity in json.loads(said)["components"].values()}
    named = set(re.findall(r"\b\w+\.pvcharge_home_\w+", HOME_ASSISTANT))
    assert len(named) > 5
    assert named <= entities
    totals = set(re.findall(r"`(\w+_kwh)`", HOME_ASSISTANT))
    assert len(totals) == 6
    assert {f"sensor.pvcharge_home_{total}" for total in totals} <= entities


@pytest.mark.parametrize("snippet", re.findall(r"```yaml\n(.*?)```", HOME_ASSISTANT, re.DOTALL))
def test_automations_are_yaml_with_topics_that_exist(snippet: str) -> None:
    """With the words that Home Assistant uses since 2024.10."""
    read = yaml.safe_load(snippet)
    if "alias" in read:
        assert set(read) <= {"alias", "triggers", "conditions", "actions"}
    topics = {f"pvcharge/home/{topic.name}" for topic in TOPICS}
    assert set(re.findall(r"topic: (\S+)", snippet)) <= topics
