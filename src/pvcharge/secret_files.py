"""Secrets from files: `password_file = "…"` gives the setting `password`."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

SUFFIX = "_file"


class SecretError(Exception):
    """A secret cannot be had, or others could have it; never holds the secret itself."""


def resolve_secrets(table: Mapping[str, Any], model: type[BaseModel], config: Path) -> dict[str, Any]:
    """Return a driver's table with every `<key>_file` replaced by `<key>`, the file's content.

    A relative name is looked up among systemd's credentials first, then beside the configuration file.

    Args:
        table: as in the configuration file.
        model: the driver's settings, which tell what is secret.
        config: the configuration file; it must be private where it holds a secret itself.

    Raises:
        SecretError: a file is missing, empty or open to other users.
    """
    secrets = {name for name, field in model.model_fields.items() if _is_secret(field.annotation)}
    resolved = dict(table)
    for name in sorted(secrets):
        file_key = name + SUFFIX
        if file_key not in resolved:
            if name in resolved and _others_may_read(config):
                raise SecretError(
                    f"{name}: the file holds a secret and other users can read it; "
                    f"run chmod 600 on it, or use {file_key}"
                )
            continue
        if name in resolved:
            raise SecretError(f"{name} and {file_key} are both given; keep one")
        resolved[name] = _read(file_key, str(resolved.pop(file_key)), config.parent)
    return resolved


def _read(key: str, name: str, beside: Path) -> str:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(credentials) / name if credentials else beside / name
    if not (credentials and path.is_file()):
        path = beside / name
        if _others_may_read(path):
            raise SecretError(f"{key}: other users can read {path}; run chmod 600 on it")
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SecretError(f"{key}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SecretError(f"{key}: {path} is no UTF-8 text") from error
    if not secret:
        raise SecretError(f"{key}: {path} is empty")
    return secret


def _others_may_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in getattr(annotation, "__args__", ())
