"""The compose files agree with the source, and open no more than they must."""

import re
import stat
from pathlib import Path

import pytest

from pvcharge.config import Config, load
from pvcharge.mqtt.settings import TLS_PORT
from shipped.compose import ALL, DAEMONS, FOLDER, ROOT, SECRETS, STANDALONE, Composition

EVERY = [(composition, name) for composition in (ALL, STANDALONE) for name in composition.services]
every_service = pytest.mark.parametrize(("composition", "name"), EVERY, ids=[name for _, name in EVERY])
every_daemon = pytest.mark.parametrize(("composition", "name"), DAEMONS, ids=[name for _, name in DAEMONS])


def loaded(composition: Composition, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Return the shipped configuration of a service as it is within its container."""
    for secret in composition.secrets(name):
        (folder / secret).write_text("secret-word", encoding="utf-8")
        (folder / secret).chmod(0o444)  # as some of those who run containers mount them
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return load(composition.config(name))


@every_daemon
def test_the_configuration_loads_with_the_secrets_that_are_mounted(
    composition: Composition, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that it names is there, and nothing is mounted that it does not name."""
    settings = loaded(composition, name, tmp_path, monkeypatch)
    assert settings.role == ("standalone" if name == "pvcharge" else name)
    text = composition.config(name).read_text(encoding="utf-8")
    named = re.findall(r'^\w+_file = "([^"]+)"', text, flags=re.MULTILINE)
    assert {Path(file).name for file in named} == set(composition.secrets(name))
    assert all(file == f"{SECRETS}/{Path(file).name}" for file in named if file.startswith("/"))


def test_both_roles_speak_of_one_site_to_one_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the users that the access rules know, through TLS, at a name that the broker's container has."""
    pair = [loaded(ALL, name, tmp_path, monkeypatch) for name in ("cloud", "edge")]
    rules = (ROOT / "docs/mosquitto/acl").read_text(encoding="utf-8")
    assert pair[0].site == pair[1].site
    for settings in pair:
        assert settings.mqtt
        assert settings.mqtt.username == f"{settings.role}-{settings.site.name}"
        assert f"user {settings.mqtt.username}\n" in rules
        assert (settings.mqtt.host, settings.mqtt.broker_port) == ("broker", TLS_PORT)
    users = re.findall(r"^user (.*)$", rules, flags=re.MULTILINE)
    assert f"for user in {' '.join(sorted(users))};" in (ROOT / "docker/prepare").read_text(encoding="utf-8")


def test_the_database_is_the_one_that_is_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same name, organization and bucket for who sets it up, who writes, and who reads."""
    influxdb = loaded(ALL, "cloud", tmp_path, monkeypatch).influxdb
    environment = ALL.services["influxdb"]["environment"]
    assert influxdb
    assert influxdb.url == "http://influxdb:8086"
    assert influxdb.org == environment["DOCKER_INFLUXDB_INIT_ORG"]
    assert influxdb.bucket == environment["DOCKER_INFLUXDB_INIT_BUCKET"]
    source = (ROOT / "docker/grafana/datasources.yaml").read_text(encoding="utf-8")
    assert f"url: {influxdb.url}\n" in source
    assert f"dbName: {influxdb.bucket}\n" in source
    assert f"--org {influxdb.org} --name {influxdb.bucket})" in (ROOT / "docker/influx-tokens").read_text()
    tokens = {Path(token).name for token in re.findall(r"\$__file\{(.*)\}", source)}
    assert tokens == {name for name in ALL.secrets("grafana") if "token" in name}
    shipped = (ROOT / "docs/grafana/provisioning/datasources/pvcharge.yaml").read_text(encoding="utf-8")
    same = {line for line in source.splitlines() if not line.startswith("#") and "$__file" not in line}
    assert same - set(shipped.splitlines()) == {f"    url: {influxdb.url}"}


def test_the_broker_has_the_shipped_rules_in_other_places() -> None:
    """Its configuration differs from the one for Debian by paths, by what survives, and by the log."""
    inside, outside = (
        {line for line in (ROOT / path).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"}
        for path in ("docker/mosquitto.conf", "docs/mosquitto/mosquitto.conf")
    )
    files = {line for line in outside if "/etc/mosquitto/pvcharge/" in line}
    assert outside - inside == files
    added = {line for line in inside - outside if SECRETS not in line}
    assert {line.split()[0] for line in added} == {"persistence", "persistence_location", "log_dest"}
    named = {Path(line.split()[1]).name for line in inside if SECRETS in line}
    assert named == set(ALL.secrets("broker"))
    assert "/mosquitto/data" in ALL.mounts("broker")


@every_service
def test_what_is_mounted_is_shipped_or_made(composition: Composition, name: str) -> None:
    """Files of the repository are there, volumes are declared, and the rest is the user's own folder."""
    for target, source in composition.mounts(name).items():
        if source.startswith("./"):
            assert (ROOT / source).is_file(), source
        elif source.startswith("/"):
            assert source.startswith(f"{FOLDER}/")
            assert target.endswith(".toml")
        else:
            assert source in composition.tables["volumes"]
    assert all(path.parent == Path(FOLDER, "secrets") for path in composition.secrets(name).values())


@every_service
def test_every_service_is_guarded(composition: Composition, name: str) -> None:
    """It may do nothing as root, write nothing but its state, and is started again when it has ended."""
    service = composition.services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert int(service["user"].split(":")[0]) > 0
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert not {"privileged", "network_mode", "pid", "ipc", "cap_add", "devices"} & set(service)
    assert "healthcheck" in service or service["image"] == "pvcharge"  # whose image has one


@every_service
def test_only_this_machine_gets_in_by_default(composition: Composition, name: str) -> None:
    """Every published port is on loopback until the user says otherwise."""
    assert all(port.startswith("127.0.0.1:") for port in composition.services[name].get("ports", []))


def test_who_has_to_speak_with_each_other_is_together_and_nobody_else() -> None:
    """Networks with several services have no way out; the others have one service each."""
    members: dict[str, set[str]] = {}
    for name, service in ALL.services.items():
        for network in service["networks"]:
            members.setdefault(network, set()).add(name)
    assert members.pop("mqtt") == {"broker", "cloud", "edge"}
    assert members.pop("data") == {"influxdb", "grafana", "cloud"}
    assert all(ALL.tables["networks"][name] == {"internal": True} for name in ("mqtt", "data"))
    assert members == {f"{name}-front": {name} for name in ("broker", "cloud", "edge", "grafana")}


def test_scripts_can_be_run() -> None:
    """By whoever has the source."""
    for name in ("docker/prepare", "docker/influx-tokens", ".ci/wheel"):
        assert (ROOT / name).stat().st_mode & stat.S_IXUSR


def test_the_chapter_names_what_is_there() -> None:
    """Every file of ours that it mentions, every secret, every service and every setting of `.env`."""
    chapter = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
    text = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("compose.yaml", "compose.standalone.yaml")
    )
    files = set(re.findall(r"(?<![\w/])(?:docker/[a-z-]+|compose(?:\.standalone)?\.yaml)", chapter))
    assert files >= {"docker/prepare", "docker/influx-tokens", "compose.yaml", "compose.standalone.yaml"}
    assert all((ROOT / name).is_file() for name in files)
    assert set(re.findall(r"\b([A-Z]+_BIND)\b", chapter)) == set(re.findall(r"\{([A-Z]+_BIND):", text))
    prepared = (ROOT / "docker/prepare").read_text(
        encoding="utf-8"
    ) + "mqtt-password-edge mqtt-password-homeassistant"
    assert all(name in prepared for name in re.findall(r"secrets/([a-z-]+[a-z])", chapter))
    services = set(ALL.services) | set(STANDALONE.services)
    said = re.findall(r"docker compose (?:-f \S+ )?(?:run|exec)(?: --?[\w-]+)* ([a-z]\w*)", chapter)
    assert said
    assert set(said) <= services


def test_systemd_units_and_tests_are_not_kept_out_of_the_sdist() -> None:
    """Nothing narrows what is packed, so that all of the repository is."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "targets.sdist" not in text
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert not {"systemd/", "docker/", "docs/", "tests/"} & set(ignored)
