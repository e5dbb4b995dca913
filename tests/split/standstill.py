"""A process that stands still, such as after SIGSTOP, in an event loop that it shares with others."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any

import pytest

process: ContextVar[str] = ContextVar("process")  # which one a task belongs to; those it starts inherit it


@contextmanager
def standing_still(name: str) -> Iterator[None]:
    """Let no task of a process take a step for as long as the context lasts; then comes all that is due."""
    loop = asyncio.get_running_loop()
    call_soon = loop.call_soon
    due: list[Callable[[], object]] = []

    def hold(callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        context = context or copy_context()
        if context.get(process) != name:
            return call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, loop, context)
        due.append(lambda: handle.cancelled() or call_soon(callback, *args, context=context))
        return handle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "call_soon", hold)
        yield
    for step in due:
        step()
