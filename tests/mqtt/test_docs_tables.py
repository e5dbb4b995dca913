"""docs/mqtt.md and docs/mosquitto/acl say what the source says."""

import re
from pathlib import Path

import pytest

from pvcharge.cli.main import COMMANDS
from pvcharge.mqtt.topics import TOPICS
from pvcharge.values import values_for
from support.docs import DOCS, generated

PAGE = (DOCS / "mqtt.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_parts_are_up_to_date(path: Path) -> None:
    """If this fails, run: PYTHONPATH=tests python -m support.docs."""
    assert path.read_text(encoding="utf-8") == generated()[path]


def test_tables_are_complete() -> None:
    """The generator has found its marks: every topic and every value has a line."""
    for name in [topic.name for topic in TOPICS] + [value.key for value in values_for(["roof"], "box")]:
        assert re.search(rf"^\| `{name}` \|", PAGE, re.MULTILINE), name


def test_commands_exist() -> None:
    """What the page tells people to type is there."""
    code = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    named = set(re.findall(r"^pvcharge (\w+)", code, re.MULTILINE))
    assert named == {"boost", "mode"}
    assert named <= set(COMMANDS)
