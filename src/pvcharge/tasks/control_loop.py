"""Feeds the controller with what comes in, asks it what to do, and leases the answer to the charger task."""

from collections.abc import Callable

import structlog
from pydantic import ValidationError

from pvcharge.control import Controller, ControlSettings
from pvcharge.drivers.base import Demand
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Clock,
    Decision,
    ForgetCommand,
    Lease,
    LimitsCommand,
    Mode,
    ModeCommand,
    SettingsCommand,
)
from pvcharge.tasks.doubts import Doubts
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.leasing import Leasing
from pvcharge.tasks.queues import Inbox, Latest, Letter, first_of

log = structlog.get_logger(__name__)

AHEAD_S = 60.0  # of a boost's end: who then follows the surplus must have seen it, or would stop for a while
TICK_S = 5.0  # decides at least so often, since readings age without a sound


class ControlLoop:
    """The middle task: inbox -> controller -> lease.

    Args:
        controller: decides; owned by this task.
        clock: the daemon's time.
        inbox: readings, charger status and the user's commands, in order of arrival.
        leases: the charger task's mailbox.
        demands: the pollers' mailboxes, told when a car comes or goes or the mode changes.
        feed: where all that comes in is published, in the order in which the controller saw it, and what is
            decided: whoever keeps that can replay it.
        lease_s: how long a setpoint is good for; renewed at a third of it.
        progressed: called after each decision, for the watchdog.
    """

    def __init__(
        self,
        controller: Controller,
        clock: Clock,
        inbox: Inbox,
        leases: Latest[Lease | None],
        demands: list[Latest[Demand]],
        feed: Feed,
        *,
        lease_s: float,
        progressed: Callable[[], None] = lambda: None,
    ) -> None:
        self._controller = controller
        self._clock = clock
        self._inbox = inbox
        self._leasing = Leasing(leases, feed, lease_s)
        self._demands = demands
        self._feed = feed
        self._progressed = progressed
        self._doubts = Doubts(clock, feed)
        self._status: ChargerStatus | None = None  # as heard last
        self._decided: Decision | None = None

    async def run(self) -> None:
        """Decide until cancelled."""
        while True:
            await first_of(self._take_next(), self._clock.sleep(self._pause_s()))
            while not self._inbox.empty():
                self._take(self._inbox.get_nowait())
            self._decide()
            self._progressed()

    def _pause_s(self) -> float:
        """Return when to decide at the latest: a boost ends to the second."""
        ends = self._decided.boost_until if self._decided else None
        if ends is None:
            return TICK_S
        return min(TICK_S, max(0.0, (ends - self._clock.now()).total_seconds()))

    async def _take_next(self) -> None:
        self._take(await self._inbox.get())

    def _take(self, seen: Letter) -> None:
        match seen:
            case ModeCommand():
                log.info("mode commanded", mode=seen.mode.value, until=seen.until)
                self._controller.set_mode(seen.mode, seen.until)
                self._feed.publish(seen)
            case LimitsCommand():
                self._controller.set_limits(seen)
                limits = self._controller.limits
                log.info("limits commanded", min_a=limits.min_current_a, max_a=limits.max_current_a)
                self._feed.publish(limits)
            case SettingsCommand():
                self._configure(seen)
            case ForgetCommand():
                log.info("told to forget what was learned")
                self._controller.forget()
                self._feed.publish(seen)
            case _:
                self._controller.observe(seen)
                self._feed.publish(seen)
                if isinstance(seen, ChargerStatus):
                    self._status = seen

    def _configure(self, command: SettingsCommand) -> None:
        try:
            settings = ControlSettings.model_validate_json(command.document)
        except ValidationError as error:
            log.error("settings not taken", problems=error.errors(include_url=False, include_input=False))  # noqa: TRY400 - no crash
            return
        self._controller.configure(settings)
        log.info("settings changed")
        self._feed.publish(command)

    def _decide(self) -> None:
        decision = self._controller.decide(self._clock.now())
        before, self._decided = self._decided, decision
        self._feed.publish(decision)
        if before is None or _gist(before) != _gist(decision):
            log.info(
                "decided",
                setpoint=str(decision.setpoint),
                reason=decision.reason.value,
                mode=decision.mode.value,
                source=decision.source,
                surplus_w=None if decision.surplus_w is None else round(decision.surplus_w),
                reading_age_s=None if decision.reading_age_s is None else round(decision.reading_age_s),
            )
        self._doubts.tell(self._controller.doubts)
        self._tell_demand(decision)
        by_hand = self._status.changed_by_hand_at if self._status else None
        self._leasing.carry_out(decision, by_hand)

    def _tell_demand(self, decision: Decision) -> None:
        if self._status is None:
            return
        ends = decision.boost_until
        ends_soon = ends is not None and (ends - decision.at).total_seconds() <= AHEAD_S
        demand = Demand(
            car_plugged=self._status.state is not ChargerState.DISCONNECTED,
            follows_surplus=ends_soon or decision.mode in (Mode.SURPLUS, Mode.MIN_SURPLUS),
        )
        for mailbox in self._demands:
            mailbox.update(demand)


def _gist(decision: Decision) -> tuple[object, ...]:
    """Return what is worth a line in the log when it changes."""
    return decision.setpoint, decision.reason, decision.source
