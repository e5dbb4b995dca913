"""Turns decisions into leases: each setpoint is good for a while, and renewed in good time."""

from datetime import datetime, timedelta

from pvcharge.model import Decision, Lease, Reason
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Latest


class Leasing:
    """Leases to the charger task what a controller decides.

    Args:
        leases: the charger task's mailbox.
        feed: where new leases are published.
        lease_s: how long a setpoint is good for; renewed at a third of it.
    """

    def __init__(self, leases: Latest[Lease | None], feed: Feed, lease_s: float) -> None:
        self._leases = leases
        self._feed = feed
        self._lease_s = lease_s
        self._seq = 0  # of the last lease

    def carry_out(self, decision: Decision, by_hand: datetime | None) -> None:
        """Lease a setpoint, leave the charger alone, or take back what was leased.

        Args:
            decision: what shall be done.
            by_hand: the last change by hand that it knows of.
        """
        if decision.reason is Reason.BY_HAND:
            self._revoke()
        elif decision.binding:
            self._renew(decision, by_hand)

    def _renew(self, decision: Decision, by_hand: datetime | None) -> None:
        last = self._leases.value
        expires = decision.at + timedelta(seconds=self._lease_s)
        if decision.boost_until is not None:  # whoever boosts when we have died shall stop then
            expires = min(expires, decision.boost_until)
        if last is not None and (last.setpoint, last.hand_known_at) == (decision.setpoint, by_hand):
            held_s, gained_s = decision.at - last.at, expires - last.expires  # more than held after a boost
            if max(held_s, abs(gained_s)).total_seconds() < self._lease_s / 3:
                return
        self._seq += 1
        duration_s = (expires - decision.at).total_seconds()
        lease = Lease(self._seq, decision.at, duration_s, decision.setpoint, by_hand)
        self._leases.put(lease)
        self._feed.publish(lease)

    def _revoke(self) -> None:
        """Take back the last lease: left to run out, it would look like the silence of a dead controller."""
        if self._leases.value is not None:
            self._leases.put(None)
