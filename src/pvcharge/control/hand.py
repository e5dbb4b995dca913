"""The driver's own hand: a change at the box or in the app is respected until a command comes after it."""

from datetime import datetime

# As told by another computer before and after a restart of ours, the time of a change may differ by so much.
SAME_S = 10.0


class Hand:
    """Knows which change by hand the user has overruled since.

    Attributes:
        acknowledged_at: the time of that change, None if there is none.
        recalled: whether anything is known from before a restart.
    """

    def __init__(self) -> None:
        self.acknowledged_at: datetime | None = None
        self.recalled = False

    def recall(self, acknowledged_at: datetime | None) -> None:
        """Go on from what was known before a restart."""
        self.acknowledged_at, self.recalled = acknowledged_at, True

    def find(self, changed_at: datetime | None) -> None:
        """Be told of the last change when the charger is heard first.

        Where nothing is known from before, nobody can tell whether a command came after: it is in the past.
        """
        before = self.acknowledged_at
        is_same = changed_at and before and abs((changed_at - before).total_seconds()) <= SAME_S
        if is_same or not self.recalled:
            self.acknowledged_at = changed_at

    def holds(self, changed_at: datetime | None, now: datetime, respect_s: float) -> bool:
        """Whether the last change is to be respected."""
        if changed_at is None or changed_at == self.acknowledged_at:
            return False
        return (now - changed_at).total_seconds() < respect_s
