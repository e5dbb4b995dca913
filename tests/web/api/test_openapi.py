"""The OpenAPI document: it says what there is, and what it says is so."""

import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from pvcharge.web.api import PREFIX
from web.house import House

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture
def document(house: House) -> dict[str, Any]:
    """Return the document."""
    return dict(house.site.document())


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return all methods and paths of a document."""
    return {
        (method.upper(), path) for path, item in document["paths"].items() for method in item.keys() & METHODS
    }


def references(node: object) -> Iterator[str]:
    """Yield all references within a document."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_each_route_is_in_the_document(house: House, document: dict[str, Any]) -> None:
    """And each of the document is a route; so are those of logging in."""
    app = await house.site.app()
    served = {
        (route.method, route.resource.canonical.removeprefix(PREFIX))
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith(PREFIX)
        if route.method != "HEAD"
    }
    assert served == operations(document)
    assert ("POST", "/login") in served
    assert ("DELETE", "/tokens/{id}") in served


async def test_it_is_served(api: aiohttp.ClientSession, document: dict[str, Any]) -> None:
    """As it is."""
    async with api.get("openapi.json") as answer:
        assert await answer.json() == document


async def test_no_path_has_other_methods(api: aiohttp.ClientSession, document: dict[str, Any]) -> None:
    """What a path does not have is refused, and what it has is named."""
    for path, item in document["paths"].items():
        place = path.removeprefix("/").replace("{id}", "0123")
        async with api.request("TRACE", place) as answer:
            assert answer.status == 405, path
            named = set(answer.headers["Allow"].lower().split(",")) - {"head"}
            assert named == item.keys() & METHODS


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    """All schemas that are referred to are there, and none that is not."""
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) == schemas


def test_models_say_what_they_are(document: dict[str, Any]) -> None:
    """No names of ours leak into it, and no object takes or tells keys that nobody knows of."""
    for name, schema in document["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name


def test_queries_are_optional_by_being_left_out(document: dict[str, Any]) -> None:
    """There is no null behind a question mark."""
    [date] = document["paths"]["/day"]["get"]["parameters"]
    assert date == {
        "name": "date",
        "in": "query",
        "required": False,
        "description": "default: today",
        "schema": {"type": "string", "format": "date"},
    }


def test_each_answer_is_a_problem_or_the_right_one(document: dict[str, Any]) -> None:
    """Of what may go wrong, there is what every request may meet."""
    for path, item in document["paths"].items():
        for method in item.keys() & METHODS:
            answers = item[method]["responses"]
            assert {"400", "403", "421", "500"} <= answers.keys(), path
            assert ("401" in answers) or path in ("/access", "/logout"), path
            for status, answer in answers.items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
