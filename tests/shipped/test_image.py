"""The Dockerfile agrees with the source."""

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pvcharge import config
from pvcharge.secret_files import FOLDER
from pvcharge.service import STOP_S
from shipped.compose import DAEMONS, ROOT, SECRETS, Composition

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
BUILD, FINAL = re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]
UID = "10001"


def arguments(stage: str, instruction: str) -> list[list[str]]:
    """Return the words after each instruction of a kind."""
    return [shlex.split(rest) for rest in re.findall(rf"^{instruction} (.*)$", stage, flags=re.MULTILINE)]


def environment() -> dict[str, str]:
    """Return what every process in the container finds."""
    words = [word for line in arguments(FINAL, "ENV") for word in line]
    return dict(word.split("=", 1) for word in words)


def ignored(path: str) -> bool:
    """Whether Docker leaves a path out of what it builds from: the last pattern that fits decides."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if pattern and not pattern.startswith("#") and fnmatch(Path(path).parts[0], pattern):
            verdict = not line.startswith("!")
    return verdict


def test_every_copied_file_is_there() -> None:
    """In the repository, and let through to the build."""
    lines = arguments(BUILD, "COPY") + [line for line in arguments(FINAL, "COPY") if "--from" not in line[0]]
    sources = [source for *line, _ in lines for source in line]
    assert {"pyproject.toml", "README.md", "LICENSE", "src", "config.example.toml"} == set(sources)
    assert all((ROOT / source).exists() and not ignored(source) for source in sources)
    assert ignored("tests")
    assert ignored(".git")


def test_nothing_of_the_build_stays() -> None:
    """The final stage takes the finished environment, and installs nothing by itself."""
    assert arguments(FINAL, "COPY")[0] == ["--from=build", "/opt/pvcharge", "/opt/pvcharge"]
    assert "pip" not in FINAL
    assert "apt-get" not in DOCKERFILE
    bases = [stage.split()[1] for stage in (BUILD, FINAL)]
    assert bases[0] == bases[1]  # the same Python, in the same place


def test_it_runs_as_nobody_in_particular() -> None:
    """A user without rights, the same in the compose files, who owns the secrets that are made."""
    assert arguments(FINAL, "USER") == [[f"{UID}:{UID}"]]
    assert all(composition.services[name]["user"] == f"{UID}:{UID}" for composition, name in DAEMONS)
    assert f"pvcharge={UID}" in (ROOT / "docker" / "prepare").read_text(encoding="utf-8")
    assert f"pvcharge={UID}" in (ROOT / "docker" / "influx-tokens").read_text(encoding="utf-8")


def test_the_daemon_is_the_first_process() -> None:
    """No shell is in between, so SIGTERM reaches it, and what waits for its end waits long enough."""
    assert arguments(FINAL, "ENTRYPOINT") == [["[pvcharge]"]]
    assert arguments(FINAL, "CMD") == [["[run]"]]
    assert arguments(FINAL, "STOPSIGNAL") == [["SIGTERM"]]
    for composition, name in DAEMONS:
        assert float(composition.services[name]["stop_grace_period"].removesuffix("s")) > STOP_S


def test_state_and_secrets_are_where_the_daemon_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The volume is the state directory, and secrets are found by their names."""
    found = environment()
    monkeypatch.setenv("STATE_DIRECTORY", found["STATE_DIRECTORY"])
    assert config.default_state_dir() == Path(arguments(FINAL, "VOLUME")[0][0])
    assert found["CREDENTIALS_DIRECTORY"] == SECRETS
    assert FOLDER not in SECRETS


@pytest.mark.parametrize(("composition", "name"), DAEMONS, ids=[name for _, name in DAEMONS])
def test_the_health_check_asks_what_the_daemon_answers(composition: Composition, name: str) -> None:
    """On the port that the shipped configuration listens on, which is exposed and published."""
    asked = re.search(r"http://127\.0\.0\.1:(\d+)/healthz'", FINAL)
    listens = re.search(r'^listen = "0\.0\.0\.0:(\d+)"', composition.config(name).read_text(), re.MULTILINE)
    assert asked
    assert listens
    assert arguments(FINAL, "EXPOSE") == [[asked[1]]]
    assert asked[1] == listens[1]
    assert [port.rsplit(":", 1)[1] for port in composition.services[name]["ports"]] == [asked[1]]
