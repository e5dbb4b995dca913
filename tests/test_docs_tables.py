"""docs/mqtt.md, docs/data.md and docs/mosquitto/acl say what the source says."""

import re
from pathlib import Path

import pytest

from pvcharge.cli.main import COMMANDS
from pvcharge.history.influx.points import SCHEMA
from pvcharge.mqtt.topics import TOPICS
from pvcharge.values import values_for
from pvcharge.web.catalogue import CATALOGUE
from support.docs import DOCS, generated

PAGE = (DOCS / "mqtt.md").read_text(encoding="utf-8")
DATA = (DOCS / "data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_parts_are_up_to_date(path: Path) -> None:
    """If this fails, run: PYTHONPATH=tests python -m support.docs."""
    assert path.read_text(encoding="utf-8") == generated()[path]


@pytest.mark.parametrize("page", [PAGE, DATA], ids=["mqtt", "data"])
def test_tables_are_complete(page: str) -> None:
    """The generator has found its marks: every topic and every value has a line."""
    for name in [topic.name for topic in TOPICS] + [value.key for value in values_for(["roof"], "box")]:
        assert re.search(rf"^\| `{name}` \|", page, re.MULTILINE), name


def test_data_tables_are_complete() -> None:
    """Every measurement's field, every metric, and every table of the store has a line."""
    for measurement in SCHEMA:
        for field in measurement.fields:
            assert re.search(rf"^\| `{measurement.name}` \|.*\| `{field.name}` \|", DATA, re.MULTILINE), field
    for entry in CATALOGUE:
        assert re.search(rf"^\| `{entry.name}` \|", DATA, re.MULTILINE), entry
    for name in ("runs", "flows", "five_minutes", "sessions"):
        assert re.search(rf"^\| `{name}` \|", DATA, re.MULTILINE), name


@pytest.mark.parametrize(
    ("page", "expected"), [(PAGE, {"boost", "mode"}), (DATA, {"export", "replay"})], ids=["mqtt", "data"]
)
def test_commands_exist(page: str, expected: set[str]) -> None:
    """What the pages tell people to type is there."""
    code = "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    named = set(re.findall(r"^pvcharge (\w+)", code, re.MULTILINE))
    assert named == expected
    assert named <= set(COMMANDS)
