"""From a file on disk to a `Config`, or to one line that says why not."""

import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pvcharge import config

CONFIG = """
[site]
latitude = 48.2
longitude = 16.4
timezone = "Europe/Vienna"
[[inverter]]
driver = "solaredge"
name = "first"
site_id = 1
api_key = "K"
[[inverter]]
driver = "solaredge"
name = "second"
site_id = 2
api_key = "K"
[charger]
driver = "wattpilot"
host = "192.0.2.20"
password = "P"
"""


def problem_of(path: Path) -> str:
    """Return the only line about a file."""
    with pytest.raises(config.ConfigError) as caught:
        config.load(path)
    (line,) = caught.value.problems
    return line


def test_a_whole_file_becomes_settings(tmp_path: Path) -> None:
    """Inverters keep their order of trust, tables that are left out have their defaults."""
    path = tmp_path / "pv.toml"
    path.write_text(f'state_dir = "/srv/pv"\n{CONFIG}')
    path.chmod(0o600)
    settings = config.load(path)
    assert [device.settings.name for device in settings.inverters] == ["first", "second"]
    assert settings.charger is not None
    assert settings.charger.driver.name == "wattpilot"
    assert settings.site.zone == ZoneInfo("Europe/Vienna")
    assert settings.state_dir == Path("/srv/pv")
    assert settings.edge.lease_s == 60


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """With what to do about it."""
    path = tmp_path / "pv.toml"
    assert problem_of(path) == f"{path}: no such file; copy config.example.toml there and edit it"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """What the system says is passed on."""
    assert problem_of(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    """TOML is UTF-8."""
    path = tmp_path / "pv.toml"
    path.write_bytes('name = "Österreich"'.encode("latin-1"))
    assert problem_of(path) == f"{path}: no UTF-8 text; save it as UTF-8"


@pytest.mark.parametrize("text", ['password = "planted', "password planted", "[site]\n[site]", "a = planted"])
def test_no_toml_is_said_with_its_line_but_not_its_content(tmp_path: Path, text: str) -> None:
    """The place is enough to find the mistake, and the line could hold a secret."""
    path = tmp_path / "pv.toml"
    path.write_text(text)
    with pytest.raises(tomllib.TOMLDecodeError) as reason:
        tomllib.loads(text)
    line = problem_of(path)
    assert line == f"{path}: no valid TOML: {reason.value}"
    assert "planted" not in line


def test_the_services_state_is_found_by_every_user_who_may_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login beside the service must put its tokens where the service looks for them."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/somebody/state")
    monkeypatch.setattr(config, "SERVICE_STATE_DIR", tmp_path / "absent")
    assert config.default_state_dir() == Path("/home/somebody/state/pvcharge")
    monkeypatch.setattr(config, "SERVICE_STATE_DIR", tmp_path)
    assert config.default_state_dir() == tmp_path
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two")
    assert config.default_state_dir() == Path("/var/lib/one")
