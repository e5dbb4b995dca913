"""Secrets from files: `password_file = "…"` gives the setting `password`."""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

SUFFIX = "_file"
FOLDER = "credentials"  # beside the configuration: where the service's own secrets stand before it starts
# Stands in for a secret that cannot be had, so that the rest of its table is checked all the same.
PLACEHOLDER = "unavailable"


class SecretError(Exception):
    """A secret cannot be had, or others could have it; never holds the secret itself."""


def secret_names(model: type[BaseModel]) -> list[str]:
    """Return the settings of a model that hold secrets, sorted."""
    return sorted(name for name, field in model.model_fields.items() if _is_secret(field.annotation))


def secrets_in(settings: object) -> Iterator[str]:
    """Yield the secrets within settings, however deep in models, dataclasses and lists of them."""
    if isinstance(settings, SecretStr):
        yield settings.get_secret_value()
    elif isinstance(settings, BaseModel):
        for name in type(settings).model_fields:
            yield from secrets_in(getattr(settings, name))
    elif is_dataclass(settings):
        for field in fields(settings):
            yield from secrets_in(getattr(settings, field.name))
    elif isinstance(settings, list | tuple):
        for inner in settings:
            yield from secrets_in(inner)


def resolve_secrets(
    table: Mapping[str, Any], model: type[BaseModel], config: Path, in_file: Collection[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Replace every `<key>_file` of a driver's table by `<key>`, the file's content.

    A plain name is looked up among systemd's credentials first, then beside the configuration file, then in
    its folder `credentials`, of which systemd takes them: so root's commands find what the service does.

    Args:
        table: as configured.
        model: the driver's settings, which tell what is secret.
        config: the configuration file; it must be private where it holds a secret itself.
        in_file: keys that stand in that file, rather than in the environment.

    Returns:
        The table with its secrets, and by key what is wrong with them.
    """
    resolved = dict(table)
    problems: dict[str, str] = {}
    for name in secret_names(model):
        file_key = name + SUFFIX
        if file_key in table:
            file_name = resolved.pop(file_key)
            if name in table:
                problems[file_key] = f"{name} is given too; keep one of them"
                continue
            try:
                resolved[name] = _read(file_name, config.parent)
            except SecretError as error:
                problems[file_key] = str(error)
                resolved[name] = PLACEHOLDER
        elif name in in_file and _others_may_read(config):
            problems[name] = f"other users can read this file; run chmod 600 on it, or use {file_key}"
    return resolved, problems


def _read(name: Any, beside: Path) -> str:
    """Return the content of a file. One that cannot be read stays unnamed: the name may be the secret."""
    if not isinstance(name, str) or not name.isprintable():
        raise SecretError("must be the name of a file, in quotes")
    credential = _credential(name)
    path = credential or _beside(name, beside)
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        where = "" if Path(name).is_absolute() else f" in {beside}"
        raise SecretError(f"there is no such file{where}; create it, with mode 600") from None
    except OSError as error:
        raise SecretError(f"the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretError(f"{path} is no UTF-8 text") from None
    if credential is None and _others_may_read(path):
        raise SecretError(f"other users can read {path}; run chmod 600 on it")
    if not secret:
        raise SecretError(f"{path} is empty")
    return secret


def _beside(name: str, folder: Path) -> Path:
    path, in_folder = folder / name, folder / FOLDER / name
    # A folder that we may not enter has nothing for us.
    return in_folder if not os.access(path, os.F_OK) and os.access(in_folder, os.F_OK) else path


def _credential(name: str) -> Path | None:
    """Return the credential of that name, which systemd has made readable for this process alone."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder or Path(name).name != name:
        return None
    path = Path(folder) / name
    return path if path.is_file() else None


def _others_may_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False


def _is_secret(annotation: Any) -> bool:
    """Whether a type is, or may be, a secret: `SecretStr`, also within a union or an `Annotated`."""
    return annotation is SecretStr or any(_is_secret(part) for part in get_args(annotation))
