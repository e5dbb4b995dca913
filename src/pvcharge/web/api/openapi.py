"""The OpenAPI 3.1 document, made from the table of routes and its models."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pvcharge import __version__
from pvcharge.web.access import Level, RouteDoc
from pvcharge.web.api import PREFIX
from pvcharge.web.api.routes import Route
from pvcharge.web.problems import MEDIA, Problem

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]
Schemas = Mapping[tuple[object, Mode], Schema]

TAKEN: Mode = "validation"
TOLD: Mode = "serialization"

WHAT = (
    "Reads and steers a pvcharge daemon. Numbers carry their unit in the name, times are ISO 8601 in UTC, "
    "and null is not known. Log in by a token (Authorization: Bearer), or with the password for a cookie."
)
# What can be wrong with any request.
ALWAYS = {
    400: "The request is none that HTTP or JSON knows.",
    403: "It comes from another site's page.",
    421: "The Host is not ours.",
    500: "A fault of pvcharge, which its log tells more of.",
}
LOCKED = {401: "Log in first."}
TAKING = {
    413: "The body is too large.",
    415: "The body must be application/json.",
}
CHECKED = {422: "A key is unknown, or its value will not do."}


def document(routes: Iterable[Route], others: Iterable[RouteDoc], base: str) -> Schema:
    """Return the document.

    Args:
        routes: of the table.
        others: of what belongs to logging in.
        base: below which the daemon serves, such as "" or "/pvcharge".
    """
    routes, others = tuple(routes), tuple(others)
    schemas, definitions = _schemas(routes, others)
    paths: Schema = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _of_route(route, schemas)
    for other in others:
        paths.setdefault(other.path, {})[other.method.lower()] = _of_other(other, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pvcharge",
            "version": __version__,
            "description": WHAT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": f"{base}{PREFIX}"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(definitions.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "pvcharge_session"},
            },
        },
    }


def _schemas(routes: tuple[Route, ...], others: tuple[RouteDoc, ...]) -> tuple[Schemas, Schema]:
    """Return the references of all models, and what they refer to."""
    taken = [route.endpoint.body for route in routes], [other.body for other in others]
    told = [route.answer for route in routes if isinstance(route.answer, type)], [it.answer for it in others]
    inputs: dict[type[BaseModel], Mode] = {model: TAKEN for some in taken for model in some if model}
    outputs: dict[type[BaseModel], Mode] = {model: TOLD for some in told for model in some if model}
    references, definitions = models_json_schema(
        [*inputs.items(), *outputs.items(), (Problem, TOLD)], ref_template="#/components/schemas/{model}"
    )
    schemas: Schemas = {(model, mode): schema for (model, mode), schema in references.items()}
    return schemas, definitions["$defs"]


def _of_route(route: Route, schemas: Schemas) -> Schema:
    asked: Schema = {}
    if route.endpoint.query is not None:
        asked["parameters"] = list(_parameters(route.endpoint.query))
    wrong = {**ALWAYS, **CHECKED, **(TAKING if route.endpoint.body else {}), **route.problems}
    return asked | _operation(
        route.summary,
        route.level,
        _body(route.endpoint.body, schemas),
        _answer(route, schemas),
        wrong,
        schemas,
    )


def _of_other(other: RouteDoc, schemas: Schemas) -> Schema:
    asked: Schema = {}
    names = [part[1:-1] for part in other.path.split("/") if part.startswith("{")]
    if names:
        asked["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    content = {"application/json": {"schema": schemas[other.answer, TOLD]}} if other.answer else None
    answer = {str(int(other.status)): _response(HTTPStatus(other.status).phrase, content)}
    wrong = {**ALWAYS, **({**TAKING, **CHECKED} if other.body else {}), **other.refusals}
    return asked | _operation(other.summary, other.level, _body(other.body, schemas), answer, wrong, schemas)


def _operation(
    summary: str,
    level: Level,
    body: Schema,
    answer: Schema,
    wrong: Mapping[int, str],
    schemas: Schemas,
) -> Schema:
    locked = level is not Level.NONE
    content = {MEDIA: {"schema": schemas[Problem, TOLD]}}
    problems = {
        str(status): _response(what, content)
        for status, what in sorted(((LOCKED if locked else {}) | dict(wrong)).items())
    }
    security: Schema = {"security": [{"token": []}, {"cookie": []}]} if locked else {}
    return {
        "summary": summary,
        "x-level": level.name.lower(),
        **security,
        **body,
        "responses": answer | problems,
    }


def _body(model: type[BaseModel] | None, schemas: Schemas) -> Schema:
    if model is None:
        return {}
    content = {"application/json": {"schema": schemas[model, TAKEN]}}
    return {"requestBody": {"required": True, "content": content}}


def _answer(route: Route, schemas: Schemas) -> Schema:
    if route.status is HTTPStatus.SWITCHING_PROTOCOLS:
        content = None
    elif route.answer is None:
        content = {"application/json": {"schema": {"type": "object"}}}
    elif isinstance(route.answer, str):
        content = {route.answer: {"schema": {"type": "string"}}}
    else:
        content = {"application/json": {"schema": schemas[route.answer, TOLD]}}
    return {str(int(route.status)): _response(route.status.phrase, content)}


def _response(what: str, content: Schema | None) -> Schema:
    return {"description": what, **({"content": content} if content else {})}


def _parameters(query: type[BaseModel]) -> Iterable[Schema]:
    schema = query.model_json_schema()
    for name, told in schema["properties"].items():
        of_one = {key: value for key, value in told.items() if key != "title"}
        what = {"description": text} if (text := of_one.pop("description", None)) else {}
        # What is left out is not there at all: there is no null behind a question mark.
        choices = [choice for choice in of_one.pop("anyOf", []) if choice != {"type": "null"}]
        if of_one.get("default", "") is None:
            del of_one["default"]
        plain = choices[0] if choices else {}
        required = name in schema.get("required", [])
        yield {"name": name, "in": "query", "required": required, **what, "schema": plain | of_one}
