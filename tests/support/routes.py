"""The table of the API's routes, made from the tables of routes themselves."""

from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import Mock

from pydantic import BaseModel

from pvcharge.web.access import ROUTES, Level
from pvcharge.web.api.handlers import Handlers
from pvcharge.web.api.routes import routes

HEAD = ("route", "what", "who", "takes")
WHO = {Level.NONE: "everybody", Level.GUEST: "guest", Level.OWNER: "owner"}


def rows() -> Iterator[Sequence[str]]:
    """Yield a row for each route, as `HEAD` names the cells."""
    for route in routes(Mock(spec=Handlers)):
        endpoint = route.endpoint
        takes = f"body {_keys(endpoint.body)}" if endpoint.body else _query(endpoint.query)
        yield f"`{route.method} {route.path}`", route.summary, WHO[route.level], takes
    for other in ROUTES:
        takes = f"body {_keys(other.body)}" if other.body else ""
        yield f"`{other.method} {other.path}`", other.summary, WHO[other.level], takes


def _query(model: type[BaseModel] | None) -> str:
    return f"query {_keys(model)}" if model else ""


def _keys(model: type[BaseModel]) -> str:
    fields: dict[str, Any] = dict(model.model_fields)
    names = (f"`{name}`" if field.is_required() else f"`{name}?`" for name, field in fields.items())
    return ", ".join(names) or "`{}`"
