"""One client at the box: login, full status, deltas, and answers to what it asks."""

import asyncio
import json
import random
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from pvcharge.model import Clock
from pvcharge.sim.wattpilot import auth
from pvcharge.sim.wattpilot.box import WattpilotBox
from pvcharge.sim.wattpilot.faults import WattpilotFaults
from pvcharge.sim.wattpilot.writes import WriteRefusedError

log = structlog.get_logger(__name__)

TOKEN_ALPHABET = string.ascii_letters + string.digits
TOKEN_CHARS = 32
PARTS_OF_OLD_BOX = 4
PART_PAUSE_S = 0.005  # real time: sending takes the box a while, and it hears others meanwhile
LEAST_PAUSE_S = 0.02  # real time: an accelerated clock shall not make the box a firehose
DELTA_PAUSE_S = (1.0, 4.0)
IN_EVERY_DELTA = frozenset({"utc", "loc", "rbt", "nrg", "fhz", "tma"})
GARBAGE: tuple[str | bytes, ...] = (
    "{",
    "[1, 2]",
    '{"type":"deltaStatus"}',
    '{"type":"weather","sun":true}',
    b"\x00\x81\xa3amp\x06",
)
STILL_SENDING = "sending of fullStatus still in progress, paralell not allowed anymore!"
FOUND_INVERTERS = (("12345678", "Roof", "192.0.2.30"), ("12345679", "Barn", "192.0.2.31"))  # id, label, ip

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Access:
    """How clients get in.

    Attributes:
        key: derived from password and serial number.
        hash_mode: algorithm that `authRequired` names; None = it names none.
        secured: whether writes must be signed.
    """

    key: bytes
    hash_mode: str | None
    secured: bool


async def pause(clock: Clock, seconds: float) -> None:
    """Sleep on the clock, but never less than a moment of real time."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    await clock.sleep(seconds)
    await asyncio.sleep(LEAST_PAUSE_S - (loop.time() - started_s))


class Session:
    """Serves one connection until it ends.

    Args:
        link: an open connection.
        box: whose properties it shows and sets.
        access: how clients get in.
        faults: what goes wrong.
        clock: paces the deltas.
    """

    def __init__(
        self, link: ServerConnection, box: WattpilotBox, access: Access, faults: WattpilotFaults, clock: Clock
    ) -> None:
        self._link = link
        self._box = box
        self._access = access
        self._faults = faults
        self._clock = clock
        self._rng = random.Random(box.serial)
        self._garbage = cycle(GARBAGE)
        self._boot_count = box.properties["rbc"]
        self._sent: Message = {}
        self._sends_full_status = True  # from the login on
        self._late: list[Message] = []

    async def run(self) -> None:
        """Log the client in and serve it. Returns when the connection has ended, however it did."""
        try:
            with self._faults.droppable(self._link.transport.abort):
                if await self._log_in():
                    await self._serve()
        except* ConnectionClosed:
            pass  # clients come and go

    async def _log_in(self) -> bool:
        """Introduce the box, ask for the password's hash, and say whether it is right."""
        values = self._box.properties
        await self._send(
            {
                "type": "hello",
                "serial": self._box.serial,
                "hostname": values["host"],
                "friendly_name": values["fna"],
                "manufacturer": values["oem"],
                "devicetype": values["typ"],
                "version": values["fwv"],
                "protocol": 2,
                "secured": self._access.secured,
            }
        )
        token1, token2 = _token(), _token()
        hash_mode = {"hash": self._access.hash_mode} if self._access.hash_mode else {}
        await self._send({"type": "authRequired", "token1": token1, "token2": token2, **hash_mode})
        answer = _parsed(await self._link.recv())
        await asyncio.sleep(self._faults.auth_delay_s)
        token3, given = answer.get("token3"), answer.get("hash")
        expected = auth.login_hash(self._access.key, token1, token2, str(token3))
        if answer.get("type") == "auth" and auth.same(given, expected):
            await self._send({"type": "authSuccess", "token3": token3, "hash": given})
            return True
        await self._send({"type": "authError", "token3": token3, "hash": given, "message": "Wrong password"})
        return False

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._greet())
            publisher = group.create_task(self._publish())
            async for frame in self._link:
                if not self._faults.freeze:
                    await self._answer(frame, group)
            publisher.cancel()

    async def _greet(self) -> None:
        """Send all that a client gets once after its login."""
        await self._send_full_status()
        await self._send({"type": "clearInverters", "partial": True})
        for number, label, ip in FOUND_INVERTERS:
            await self._send({"type": "updateInverter", "partial": False, **_inverter(number, label, ip)})
        if self._box.flex:
            await self._send({"type": "clearSmips"})

    async def _send_full_status(self) -> None:
        self._box.tick(self._clock.now())
        self._sent = self._faults.seen(self._box.properties)
        parts = 1 if self._box.flex else PARTS_OF_OLD_BOX
        left, items = len(self._sent), iter(self._sent.items())
        for remaining in range(parts, 0, -1):
            size = left // remaining
            left -= size
            status = dict(islice(items, size))
            await self._send({"type": "fullStatus", "partial": remaining > 1, "status": status})
            await asyncio.sleep(PART_PAUSE_S)
        self._sends_full_status = False

    async def _publish(self) -> None:
        """Send what has changed, every few seconds, until the box reboots.

        A frozen box does not even notice that it has rebooted: its clients hold orphaned connections.
        """
        while True:
            await pause(self._clock, self._rng.uniform(*DELTA_PAUSE_S))
            if self._faults.freeze:
                continue
            if self._box.properties["rbc"] != self._boot_count:
                self._link.transport.abort()
                return
            self._box.tick(self._clock.now())
            await self._send_delta()

    async def _send_delta(self) -> None:
        now = self._faults.seen(self._box.properties)
        changed = {
            key: value
            for key, value in now.items()
            if key in IN_EVERY_DELTA or key not in self._sent or self._sent[key] != value
        }
        self._sent = now
        if self._faults.garbage:
            await self._link.send(next(self._garbage))
        await self._send({"type": "deltaStatus", "status": changed})
        await self._send_late()

    async def _answer(self, frame: str | bytes, group: asyncio.TaskGroup) -> None:
        """Do what a message asks, and answer it."""
        message = _parsed(frame)
        signed = message.get("type") == "securedMsg"
        if signed:
            if not self._signature_fits(message):
                log.warning("simulated Wattpilot got a wrong hmac", request_id=message.get("requestId"))
                await self._respond(message, _failure("hmac mismatch"))
                return
            message = _parsed(message["data"])
        match message.get("type"):
            case "setValue" if self._access.secured and not signed:
                await self._respond(message, _failure("setValue must be secured"))
            case "setValue":
                await self._respond(message, self._written(message.get("key"), message.get("value")))
            case "requestFullStatus" if self._sends_full_status:
                await self._respond(message, _failure(STILL_SENDING))
            case "requestFullStatus":
                self._sends_full_status = True
                group.create_task(self._send_full_status())
            case unknown:
                await self._respond(message, _failure(f'unknown message type="{unknown}"'))

    def _signature_fits(self, envelope: Message) -> bool:
        data = envelope.get("data")
        return isinstance(data, str) and auth.same(
            envelope.get("hmac"), auth.signature(self._access.key, data)
        )

    def _written(self, key: Any, value: Any) -> Message:
        """Set a property as the client wishes, and return the response's own part."""
        if self._faults.rejects_write():
            return _failure(f"{key}: failed: rejected")
        if not self._faults.ignore_writes:
            self._box.tick(self._clock.now())
            try:
                self._box.set_value(str(key), value)
            except WriteRefusedError as error:
                return _failure(str(error))
        return {"success": True, "status": self._faults.seen({key: value})}

    async def _respond(self, request: Message, outcome: Message) -> None:
        request_id = {"requestId": str(request["requestId"])} if "requestId" in request else {}
        response = {"type": "response", **request_id, **outcome}
        if self._faults.late_responses and not self._late:
            self._late.append(response)
            return
        await self._send_response(response)
        await self._send_late()

    async def _send_late(self) -> None:
        while self._late:
            await self._send_response(self._late.pop())

    async def _send_response(self, response: Message) -> None:
        for _ in range(2 if self._faults.duplicate_responses else 1):
            await self._send(response)

    async def _send(self, message: Message) -> None:
        if not self._faults.freeze:
            await self._link.send(json.dumps(message, separators=(",", ":")))


def _inverter(number: str, label: str, ip: str) -> Message:
    """Return an inverter that the box sees in the network and is not paired with."""
    return {
        "id": number,
        "paired": False,
        "deviceFamily": "DataManager",
        "label": label,
        "model": "PILOT",
        "commonName": f"pilot-0.5e-{number}",
        "ip": ip,
        "connected": False,
        "reachableMdns": True,
        "reachableUdp": True,
        "reachableHttp": True,
        "status": 0,
        "message": "ok",
    }


def _failure(text: str) -> Message:
    return {"success": False, "message": text}


def _token() -> str:
    return "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(TOKEN_CHARS))


def _parsed(frame: str | bytes) -> Message:
    """Return the object in a frame; one without any keys if there is none."""
    try:
        message = json.loads(frame)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
