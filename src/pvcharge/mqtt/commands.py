"""The user's commands: boost, mode and limits of the current, from whoever may write to their topics."""

import re
from collections.abc import Awaitable, Callable

from pvcharge.model import Clock, LimitsCommand, ModeCommand
from pvcharge.mqtt import topics
from pvcharge.mqtt.bus import Bus, Message
from pvcharge.mqtt.errors import Refusals
from pvcharge.mqtt.payloads import parse_boost, parse_mode
from pvcharge.mqtt.topics import Namespace, Topic
from pvcharge.mqtt.wire import PayloadError, RefusedError

Command = ModeCommand | LimitsCommand

_AMPS = re.compile(rb"\s*([0-9]{1,3})\s*")
_SHOWN = 60  # bytes of a foreign payload in a message of ours


class CommandListener:
    """Hears commands and passes the good ones on; the others are logged and answered on `<topic>/error`.

    Args:
        bus: the broker connection; not running yet.
        namespace: where the site's topics stand.
        clock: the daemon's time.
        on_command: takes a command, such as the control loop's `inbox.put`.
        min_current_a: the configured limits; a command may only narrow them.
        max_current_a: the upper one.
    """

    def __init__(
        self,
        bus: Bus,
        namespace: Namespace,
        clock: Clock,
        on_command: Callable[[Command], Awaitable[None]],
        *,
        min_current_a: int,
        max_current_a: int,
    ) -> None:
        self._bus = bus
        self._namespace = namespace
        self._clock = clock
        self._on_command = on_command
        self._min_current_a = min_current_a
        self._max_current_a = max_current_a
        self._hear(topics.BOOST_SET, lambda payload: parse_boost(payload, clock.now()))
        self._hear(topics.MODE_SET, parse_mode)
        self._hear(topics.MIN_CURRENT_SET, lambda payload: LimitsCommand(min_current_a=self._amps(payload)))
        self._hear(topics.MAX_CURRENT_SET, lambda payload: LimitsCommand(max_current_a=self._amps(payload)))

    def _hear(self, topic: Topic, parse: Callable[[bytes], Command]) -> None:
        """Have a topic's payloads read by this function."""
        refusals = Refusals(self._bus, self._namespace, topic, self._clock)
        path = self._namespace.path(topic)

        def read(message: Message) -> Command:
            if message.retained:
                raise RefusedError(
                    "retained",
                    "a retained command would be obeyed at every connect; publish it without retain, "
                    f"and remove this one: mosquitto_pub -t {path} -r -n",
                )
            return parse(message.payload)

        async def handle(message: Message) -> None:
            try:
                command = read(message)
            except RefusedError as error:
                await refusals.refuse(error)
            else:
                await self._on_command(command)

        self._bus.listen(path, handle)

    def _amps(self, payload: bytes) -> int:
        """Read whole amps within the configured limits.

        Raises:
            PayloadError: it is something else.
        """
        match = _AMPS.fullmatch(payload)
        if match is None or not self._min_current_a <= int(match[1]) <= self._max_current_a:
            shown = ascii(payload[:_SHOWN].decode(errors="replace"))
            allowed = f"{self._min_current_a} to {self._max_current_a}, as [control] allows"
            raise PayloadError(f"{shown} is not a whole number of amps from {allowed}")
        return int(match[1])
