"""Where and when a demo plays: the house's profile, and the moment at which it begins."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from pvcharge.demo.options import DemoOptions
from pvcharge.sim.house import Profile, best_start
from pvcharge.sim.invented import invented

A_DAY_IN_JUNE = datetime(2026, 6, 15, tzinfo=UTC)
PAST_S = 4 * 3600.0  # before the start, that the devices already know; without a car


@dataclass(frozen=True, slots=True)
class Scene:
    """A house, and when a demo in it begins: at a moment from which on there is surplus for a while."""

    profile: Profile
    start: datetime

    @classmethod
    def of(cls, options: DemoOptions) -> Self:
        """Return that of a demo: always the same for the same options."""
        if options.trace is not None:
            return cls(options.trace, options.trace.best_start())
        profile = invented(options.seed)
        return cls(profile, best_start(profile, A_DAY_IN_JUNE, A_DAY_IN_JUNE + timedelta(days=1)))
