"""Tells all who look on what changes: rendered once for everybody, at most once a second.

Nobody waits for anybody: each client has a task and a short queue of its own. Who does not keep up finds a
snapshot in the place of what was dropped; who does not read at all is cut.
"""

import asyncio
import json
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any

from aiohttp import web

from pvcharge.web.answers import State
from pvcharge.web.live.client import Client
from pvcharge.web.live.state import Level, allowed
from pvcharge.web.problems import ProblemError

EVERY_S = 1.0  # real seconds between two messages, even where the daemon's time runs faster
SILENCE_S = 5.0  # real seconds without a message, at most
MOST_CLIENTS = 250
MOST_WITH_GUESTS = 220  # from here on, guests are refused: the owner shall always find a place
DELTA_KEYS = ("values", "texts", "devices", "session", "decision_age_s")
_AGES = ("decision_age_s", "devices")  # they change by themselves, which is not worth a message

Document = Mapping[str, Any]


class Hub:
    """Follows the feed and tells its clients.

    Args:
        events: a subscription of the feed.
        take: what each event is handed to, in this order.
        state: returns all that is known, for a level.

    Attributes:
        clients: who look on now.
    """

    def __init__(
        self,
        events: AsyncIterable[object],
        take: tuple[Callable[[object], None], ...],
        state: Callable[[Level], State],
    ) -> None:
        self._events = events
        self._take = take
        self._state = state
        self.clients: set[Client] = set()
        self._held: set[asyncio.BaseTransport | None] = set()  # their connections
        self._seq = 0
        self._told: Document | None = None  # the owner's state as told last; None while nobody looks on
        self._told_s = 0.0  # when, in the event loop's time
        self._snapshots: dict[Level, str] = {}  # of `_told`, as far as somebody has needed one

    async def run(self) -> None:
        """Follow the feed and tell the clients, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="live: follow")
            group.create_task(self._tell(), name="live: tell")

    async def _follow(self) -> None:
        async for event in self._events:
            for take in self._take:
                take(event)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self.tell()

    def tell(self) -> None:
        """Tell what has changed since the last time, if anything, or if it is time for a sign of life."""
        if not self.clients:
            self._told = None
            return
        before = self._told
        if before is None:
            return
        now, now_s = self._render(), asyncio.get_running_loop().time()
        # A message is late by a hiccup of the timer, which must not add another period of silence to it.
        due = now_s - self._told_s >= SILENCE_S - EVERY_S / 2
        if not due and _gist(before) == _gist(now):
            return
        self._set(now, now_s)
        delta = {"type": "delta", "seq": self._seq, "at": now["at"], "changes": _changes(before, now)}
        message = dump(delta)
        for client in self.clients:
            client.offer(message)

    def snapshot(self, level: Level) -> str:
        """Return the message that tells all, as it was before the next change."""
        if self._told is None:
            self._set(self._render(), asyncio.get_running_loop().time())
        told = self._told
        if level not in self._snapshots and told is not None:
            rights = {"level": level, "can": allowed(told["can"], level)}
            document = {"type": "snapshot", "seq": self._seq, "state": {**told, **rights}}
            self._snapshots[level] = dump(document)
        return self._snapshots[level]

    async def serve(
        self, request: web.Request, level: Level, still: Callable[[], bool] = lambda: True
    ) -> web.StreamResponse:
        """Keep a client told for as long as it reads, and is `still` allowed to.

        Raises:
            ProblemError: it does not ask for a WebSocket as we speak it, or there are too many clients.
        """
        _check_handshake(request)
        if len(self.clients) >= (MOST_CLIENTS if level == "owner" else MOST_WITH_GUESTS):
            raise ProblemError(503, "too many look on already", headers={"Retry-After": "30"})
        client = Client(request, lambda: self.snapshot(level), still)
        transport = request.transport
        self.clients.add(client)
        self._held.add(transport)
        try:
            return await client.serve()
        finally:
            self.clients.discard(client)
            self._held.discard(transport)

    def holds(self, transport: asyncio.BaseTransport | None) -> bool:
        """Whether a connection is one of a client."""
        return transport in self._held

    def close(self) -> None:
        """Let all clients go, since the daemon ends."""
        for client in self.clients:
            client.close()

    def _render(self) -> Document:
        return self._state("owner").model_dump(mode="json")

    def _set(self, told: Document, now_s: float) -> None:
        self._seq += 1
        self._told, self._told_s = told, now_s
        self._snapshots.clear()


def _check_handshake(request: web.Request) -> None:
    """Refuse what does not ask for a WebSocket as we speak it.

    Raises:
        ProblemError: with 400 or 426.
    """
    # aiohttp would go on without one, as it may, but with a warning for each client.
    if "Sec-WebSocket-Protocol" in request.headers:
        raise ProblemError(400, "there is no protocol within the WebSocket; send no Sec-WebSocket-Protocol")
    try:
        is_good = bool(web.WebSocketResponse().can_prepare(request))
    except ValueError:  # a key that is no ASCII
        is_good = False
    if not is_good:
        raise ProblemError(426, "connect as a WebSocket", headers={"Upgrade": "websocket"})


def _changes(before: Document, now: Document) -> dict[str, Any]:
    """Return what differs, by the state's keys, and of its values only those that do."""
    changes = {key: now[key] for key in DELTA_KEYS if now[key] != before[key]}
    if "values" in changes:
        changes["values"] = {
            key: value for key, value in now["values"].items() if before["values"].get(key) != value
        }
    return changes


def _gist(document: Document) -> Mapping[str, Any]:
    """Return what is worth a message when it changes."""
    devices = [{**device, "age_s": None} for device in document["devices"]]
    return {key: document[key] for key in DELTA_KEYS if key not in _AGES} | {"devices": devices}


def dump(document: Document) -> str:
    """Return a message as it is sent."""
    return json.dumps(document, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
