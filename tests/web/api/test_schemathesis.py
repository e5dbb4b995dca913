"""Requests that a machine has made up by the OpenAPI document: no 5xx, no answer that it does not tell of."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from aiohttp.test_utils import unused_port
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from web.house import House

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a house in a thread of its own, since the requests come from one that waits."""
    started, stop = threading.Event(), threading.Event()
    port, folder = unused_port(), tmp_path_factory.mktemp("house")

    async def serve() -> None:
        runner = web.AppRunner(await House(Path(folder)).site.app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        started.set()
        while not stop.is_set():  # noqa: ASYNC110 - it is set in another thread
            await asyncio.sleep(0.02)
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10)
    yield f"http://127.0.0.1:{port}"
    stop.set()
    thread.join(10)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_any_request(served: str, mode: GenerationMode) -> None:
    """Good ones and bad ones are answered as the document says."""
    schema = schemathesis.openapi.from_url(f"{served}/api/v1/openapi.json")
    asked: set[str] = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=8,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=CHECKS)

        ask()
        asked.add(operation.label)
    assert {"PUT /mode", "PATCH /settings", "GET /energy"} <= asked
