"""One connection to a broker over MQTT v5, from the first packet to the last.

The only file that knows aiomqtt, and paho below it. Times here are real seconds, whatever clock the daemon
runs on: a socket does not get faster with it.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiomqtt import Client, MqttError, ProtocolVersion, Will
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pvcharge.mqtt.bus import Message
from pvcharge.mqtt.failures import LinkError, explain
from pvcharge.mqtt.settings import MqttSettings

LARGEST_PACKET = 64 * 1024  # bytes; ours have a few hundred


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, in real seconds."""

    answer_s: float = 5.0  # for the broker to let us in, or to acknowledge something
    goodbye_s: float = 2.0  # for each step of leaving
    will_delay_s: int = 5  # a drop shorter than this is not told to others
    session_s: int = 300  # that the broker keeps messages for us; a command from before that is stale
    first_retry_s: float = 1.0
    retry_cap_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are at the broker, and the retained message, if any, that tells others when we are gone."""

    client_id: str
    will: tuple[str, str] | None  # topic and payload


class _Socket(ssl.SSLSocket):
    """A socket that closes when its handshake fails; paho forgets to do so."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in the base class
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class Connection(Client):
    """A connection that leaves nothing behind, however it ends.

    Where aiomqtt fails, times out or is cancelled while it connects, the socket stays open and may log in
    later, under our name, with nobody there to read it. So connecting and leaving are done here.
    """

    def __init__(
        self, settings: MqttSettings, tls_context: ssl.SSLContext | None, identity: Identity, timing: Timing
    ) -> None:
        if tls_context:
            tls_context.sslsocket_class = _Socket
        super().__init__(
            settings.host,
            settings.broker_port,
            protocol=ProtocolVersion.V5,
            identifier=identity.client_id,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            tls_context=tls_context,
            keepalive=settings.keepalive_s,
            timeout=timing.answer_s,
            clean_start=False,
            properties=_properties(
                PacketTypes.CONNECT, SessionExpiryInterval=timing.session_s, MaximumPacketSize=LARGEST_PACKET
            ),
            will=_will(identity.will, timing.will_delay_s),
        )
        self._timing = timing

    async def open(self) -> None:
        """Connect, and return when the broker has let us in.

        Raises:
            LinkError: it has not.
        """
        # Paho's connect blocks, for some seconds at most, so it runs in a thread, which cannot be stopped.
        dialled = asyncio.get_running_loop().run_in_executor(None, self._client_connect)
        try:
            await asyncio.shield(dialled)
            self._send_without_delay()
            await self._accepted()
        except BaseException as error:
            await asyncio.wait((dialled,))
            await self.abandon()
            if isinstance(error, MqttError | OSError | ValueError):
                raise explain(error) from error
            raise

    async def subscribe_all(self, topics: Sequence[str]) -> list[str]:
        """Subscribe with QoS 1 and return the topics that the broker openly refuses; most do so in silence.

        Raises:
            LinkError: the broker did not answer.
        """
        if not topics:
            return []
        wanted = [(topic, SubscribeOptions(qos=1)) for topic in topics]
        try:
            answers = await self.subscribe(wanted)
        except MqttError as error:
            raise explain(error) from error
        return [
            topic
            for topic, answer in zip(topics, answers, strict=True)
            if isinstance(answer, ReasonCode) and answer.is_failure
        ]

    async def received(self) -> AsyncIterator[Message]:
        """Yield what comes in.

        Raises:
            LinkError: the connection is lost.
        """
        try:
            async for message in self.messages:
                yield Message(message.topic.value, bytes(message.payload), retained=message.retain)
        except MqttError as error:
            raise explain(error) from error

    async def send(self, topic: str, payload: str, *, qos: int, retain: bool, expiry_s: float | None) -> None:
        """Publish, and return when the broker has acknowledged it, if `qos` is above 0.

        Raises:
            LinkError: it has not. It may have taken the message all the same.
        """
        properties = None
        if expiry_s is not None:
            # Whole seconds, never more than was asked for; but 0 would not even reach who is listening now.
            properties = _properties(PacketTypes.PUBLISH, MessageExpiryInterval=max(1, int(expiry_s)))
        # An acknowledgement that was lost with the connection would be waited for, and the next one delayed.
        sending = asyncio.create_task(self.publish(topic, payload, qos, retain, properties))
        try:
            await asyncio.wait((sending, self._disconnected), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise LinkError("the connection was lost")
            sending.result()
        except (MqttError, ValueError) as error:
            raise explain(error) from error
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def leave(self) -> None:
        """Tell the broker that we go, so that it keeps the will to itself; then let go of everything."""
        self._client.disconnect()
        await asyncio.wait((self._disconnected,), timeout=self._timing.goodbye_s)
        await self.abandon()

    async def abandon(self) -> None:
        """Let go of everything without a word to the broker, which publishes the will some seconds later."""
        link = self._client.socket()
        if isinstance(link, socket.socket):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)  # paho reads the end, and lets go of its socket
        if self._misc_task is not None:
            await asyncio.wait((self._misc_task,), timeout=self._timing.goodbye_s)
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()  # asyncio complains of exceptions that nobody has looked at

    def _send_without_delay(self) -> None:
        """Turn Nagle's algorithm off: what follows our receipt of a command would wait 40 ms for its own."""
        link = self._client.socket()
        if isinstance(link, socket.socket):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def _accepted(self) -> None:
        ends: list[asyncio.Future[None]] = [self._connected, self._disconnected]
        if self._misc_task is not None:
            ends.append(self._misc_task)  # it ends with the socket
        done, _ = await asyncio.wait(ends, timeout=self._timing.answer_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise LinkError(f"it has not answered within {self._timing.answer_s:g} s; is it an MQTT broker?")
        if self._connected.done():
            self._connected.result()
        elif self._disconnected.done():
            self._disconnected.result()
        else:
            raise LinkError("it hung up before it let us in; see its log, and whether it wants a certificate")


def _will(will: tuple[str, str] | None, delay_s: int) -> Will | None:
    if will is None:
        return None
    properties = _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=delay_s)
    return Will(*will, qos=1, retain=True, properties=properties)


def _properties(packet_type: int, **values: Any) -> Properties:
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
