"""The charger: opens the link, hands out statuses, and makes the box what it shall be."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from pvcharge.drivers.base import DriverContext, PermanentError, TransientError
from pvcharge.drivers.wattpilot.auth import derive_key
from pvcharge.drivers.wattpilot.box import Box
from pvcharge.drivers.wattpilot.link import Link
from pvcharge.drivers.wattpilot.messages import Answer, Report, printable
from pvcharge.drivers.wattpilot.plan import Write
from pvcharge.drivers.wattpilot.session import Event, KeyWanted, Session
from pvcharge.drivers.wattpilot.settings import WattpilotSettings
from pvcharge.model import ChargerStatus, Setpoint

# Real seconds, whatever clock the daemon runs on.
HANDSHAKE_S = 60.0  # a Flex on a weak radio link needs more than 30
ANSWER_S = 10.0
REPORT_S = 6.0  # the box reports by itself what has changed, every 1 to 5 s


class WattpilotCharger:
    """A Wattpilot in the local network. See `pvcharge.drivers.base.Charger` for the contract."""

    def __init__(self, settings: WattpilotSettings, context: DriverContext) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = context.clock
        self._device = f"{settings.name} at {settings.host}:{settings.port}"
        self._box = Box()
        self._session = Session(self._device)
        self._link: Link | None = None
        self._keys: dict[KeyWanted, bytes] = {}
        self._status: ChargerStatus | None = None  # the latest, until it is handed out
        self._answer: Answer | None = None
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Connect, log in and wait for one complete status.

        Raises:
            TransientError: no connection, or not ready within 60 s.
            AuthError: the password is wrong.
            PermanentError: the box asks for a login that is not known here.
        """
        await self.aclose()
        self._box.forget()
        self._session = Session(self._device)
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                self._link = link = await Link.dial(self._settings.url, self._device)
                await self._log_in(link)
        except TimeoutError as error:
            await self.aclose()
            raise TransientError(
                f"{self._device}: not ready within {HANDSHAKE_S:g} s; restart the box if this goes on"
            ) from error
        except BaseException:
            await self.aclose()
            raise
        self._status = self._box.status(self._clock.now())
        link.listen(self._hear, self._settings.silence_s)

    async def next_status(self) -> ChargerStatus:
        """Wait for a message newer than the last status handed out; of several, only the newest counts.

        Raises:
            TransientError: the connection is lost, closed, or silent for too long.
        """
        status = await self._connected().until(lambda: self._status)
        self._status = None
        return status

    async def apply(self, setpoint: Setpoint) -> None:
        """Write what differs, one property after the other, each confirmed by what the box then reports.

        The current is brought into the limits that the box reports; where these allow none, charging is
        stopped. While a phase switch goes on, and for a phase switch during a fault, nothing is written:
        the status then goes on to show another setpoint, and a later call does the rest.

        Raises:
            TransientError: the connection is lost, or the box refused a write or did not take it.
        """
        async with self._writing:
            link = self._connected()
            for write in self._box.plan(setpoint, self._clock.now()):
                await self._write(link, write)

    def health(self) -> Mapping[str, float | str]:
        """Return firmware, serial number, reboots, frames ignored, and why the box charges or does not."""
        facts = self._box.health()
        facts["ignored_frames"] = self._session.ignored_frames
        if self._session.hello is not None:
            facts["serial"] = printable(self._session.hello.serial)
            facts["firmware"] = printable(self._session.hello.firmware)
        return facts

    async def aclose(self) -> None:
        """Close the connection and leave the box as it is set."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def _connected(self) -> Link:
        if self._link is None:
            raise TransientError(f"{self._device}: not connected")
        return self._link

    async def _log_in(self, link: Link) -> None:
        while not self._session.complete:
            event = self._take(await link.receive())
            if isinstance(event, KeyWanted):
                await link.send(self._session.login(await self._key(event)))

    async def _key(self, wanted: KeyWanted) -> bytes:
        """Derive the key in a thread, since that takes long, and keep it for the next connection."""
        if wanted not in self._keys:
            password = self._settings.password.get_secret_value()
            try:
                key = await asyncio.to_thread(derive_key, wanted.algorithm, password, wanted.serial)
            except ValueError as error:
                raise PermanentError(f"{self._device}: no login possible: {error}") from error
            self._keys = {wanted: key}
        return self._keys[wanted]

    def _hear(self, frame: str | bytes) -> None:
        if self._take(frame) is not None:
            self._status = self._box.status(self._clock.now())

    def _take(self, frame: str | bytes) -> Event | None:
        event = self._session.receive(frame)
        match event:
            case Report():
                self._box.merge(event.properties)
            case Answer():
                self._answer = event
        return event

    async def _write(self, link: Link, write: Write) -> None:
        answer = await self._request(link, write)
        if not answer.success:
            self._box.refused(write)
            reason = answer.message or "no reason given"
            raise TransientError(f"{self._device}: the box refused {write}: {reason}")
        if not await self._reported(link, write):
            raise TransientError(f"{self._device}: the box accepted {write} but did not take it")

    async def _request(self, link: Link, write: Write) -> Answer:
        """Send one write and wait for its answer; first for that of an earlier one that was abandoned."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await link.until(lambda: self._session.outstanding is None)
                self._answer = None
                self._box.wrote(write)
                await link.send(self._session.write(write.key, write.value))
                return await link.until(lambda: self._answer)
        except TimeoutError as error:
            # A second request beside an open one can crash the box, so this link is of no more use.
            failure = TransientError(f"{self._device}: no answer to {write} within {ANSWER_S:g} s")
            link.give_up(failure)
            raise failure from error

    async def _reported(self, link: Link, write: Write) -> bool:
        """Return whether the box has the value now: from what it reports by itself, else when asked."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPORT_S):
                return await link.until(lambda: self._box.holds(write))
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await link.send(self._session.request_full_status())
                await link.until(lambda: self._session.complete)
        return self._box.holds(write)
