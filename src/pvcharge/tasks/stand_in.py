"""Leads the charger from the edge itself while the cloud is silent, by the readings of its own inverter."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import (
    ChargerStatus,
    Clock,
    Lease,
    Mode,
    ModeCommand,
    PowerFlow,
)
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.leasing import Leasing
from pvcharge.tasks.orders_store import AHEAD, Orders, same_time
from pvcharge.tasks.queues import Latest, first_of

log = structlog.get_logger(__name__)

LOOK_S = 1.0  # looks at least so often for a lease that nobody renews; a boost ends to this second
SPARE_S = 10.0  # before its end, at most, a lease counts as not renewed if the cloud is not heard
LATE_S = 3.0  # after its end if it is: at the end of a boost a cloud leases anew in the last moment
SET_BACK_S = 2.0  # a lease that is good for longer than it ever was tells of a clock that was set back


class StandIn:
    """A controller beside the cloud's, which knows all that happens here and decides when nobody else does.

    While others lead, it follows them: so it goes on from what they have decided, and they from what they
    find. It leads from when a lease runs out unrenewed until one of the cloud comes in.

    Args:
        own: the edge's own `[control]` table, followed until the cloud has sent orders.
        clock: the edge's time.
        leases: the charger task's mailbox.
        feed: where decisions are published while they count.
        lease_s: how long a setpoint is good for; renewed at a third of it.
        heard: whether the cloud is heard now.
    """

    def __init__(
        self,
        own: ControlSettings,
        clock: Clock,
        leases: Latest[Lease | None],
        feed: Feed,
        *,
        lease_s: float,
        heard: Callable[[], bool],
    ) -> None:
        self._own = self._settings = own
        self._clock = clock
        self._leases = leases
        self._feed = feed
        self._lease_s = lease_s
        self._leasing = Leasing(leases, feed, lease_s)
        self._heard = heard
        self._controller = Controller(own)
        self._mode = self._mode_after = own.mode  # as commanded; the first may be a boost
        self._boost_until: datetime | None = None
        self._boosted_at: datetime | None = None  # when the user last told the edge itself
        self._status: ChargerStatus | None = None
        self._silent_since = clock.now()
        self._followed: Lease | None = None  # the last lease of somebody else
        self._leads = False
        self._refuses = False  # what the cloud leased last
        self._took_over = False  # from the cloud; a boost in between is no return of it
        self._news = asyncio.Event()

    # --- inputs ---

    def observe(self, seen: PowerFlow | ChargerStatus) -> None:
        """Take a reading or a status into account."""
        self._controller.observe(seen)
        if isinstance(seen, ChargerStatus):
            self._status = seen
        self._news.set()

    def take_lease(self, lease: Lease) -> None:
        """Pass a lease of the cloud or of the edge's own boost on to the charger task, and follow it."""
        self._leases.put(lease)
        self._followed, self._leads, self._refuses = lease, False, False
        self._acknowledge(lease)
        if lease.duration_s > 0:  # else it is the end of a boost
            self._controller.follow(lease.setpoint, lease.at)
        if self._heard():  # else the boost is the edge's
            self._hand_back()
        self._news.set()

    def note_refusal(self) -> None:
        """Be told that the cloud has leased what this house refuses, which is no better than nothing."""
        self._refuses = True

    def boost(self, at: datetime, command: ModeCommand) -> None:
        """Be told of a boost that the edge sees to without the cloud, or of its end."""
        self._boosted_at = at
        self._command(command)
        self._news.set()

    def obey(self, orders: Orders) -> None:
        """Do from now on as the cloud wants; what it leads itself is followed as before."""
        settings = orders.settings(self._own)
        if settings != self._settings:
            self._settings = settings
            self._controller.configure(settings)
            self._resume(orders.mode_after)
        self._controller.set_limits(orders.limits)
        if not self._is_overruled(orders):
            self._obey_mode(orders)
        self._news.set()

    def _resume(self, mode_after: Mode) -> None:
        """Have a mode in force that was commanded at another time: no limit gives way to it now."""
        self._controller.resume(mode_after)
        boosts = self._mode_at(self._clock.now()) is Mode.BOOST
        self._mode_after = mode_after
        self._mode = Mode.BOOST if boosts else mode_after

    def _is_overruled(self, orders: Orders) -> bool:
        """Whether the user has told the edge itself something since, by a clock that was not ahead."""
        told_at = self._boosted_at
        return told_at is not None and orders.at <= told_at <= self._clock.now() + AHEAD

    def _obey_mode(self, orders: Orders) -> None:
        """Command what is not in force: a command acknowledges the driver's hand, and passes limits."""
        now = self._clock.now()
        boost = ModeCommand(Mode.BOOST, orders.until)
        is_over = orders.until is not None and orders.until <= now
        boosts = orders.mode is Mode.BOOST and not is_over and not boost.ends_too_late(now)
        present = self._mode_at(now)
        if orders.mode_after is not self._mode_after or (present is Mode.BOOST and not boosts):
            self._command(ModeCommand(orders.mode_after))
        if boosts and not (present is Mode.BOOST and same_time(orders.until, self._boost_until)):
            self._command(boost)

    def _mode_at(self, now: datetime) -> Mode:
        """Return the mode in force, which after a boost is the one before it."""
        over = self._boost_until is not None and self._boost_until <= now
        return self._mode_after if self._mode is Mode.BOOST and over else self._mode

    def _command(self, command: ModeCommand) -> None:
        self._mode, self._boost_until = command.mode, command.until
        if command.mode is not Mode.BOOST:
            self._mode_after = command.mode
        self._controller.set_mode(command.mode, command.until)

    def _acknowledge(self, lease: Lease) -> None:
        """Note that the last change by hand need not be respected any more: who leases has been told so."""
        by_hand, known_at = self._status.changed_by_hand_at if self._status else None, lease.hand_known_at
        if by_hand is None or known_at is None or by_hand == self._controller.hand.acknowledged_at:
            return
        if by_hand <= known_at:
            self._controller.set_mode(self._mode_at(lease.at), self._boost_until)

    # --- leading ---

    async def run(self) -> None:
        """Look after the charger until cancelled."""
        while True:
            await first_of(self._news.wait(), self._clock.sleep(LOOK_S))
            self._news.clear()
            now = self._clock.now()
            if self._leads or self._is_due(now):
                self._lead(now)
            elif self._followed is not None:
                # Also when nothing changes, since readings age without a sound.
                self._controller.follow(self._followed.setpoint, now)

    def _is_due(self, now: datetime) -> bool:
        """Whether nobody else leads any more."""
        lease, heard = self._followed, self._heard()
        if lease is None:
            alone = self._refuses or not heard
            return alone and (now - self._silent_since).total_seconds() >= self._lease_s
        left_s = (lease.expires - now).total_seconds()
        least_s = -LATE_S if heard else min(lease.duration_s / 6, SPARE_S)
        return not least_s < left_s <= lease.duration_s + SET_BACK_S

    def _lead(self, now: datetime) -> None:
        decision = self._controller.decide(now)
        if self._heard() and not decision.binding:
            return  # which is why the cloud leases nothing either
        self._take_over()
        self._leads = True
        self._feed.publish(decision)
        by_hand = self._status.changed_by_hand_at if self._status else None
        self._leasing.carry_out(decision, by_hand)

    def _take_over(self) -> None:
        if not self._took_over:
            self._took_over = True
            log.warning("leading without the cloud", silent_since=self._silent_since.isoformat())

    def _hand_back(self) -> None:
        if self._took_over:
            self._took_over = False
            log.info("cloud leads again", was_silent_since=self._silent_since.isoformat())
        self._silent_since = self._clock.now()
