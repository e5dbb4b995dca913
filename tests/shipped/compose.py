"""The compose files, as Compose reads them."""

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECRETS = "/run/secrets"
CONFIG = "/etc/pvcharge/pvcharge.toml"
FOLDER = "/etc/pvcharge"  # where what is the user's own is, unless CONFIG_DIR says otherwise


class Composition:
    """One compose file with the defaults of its variables.

    Attributes:
        tables: all of it.
        services: by name.
    """

    def __init__(self, name: str) -> None:
        text = (ROOT / name).read_text(encoding="utf-8")
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        # Without stubs of its own: its answers are foreign tables, whatever it calls them.
        self.tables: dict[str, Any] = import_module("yaml").safe_load(text)
        self.services: dict[str, dict[str, Any]] = self.tables["services"]

    def secrets(self, service: str) -> dict[str, Path]:
        """Return the files on the host by their names in the service's folder of secrets."""
        files = {name: Path(table["file"]) for name, table in self.tables["secrets"].items()}
        named = (
            secret if isinstance(secret, Mapping) else {"source": secret, "target": secret}
            for secret in self.services[service].get("secrets", [])
        )
        return {secret["target"]: files[secret["source"]] for secret in named}

    def mounts(self, service: str) -> dict[str, str]:
        """Return what is mounted by the place in the container: a path on the host, or a volume's name."""
        parts = (mount.split(":") for mount in self.services[service].get("volumes", []))
        return {target: source for source, target, *_ in parts}

    def config(self, service: str) -> Path:
        """Return the configuration that is shipped for a service."""
        return ROOT / "docker" / Path(self.mounts(service)[CONFIG]).name


ALL = Composition("compose.yaml")
STANDALONE = Composition("compose.standalone.yaml")
# Every service that is a pvcharge.
DAEMONS = [(ALL, "cloud"), (ALL, "edge"), (STANDALONE, "pvcharge")]
