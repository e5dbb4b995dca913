"""docs/configuration.md and docs/api.md are complete."""

import re

import pytest

from pvcharge.cli.main import COMMANDS
from pvcharge.web.access import ROUTES
from support import reference, routes
from support.docs import DOCS

REFERENCE = (DOCS / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", reference.tables())
def test_every_key_is_there_and_says_what_it_is(name: str) -> None:
    """A new key without words fails here."""
    table = reference.tables()[name]
    rows = list(reference.rows(table))
    assert len(rows) == len(table.model.model_fields)
    for row in rows:
        assert all(row), row
        assert f"| {' | '.join(row)} |" in REFERENCE


def test_words_belong_to_keys() -> None:
    """Nothing is said of keys that are gone."""
    keys = {f"{name}.{key}" for name, table in reference.tables().items() for key in table.model.model_fields}
    keys |= {"top.role", "top.state_dir"}
    assert reference.WORDS.keys() | reference.DEFAULTS.keys() | reference.BARRED.keys() <= keys


def test_every_route_has_a_line() -> None:
    """Those of logging in, too."""
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    lines = list(routes.rows())
    assert len(lines) > len(ROUTES)
    assert all(f"| {row[0]} |" in page for row in lines)


@pytest.mark.parametrize("name", ["quick-start", "configuration", "drivers"])
def test_commands_exist(name: str) -> None:
    """What the pages tell people to type is there."""
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    code = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    named = set(re.findall(r"(?:^|bin/)pvcharge (\w+)", code, re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)
