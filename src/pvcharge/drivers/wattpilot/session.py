"""One connection to the box as a state machine without I/O: frames in, events and texts to send out."""

import secrets
from dataclasses import dataclass

from pvcharge.drivers.base import AuthError, PermanentError, TransientError
from pvcharge.drivers.wattpilot import messages
from pvcharge.drivers.wattpilot.auth import choose_algorithm, login_proof
from pvcharge.drivers.wattpilot.messages import (
    Answer,
    Aside,
    Hello,
    LoginAccepted,
    LoginDemand,
    LoginRefused,
    Report,
)


@dataclass(frozen=True, slots=True)
class KeyWanted:
    """The login can go on as soon as somebody has derived this key, which takes a while."""

    serial: str
    algorithm: str


Event = KeyWanted | Report | Answer | Aside


class Session:
    """The order of messages: hello, login, full status in parts, then changes and answers for ever.

    Attributes:
        hello: what the box said about itself, once it did.
        complete: whether a whole status has come in, since the login or since it was asked for.
        outstanding: number of the write that waits for its answer. There is one at most: newer
            firmware crashes on parallel writes.
        ignored_frames: frames that made no sense.
    """

    def __init__(self, device: str) -> None:
        self.hello: Hello | None = None
        self.complete = False
        self.outstanding: int | None = None
        self.ignored_frames = 0
        self._device = device  # name and address, for messages
        self._demand: LoginDemand | None = None
        self._key = b""
        self._accepted = False
        self._last_id = 0

    def receive(self, frame: str | bytes) -> Event | None:
        """Take in one frame and return what follows from it; None if it made no sense.

        Raises:
            DriverError: the login cannot succeed.
        """
        message = messages.parse(frame)
        match message:
            case None:
                self.ignored_frames += 1
                return None
            case Hello():
                self.hello = message
            case LoginDemand():
                return self._demanded(message)
            case LoginAccepted():
                self._accepted = True
            case LoginRefused():
                raise AuthError(
                    f"{self._device}: wrong password, says the box ({message.message or 'no reason given'}); "
                    "set [charger] password to the one set in the maker's app"
                )
            case Report():
                self.complete |= message.completes and self._accepted
                return message
            case Answer():
                return self._answered(message)
        return Aside()

    def _demanded(self, demand: LoginDemand) -> KeyWanted:
        if self.hello is None or not self.hello.serial or not demand.token1 or not demand.token2:
            raise TransientError(
                f"{self._device}: asked for a login without serial number or tokens; is this a Wattpilot?"
            )
        try:
            algorithm = choose_algorithm(demand.algorithm, self.hello.device_type)
        except ValueError as error:
            raise PermanentError(
                f"{self._device}: the box asks for the login {messages.printable(demand.algorithm)!r}, "
                "which this version cannot do; look for a newer pvcharge"
            ) from error
        self._demand = demand
        return KeyWanted(self.hello.serial, algorithm)

    def _answered(self, answer: Answer) -> Answer | Aside:
        """Tell the awaited answer from a late or repeated one.

        An answer without a number is a complaint about the message itself, so about the last one sent.
        """
        ours = answer.request_id == self.outstanding or (answer.request_id is None and not answer.success)
        if self.outstanding is None or not ours:
            return Aside()
        self.outstanding = None
        return answer

    def login(self, key: bytes) -> str:
        """Return the text that answers the box's demand, which must have come."""
        if self._demand is None:
            raise RuntimeError("nobody asked for a login")
        self._key = key
        token3 = secrets.token_hex(16)
        proof = login_proof(key, self._demand.token1, self._demand.token2, token3)
        return messages.login(token3, proof)

    def write(self, key: str, value: int) -> str:
        """Return the text that sets a property, and await its answer."""
        if self.outstanding is not None:
            raise RuntimeError("one request at a time")
        self._last_id += 1
        self.outstanding = self._last_id
        return self._secured(messages.set_value(self._last_id, key, value))

    def request_full_status(self) -> str:
        """Return the text that asks for a whole status, and await that; it gets no other answer."""
        self._last_id += 1
        self.complete = False
        return self._secured(messages.request_full_status(self._last_id))

    def _secured(self, text: str) -> str:
        """Sign the last request where the box wants that."""
        if self.hello is not None and self.hello.secured:
            return messages.secured(self._last_id, text, self._key)
        return text
