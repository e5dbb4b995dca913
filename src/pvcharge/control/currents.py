"""The limits of the current: as configured, as narrowed by the user, and as the charger reports them."""

from pvcharge.control.settings import ControlSettings
from pvcharge.model import ChargerStatus, LimitsCommand


class CurrentLimits:
    """The configured limits, and within them the user's.

    Attributes:
        min_a: the least current in force.
        max_a: the most.
    """

    def __init__(self, settings: ControlSettings) -> None:
        self._settings = settings
        self.min_a, self.max_a = settings.min_current_a, settings.max_current_a

    def configure(self, settings: ControlSettings) -> None:
        """Stay where the user has narrowed them, within other settings; what was as configured still is."""
        before, self._settings = self._settings, settings
        lowest_a, highest_a = settings.min_current_a, settings.max_current_a
        min_a = lowest_a if self.min_a == before.min_current_a else self.min_a
        max_a = highest_a if self.max_a == before.max_current_a else self.max_a
        self.min_a = min(max(min_a, lowest_a), highest_a)
        self.max_a = min(max(max_a, lowest_a), highest_a)

    def narrow(self, limits: LimitsCommand) -> None:
        """Do as the user wishes, never beyond the configured limits.

        A limit that meets the other one moves it along: the user's last word counts.
        """
        lowest_a, highest_a = self._settings.min_current_a, self._settings.max_current_a
        if limits.min_current_a is not None:
            self.min_a = min(max(limits.min_current_a, lowest_a), highest_a)
            self.max_a = max(self.max_a, self.min_a)
        if limits.max_current_a is not None:
            self.max_a = min(max(limits.max_current_a, lowest_a), highest_a)
            self.min_a = min(self.min_a, self.max_a)

    def within(self, status: ChargerStatus) -> tuple[int, int] | None:
        """Return what a charger's own limits leave of them, None if it is nothing."""
        lowest_a, highest_a = max(self.min_a, status.min_current_a or 0), self.max_a
        if status.max_current_a is not None:
            highest_a = min(highest_a, status.max_current_a)
        return (lowest_a, highest_a) if lowest_a <= highest_a else None
