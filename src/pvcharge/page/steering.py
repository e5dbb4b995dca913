"""The user's commands from the page: handed to the controller, and answered when they are in force."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from pvcharge.model import Clock, Decision, LimitsCommand, Mode, ModeCommand
from pvcharge.mqtt.commands import Command
from pvcharge.tasks.queues import Letter
from pvcharge.web.ports import NotInForceError, RefusedError

PATIENCE_S = 5.0  # real seconds until a command must be in force
CONTROLLER = ("mode", "boost", "limits")  # what a controller can be told

IsEcho = Callable[[object], bool]


class _Wait:
    """Waits for a command's echo on the feed, and for the decision after it."""

    def __init__(self, is_echo: IsEcho) -> None:
        self._is_echo = is_echo
        self._echoed = False
        self.in_force = asyncio.Event()

    def take(self, event: object) -> None:
        if self._echoed and isinstance(event, Decision):
            self.in_force.set()
        self._echoed = self._echoed or self._is_echo(event)


class Commander:
    """Hands commands to the controller, and follows what becomes of them.

    Args:
        command: takes the user's commands.
        put: takes what else the controller shall do, such as the control loop's `inbox.put`.
    """

    def __init__(
        self,
        command: Callable[[Command], Awaitable[None]],
        put: Callable[[Letter], Awaitable[None]],
    ) -> None:
        self._command = command
        self._put = put
        self._waits: set[_Wait] = set()

    def take(self, event: object) -> None:
        """Take an event of the feed into account."""
        for wait in self._waits:
            wait.take(event)

    async def carry_out(self, command: Letter, is_echo: IsEcho | None = None) -> None:
        """Return when a command is in force.

        Args:
            command: for the controller.
            is_echo: whether an event of the feed is what the controller makes of the command; by default, if
                it is the same.

        Raises:
            NotInForceError: it is not within some real seconds; it may be soon.
        """
        wait = _Wait(is_echo or (lambda event: event == command))
        self._waits.add(wait)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._pass_on(command)
                await wait.in_force.wait()
        except TimeoutError:
            raise NotInForceError(
                f"the controller has not carried it out within {PATIENCE_S:.0f} s; see its log"
            ) from None
        finally:
            self._waits.discard(wait)

    async def _pass_on(self, command: Letter) -> None:
        if isinstance(command, ModeCommand | LimitsCommand):
            await self._command(command)
        else:
            await self._put(command)


class ControllerSteering:
    """Steers the controller of this process. See `pvcharge.web.ports.Steering`.

    Args:
        commander: hands commands over.
        clock: the daemon's time.
        configured: the configured limits of the current, within which the user may set them.
    """

    can = CONTROLLER

    def __init__(self, commander: Commander, clock: Clock, configured: LimitsCommand) -> None:
        self._commander = commander
        self._clock = clock
        self._lowest_a = configured.min_current_a or 0
        self._highest_a = configured.max_current_a or 0

    async def mode(self, mode: Mode) -> None:
        """Set the mode; a boost lasts until further notice."""
        await self._commander.carry_out(ModeCommand(mode))

    async def boost(self, *, on: bool, minutes: int | None) -> None:
        """Begin a boost, for some minutes or until further notice, or end it."""
        now = self._clock.now()
        until = None if minutes is None else now + timedelta(minutes=minutes)
        await self._commander.carry_out(ModeCommand(Mode.BOOST, until if on else now))

    async def limits(self, min_current_a: int | None, max_current_a: int | None) -> None:
        """Narrow the limits of the current; one that meets the other moves it along."""
        wanted = {"min_current_a": min_current_a, "max_current_a": max_current_a}
        allowed = f"must be from {self._lowest_a} to {self._highest_a}, as [control] allows"
        errors = {
            key: allowed
            for key, current_a in wanted.items()
            if current_a is not None and not self._lowest_a <= current_a <= self._highest_a
        }
        if errors:
            raise RefusedError(errors)
        command = LimitsCommand(min_current_a, max_current_a)
        await self._commander.carry_out(command, lambda event: _fulfils(event, command))


def _fulfils(event: object, command: LimitsCommand) -> bool:
    """Whether limits, as the controller tells them, are what was commanded."""
    if not isinstance(event, LimitsCommand):
        return False
    low, high = command.min_current_a, command.max_current_a
    return low in (None, event.min_current_a) and high in (None, event.max_current_a)
