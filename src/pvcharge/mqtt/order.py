"""A user's command by MQTT from the sending side: published once, then waited for until it is in force."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from pvcharge.model import Mode
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.payloads import decode_refusal
from pvcharge.mqtt.topics import Namespace, Topic
from pvcharge.mqtt.wire import PayloadError

ANSWER_S = 10.0  # real seconds from the start of the connection


class OrderError(Exception):
    """The command is not in force, as far as is known; the text says why."""


class Order:
    """One command and the answer to it.

    Args:
        bus: the broker connection; not running yet.
        namespace: where the site's topics stand.
        topic: the command's topic, such as `topics.MODE_SET`.
        payload: what is published there.
        boosts: whether a boost shall be in force then; None if that is of no interest.
        mode: the mode that shall be in force then; None if that is of no interest.
    """

    def __init__(
        self,
        bus: Bus,
        namespace: Namespace,
        topic: Topic,
        payload: str,
        *,
        boosts: bool | None = None,
        mode: Mode | None = None,
    ) -> None:
        self._bus = bus
        self._topic = namespace.path(topic)
        self._payload = payload
        self._boosts = boosts
        self._mode = mode
        self._sent = False
        self._state: Mapping[str, Any] | None = None  # the last one heard since
        self._boost: bytes | None = None  # as told last since; by the edge, while there is no controller
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        bus.listen(namespace.path(topics.STATE), self._hear_state)
        bus.listen(namespace.path(topics.BOOST), self._hear_boost)
        bus.listen(namespace.error(topic), self._hear_error)
        bus.on_connect(self._send)

    async def answer(self) -> str:
        """Wait until the command is in force, and return what the controller says then.

        Raises:
            OrderError: it was refused, or nothing has confirmed it in time.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._answer
        except TimeoutError:
            if self._edge_obeys():
                return "The edge boosts by itself; the controller does not answer."
            raise OrderError(self._silence()) from None

    async def _send(self) -> None:
        if not self._sent:
            # From here on, what comes in may be the answer; it can be faster than the broker's receipt.
            self._sent = True
            self._sent = await self._bus.publish(self._topic, self._payload, expiry_s=ANSWER_S)

    async def _hear_state(self, message: Message) -> None:
        if not self._sent or message.retained:
            return
        state = _object(message.payload)
        if state is None:
            return
        self._state = state
        if self._is_obeyed(state) and not self._answer.done():
            self._answer.set_result(str(state.get("reason_text") or ""))

    async def _hear_boost(self, message: Message) -> None:
        if self._sent and not message.retained:
            self._boost = message.payload

    async def _hear_error(self, message: Message) -> None:
        if not self._sent or self._answer.done():
            return
        try:
            self._answer.set_exception(OrderError(f"refused: {decode_refusal(message.payload)}"))
        except PayloadError:
            return  # whoever sent that is none of ours

    def _is_obeyed(self, state: Mapping[str, Any]) -> bool:
        in_force = state.get("mode")
        if self._mode is not None:
            return in_force == self._mode.value
        return in_force is not None and (in_force == Mode.BOOST.value) is self._boosts

    def _edge_obeys(self) -> bool:
        return self._boosts is not None and self._boost == (b"ON" if self._boosts else b"OFF")

    def _silence(self) -> str:
        if not self._bus.connected:
            return f"no connection to the broker within {ANSWER_S:.0f} s"
        if self._state is not None:
            return f"the controller is there, but its mode is still {self._state.get('mode')}; see its log"
        return (
            f"nobody has answered within {ANSWER_S:.0f} s; see whether the controller runs, and whether the "
            "broker lets this user write the command and read the state"
        )


def _object(payload: bytes) -> Mapping[str, Any] | None:
    """Return the JSON object, None if it is none."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
