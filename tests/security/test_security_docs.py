"""docs/security.md names what there is."""

import re
from pathlib import Path

from pvcharge.control import ControlSettings
from pvcharge.tasks.wear import WearLimits
from security.planted_house import HOLDERS
from support.docs import DOCS

PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
ROOT = DOCS.parent


def test_tests_that_are_named_are_there() -> None:
    """Each claim is held by something."""
    named = set(re.findall(r"`((?:tests|\.ci)/[\w./]+)`", PAGE))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_chapters_that_are_named_are_there() -> None:
    """Also those of the policy."""
    for page, folder in ((PAGE, DOCS), ((ROOT / "SECURITY.md").read_text(encoding="utf-8"), ROOT)):
        linked = {link.partition("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page)}
        assert [link for link in sorted(linked) if link and not Path(folder, link).is_file()] == []


def test_files_that_hold_secrets_are_told() -> None:
    """All of them, and no other."""
    (chapter,) = re.findall(r"## Where secrets are.*?(?=\n## )", PAGE, re.DOTALL)
    told = {name.replace("<site>", "1") for name in re.findall(r"^\| `([^`]+)`", chapter, re.MULTILINE)}
    assert told == HOLDERS


def test_the_number_of_starts_is_that_of_the_source() -> None:
    """By default."""
    control = ControlSettings()
    most = WearLimits.beyond(control.max_starts_per_hour, control.max_phase_switches_per_hour)
    assert f"by default {most.starts} of each" in PAGE
    assert most.starts == most.phase_switches
