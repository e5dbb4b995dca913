"""The house: balances roof, household, battery and charger in small steps, and remembers a day of them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, inf
from typing import NamedTuple, Protocol

from pvcharge.sim.battery import Battery

ENOUGH_SURPLUS_W = 2000.0  # well above the least that a car charges with
NOTHING_W = 1e-6  # what rounding leaves over


@dataclass(frozen=True, slots=True)
class HouseSample:
    """Powers of the house over one step that begins `at`, or their means over an interval that begins `at`.

    pv_w + grid_w = load_w + battery_w.
    """

    at: datetime
    pv_w: float
    load_w: float  # everything consumed, the charger included
    grid_w: float  # + import, - export
    battery_w: float | None  # + charging, - discharging; None without a battery
    battery_soc_pct: float | None  # at the end of the step or interval
    charger_w: float
    limited: bool = False  # production was held back, at any moment of an interval


class Profile(Protocol):
    """What the sun and the people in the house do."""

    def pv_w(self, at: datetime) -> float:
        """Return the production at a time, >= 0."""
        ...

    def load_w(self, at: datetime) -> float:
        """Return the household's consumption at a time, without the car, >= 0."""
        ...


class Totals(NamedTuple):
    """Energies in Wh, and hours of holding back."""

    pv_wh: float = 0.0
    load_wh: float = 0.0  # the charger included
    imported_wh: float = 0.0
    exported_wh: float = 0.0
    battery_wh: float = 0.0  # net, + charged
    charger_wh: float = 0.0
    limited_h: float = 0.0  # how long the export limit held production back


class _Step(NamedTuple):
    sample: HouseSample
    before: Totals  # since the first step, up to the beginning of this one


class House:
    """A house that is simulated in steps of constant power.

    Args:
        profile: production and household consumption; asked at the beginning of each step.
        start: when the first step begins, UTC-aware.
        charger_w: gives the power that the charger draws during the step about to be simulated.
        battery: a home battery, if there is one.
        step_s: length of a step in seconds.
        keep_s: how many seconds of steps are remembered.
        export_limit_w: production is held back so that no more than this goes into the grid; None = no limit.

    Raises:
        ValueError: the export limit is below 0.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        start: datetime,
        charger_w: Callable[[], float],
        battery: Battery | None = None,
        step_s: float = 5.0,
        keep_s: float = 26 * 3600,
        export_limit_w: float | None = None,
    ) -> None:
        if export_limit_w is not None and export_limit_w < 0:
            raise ValueError(f"an export limit is 0 W or more, not {export_limit_w}")
        self.step_s = step_s
        self._profile = profile
        self._charger_w = charger_w
        self._battery = battery
        self._export_limit_w = inf if export_limit_w is None else export_limit_w
        self._step = timedelta(seconds=step_s)
        self._simulated_until = start
        self._steps: deque[_Step] = deque(maxlen=ceil(keep_s / step_s))
        self._energy = Totals()  # since the first step
        self._energy_at_start = Totals()

    @property
    def simulated_until(self) -> datetime:
        """The end of the last step."""
        return self._simulated_until

    @property
    def totals(self) -> Totals:
        """The energies since `start`; those of `prefill` are left out."""
        return Totals(*(now - then for now, then in zip(self._energy, self._energy_at_start, strict=True)))

    def advance(self, now: datetime) -> None:
        """Simulate every step that has ended by `now`."""
        while self._simulated_until + self._step <= now:
            self._advance_one(self._charger_w())

    def prefill(self, seconds: float) -> None:
        """Simulate the time before `start` with an idle charger, so that there is a past to be asked for.

        Raises:
            ValueError: the house has already been simulated beyond its start.
        """
        if self._steps:
            raise ValueError("the past can only be filled in before the first step")
        steps = ceil(seconds / self.step_s)
        self._simulated_until -= steps * self._step
        for _ in range(steps):
            self._advance_one(0.0)
        self._energy_at_start = self._energy

    def sample(self, at: datetime) -> HouseSample | None:
        """Return the last step that began at or before `at`; None if that is not remembered (any more)."""
        steps_back = (self._simulated_until - at) / self._step
        index = len(self._steps) - max(1, ceil(steps_back))
        return self._steps[index].sample if 0 <= index < len(self._steps) else None

    def mean(self, start: datetime, end: datetime) -> HouseSample | None:
        """Return the mean powers from `start` to `end`, to the fraction of a step.

        Returns:
            The means, stamped with `start`; None unless every moment of the interval is remembered.

        Raises:
            ValueError: the interval is empty.
        """
        hours = (end - start).total_seconds() / 3600
        if hours <= 0:
            raise ValueError(f"{start} .. {end} is no interval of time")
        last = self.sample(end - timedelta.resolution)
        before, after = self._energy_until(start), self._energy_until(end)
        if last is None or before is None or after is None:
            return None
        pv_w, load_w, imported_w, exported_w, battery_w, charger_w, limited = (
            (later - earlier) / hours for earlier, later in zip(before, after, strict=True)
        )
        return HouseSample(
            at=start,
            pv_w=pv_w,
            load_w=load_w,
            grid_w=imported_w - exported_w,
            battery_w=battery_w if self._battery else None,
            battery_soc_pct=last.battery_soc_pct,
            charger_w=charger_w,
            limited=limited > 0,
        )

    def _advance_one(self, charger_w: float) -> None:
        at, battery = self._simulated_until, self._battery
        pv_w = self._profile.pv_w(at)
        load_w = self._profile.load_w(at) + charger_w
        battery_w = battery.step(pv_w - load_w, self.step_s) if battery else 0.0
        held_back_w = pv_w - load_w - battery_w - self._export_limit_w
        limited = held_back_w > NOTHING_W
        if limited:
            pv_w -= held_back_w
        grid_w = load_w + battery_w - pv_w
        sample = HouseSample(
            at=at,
            pv_w=pv_w,
            load_w=load_w,
            grid_w=grid_w,
            battery_w=battery_w if battery else None,
            battery_soc_pct=battery.soc_pct if battery else None,
            charger_w=charger_w,
            limited=limited,
        )
        self._steps.append(_Step(sample, self._energy))
        self._energy = _later(self._energy, sample, self.step_s)
        self._simulated_until = at + self._step

    def _energy_until(self, at: datetime) -> Totals | None:
        """Return the energies from the first step to any remembered moment, else None."""
        if at == self._simulated_until:
            return self._energy
        index = len(self._steps) - ceil((self._simulated_until - at) / self._step)
        if not 0 <= index < len(self._steps):
            return None
        sample, before = self._steps[index]
        return _later(before, sample, (at - sample.at).total_seconds())


def _later(energy: Totals, sample: HouseSample, seconds: float) -> Totals:
    """Add what flows within some seconds of a step to the energies."""
    hours = seconds / 3600
    grid_w = sample.grid_w
    return Totals(
        pv_wh=energy.pv_wh + sample.pv_w * hours,
        load_wh=energy.load_wh + sample.load_w * hours,
        imported_wh=energy.imported_wh + max(0.0, grid_w) * hours,
        exported_wh=energy.exported_wh + max(0.0, -grid_w) * hours,
        battery_wh=energy.battery_wh + (sample.battery_w or 0.0) * hours,
        charger_wh=energy.charger_wh + sample.charger_w * hours,
        limited_h=energy.limited_h + sample.limited * hours,
    )


def best_start(profile: Profile, start: datetime, end: datetime, hours: float = 0.5) -> datetime:
    """Find when a demonstration should begin: a surplus of 2 kW that holds for a while.

    Args:
        profile: production and household consumption.
        start: the earliest time.
        end: the latest end of the while.
        hours: how long the while is.

    Returns:
        The first minute from which on the surplus stays at 2 kW or more, else that with the greatest mean.
    """
    minute = timedelta(minutes=1)
    times = [start + k * minute for k in range(max(1, (end - start) // minute))]
    surplus_w = [profile.pv_w(at) - profile.load_w(at) for at in times]
    length = min(len(times), max(1, round(hours * 60)))
    windows = [surplus_w[k : k + length] for k in range(len(times) - length + 1)]
    for at, window in zip(times, windows, strict=False):
        if min(window) >= ENOUGH_SURPLUS_W:
            return at
    return times[max(range(len(windows)), key=lambda k: sum(windows[k]))]
