"""The daemon's broker connection: kept up for as long as it runs, whatever the network does.

No failure of it reaches those who use it as a `Bus`. That the broker has let us in proves little, since it
denies subscriptions and messages in silence: what proves the link is the heartbeat, end to end.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime

import structlog

from pvcharge.model import Clock
from pvcharge.mqtt.bus import Handler, Hook
from pvcharge.mqtt.connection import Connection, Identity, Timing
from pvcharge.mqtt.dispatcher import Dispatcher
from pvcharge.mqtt.failures import LinkError
from pvcharge.mqtt.patience import Patience
from pvcharge.mqtt.settings import MqttSettings

log = structlog.get_logger(__name__)


class Link:
    """A `Bus` on a real broker.

    Args:
        settings: which broker, and how to log in.
        client_id: our name at the broker; the same after a restart, and nobody else's.
        will: topic and payload of a retained message that says we are gone. We publish it when we leave, the
            broker if we vanish. None for who is not missed, such as a shell command.
        clock: the daemon's time, for the facts of `health` only.
        timing: time-outs and waits in real seconds.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        will: tuple[str, str] | None,
        clock: Clock,
        timing: Timing | None = None,
    ) -> None:
        self._settings = settings
        self._timing = timing or Timing()
        self._identity = Identity(client_id, will)
        self._clock = clock
        self._dispatcher = Dispatcher()
        self._connection: Connection | None = None  # one that the broker has accepted
        self._connected_at: datetime | None = None
        self._connects = 0
        self._last_error = ""

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us; says nothing about who hears us."""
        return self._connection is not None

    def listen(self, topic: str, handler: Handler) -> None:
        """Have the messages of a topic, no wildcard, handled one after another, the latest only.

        Handlers and hooks run in one task: one that takes long keeps all others waiting.
        """
        self._dispatcher.listen(topic, handler)

    def on_connect(self, hook: Hook) -> None:
        """Have something done after each connect, when all subscriptions stand."""
        self._dispatcher.on_connect(hook)

    async def publish(
        self, topic: str, payload: str, *, qos: int = 1, retain: bool = False, expiry_s: float | None = None
    ) -> bool:
        """Publish within 5 s, and return whether the broker took it; False at once without a connection.

        A message that was not acknowledged in time may have been taken all the same. `expiry_s` is counted
        by the broker, so in real seconds, of which it knows whole ones only.
        """
        connection = self._connection
        if connection is None:
            return False
        try:
            await connection.send(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)
        except LinkError as error:
            log.debug("message not taken", topic=topic, error=str(error))
            return False
        return True

    async def run(self) -> None:
        """Connect, and again after each failure, until cancelled; then publish the will and disconnect."""
        patience = Patience(self._settings.address, self._timing)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._dispatcher.run(), name="mqtt dispatcher")
            while True:
                try:
                    await self._connect(patience)
                except LinkError as error:
                    self._last_error = str(error)
                    await asyncio.sleep(patience.failed(error))

    def health(self) -> Mapping[str, float | str]:
        """Return facts for the user: when connected last, how often again, and the last error if any."""
        facts: dict[str, float | str] = {"reconnects": max(0, self._connects - 1)}
        if self._connected_at:
            facts["connected_since"] = self._connected_at.isoformat(timespec="seconds")
        if self._last_error:
            facts["last_error"] = self._last_error
        return facts

    async def _connect(self, patience: Patience) -> None:
        """Connect once, and pass on what comes in for as long as that holds.

        Raises:
            LinkError: it could not be made, or has ended.
        """
        connection = await self._open()
        try:
            await self._welcome(connection)
            patience.succeeded()
            async for message in connection.received():
                self._dispatcher.put(message)
        except asyncio.CancelledError:
            self._connection = None
            await self._say_goodbye(connection)
            raise
        finally:
            self._connection = self._connected_at = None
            await connection.abandon()

    async def _open(self) -> Connection:
        try:
            tls_context = await asyncio.to_thread(self._settings.tls_context)
        except OSError as error:
            reason = f"certificates cannot be used ({error.strerror})"
            raise LinkError(
                f"{reason}; check ca_file, cert_file and key_file in [mqtt]", refused=True
            ) from error
        connection = Connection(self._settings, tls_context, self._identity, self._timing)
        await connection.open()
        return connection

    async def _welcome(self, connection: Connection) -> None:
        refused = await connection.subscribe_all(self._dispatcher.topics)
        if refused:
            log.error("broker refuses subscriptions; see its ACL", topics=refused)
        self._connection, self._connected_at = connection, self._clock.now()
        self._connects += 1
        self._dispatcher.connected()

    async def _say_goodbye(self, connection: Connection) -> None:
        will = self._identity.will
        try:
            if will is not None:
                async with asyncio.timeout(self._timing.goodbye_s):
                    await connection.send(*will, qos=1, retain=True, expiry_s=None)
        except (LinkError, TimeoutError) as error:
            log.debug("goodbye not taken", error=str(error))
        else:
            await connection.leave()
