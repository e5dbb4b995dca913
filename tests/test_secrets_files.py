"""Secrets come from files and credentials that nobody else can read, and are never repeated."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from pvcharge.secret_files import PLACEHOLDER, resolve_secrets


class Device(BaseModel):
    """A driver's settings with a secret that must be there and one that may."""

    host: str = ""
    password: SecretStr
    api_key: Annotated[SecretStr, Field(min_length=1)] | None = None


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """Return a private configuration file."""
    path = tmp_path / "pv.toml"
    path.touch(0o600)
    return path


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def secret_file(path: Path, content: bytes = b"  from file\n", mode: int = 0o600) -> Path:
    """Write a file that holds a secret."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


def resolve(table: dict[str, Any], config: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Resolve a table that stands in the configuration file as a whole."""
    return resolve_secrets(table, Device, config, in_file=list(table))


def test_the_files_content_becomes_the_secret(config_file: Path) -> None:
    """Blanks and the end of the line around it do not count; the rest of the table stays."""
    secret_file(config_file.parent / "pw")
    assert resolve({"host": "h", "password_file": "pw"}, config_file) == (
        {"host": "h", "password": "from file"},
        {},
    )


def test_other_names_may_end_in_file(config_file: Path) -> None:
    """Only secrets have this second name; `host_file` is for the model to refuse."""
    table = {"host_file": "x", "password": "p"}
    assert resolve(table, config_file) == (table, {})


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_a_file_open_to_others_is_refused(config_file: Path, mode: int) -> None:
    """The owner's group may read it, since that may be the service's."""
    path = secret_file(config_file.parent / "pw", mode=mode)
    resolved, problems = resolve({"password_file": "pw"}, config_file)
    assert problems == {"password_file": f"other users can read {path}; run chmod 600 on it"}
    assert resolved == {"password": PLACEHOLDER}
    path.chmod(0o640)
    assert resolve({"password_file": "pw"}, config_file)[1] == {}


def test_a_secret_in_an_open_configuration_is_refused(config_file: Path) -> None:
    """The configuration file itself is the leak then; one without secrets may be open."""
    config_file.chmod(0o644)
    assert resolve({"password": "p"}, config_file)[1] == {
        "password": "other users can read this file; run chmod 600 on it, or use password_file"
    }
    assert resolve_secrets({"password": "p"}, Device, config_file, in_file=["host"])[1] == {}
    secret_file(config_file.parent / "pw")
    assert resolve({"password_file": "pw"}, config_file)[1] == {}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent-planted", "there is no such file in {folder}; create it, with mode 600"),
        ("/absent/planted", "there is no such file; create it, with mode 600"),
        ("planted" * 50, "the file cannot be read: File name too long"),
        ("planted\0", "must be the name of a file, in quotes"),
        (["planted"], "must be the name of a file, in quotes"),
        (12345, "must be the name of a file, in quotes"),
        ("", "the file cannot be read: Is a directory"),
    ],
)
def test_a_name_that_leads_nowhere_is_not_repeated(config_file: Path, name: Any, reason: str) -> None:
    """It may be the password itself, put under password_file by mistake."""
    _, problems = resolve({"password_file": name}, config_file)
    assert problems == {"password_file": reason.format(folder=config_file.parent)}
    assert "planted" not in str(problems)


@pytest.mark.parametrize(
    ("content", "reason"), [(b" \n", "is empty"), (b"\xff\xfe", "is no UTF-8 text")], ids=["empty", "binary"]
)
def test_a_file_without_a_secret_is_refused(config_file: Path, content: bytes, reason: str) -> None:
    """An empty password would only be found out by the device."""
    path = secret_file(config_file.parent / "pw", content)
    assert resolve({"password_file": "pw"}, config_file)[1] == {"password_file": f"{path} {reason}"}


def test_both_ways_at_once_are_refused(config_file: Path) -> None:
    """Nobody can tell which of the two is meant."""
    _, problems = resolve({"password": "p", "password_file": "pw"}, config_file)
    assert problems == {"password_file": "password is given too; keep one of them"}


def test_all_secrets_are_checked_at_once(config_file: Path) -> None:
    """One problem does not hide the next."""
    _, problems = resolve({"password_file": "a", "api_key_file": "b"}, config_file)
    assert list(problems) == ["api_key_file", "password_file"]


def test_credentials_go_first_whatever_their_mode(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systemd has made them readable for this process alone; what it does not have stands beside the file."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    secret_file(tmp_path / "pw")
    assert resolve({"password_file": "pw"}, config_file) == ({"password": "from file"}, {})
    secret_file(credentials / "pw", b"credential", mode=0o444)
    assert resolve({"password_file": "pw"}, config_file) == ({"password": "credential"}, {})


def test_a_path_is_no_credential(config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With credentials at hand, a file elsewhere must still be private."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    path = secret_file(tmp_path / "pw", mode=0o644)
    _, problems = resolve({"password_file": str(path)}, config_file)
    assert problems == {"password_file": f"other users can read {path}; run chmod 600 on it"}


def test_root_finds_what_systemd_would_hand_over(config_file: Path, tmp_path: Path) -> None:
    """In the folder beside the configuration, if it is not beside it itself; private, as everywhere."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    secret_file(folder / "pw", b"in the folder")
    assert resolve({"password_file": "pw"}, config_file) == ({"password": "in the folder"}, {})
    secret_file(tmp_path / "pw")
    assert resolve({"password_file": "pw"}, config_file) == ({"password": "from file"}, {})
    (tmp_path / "pw").unlink()
    path = secret_file(folder / "pw", mode=0o644)
    _, problems = resolve({"password_file": "pw"}, config_file)
    assert problems == {"password_file": f"other users can read {path}; run chmod 600 on it"}
