"""A car as a charger sees it: it starts late, ramps, tapers near full, and may fall asleep."""

from dataclasses import dataclass, field

PHASE_VOLTAGE_V = 230.0
NO_CURRENT_A = 0.01


@dataclass(slots=True)
class Car:
    """An electric car at the cable. `step` is cheap and allocates nothing: simulations call it often.

    The defaults obey IEC 61851: a lower offer is followed within 5 s, a withdrawn one within 6 s.

    Attributes:
        capacity_wh: usable capacity of the battery.
        needs_wh: what it takes from the charger until it is full.
        phases: that its on-board charger can use, 1, 2 or 3.
        max_current_a: most it draws per phase.
        min_current_a: an offer below this is no offer.
        start_delay_s: from the offer to the first current.
        ramp_a_per_s: how fast the current rises.
        stop_s: within this its full current has gone after the offer was withdrawn.
        taper_share: the last part of the capacity that is charged with falling current.
        sleeps_after: number of interruptions after which it ignores offers until `unplug`; None = never.
        power_factor: real power per volt-ampere.
    """

    capacity_wh: float = 60_000.0
    needs_wh: float = 30_000.0
    phases: int = 3
    max_current_a: float = 16.0
    min_current_a: float = 6.0
    start_delay_s: float = 15.0
    ramp_a_per_s: float = 1.5
    stop_s: float = 5.0
    taper_share: float = 0.04
    sleeps_after: int | None = None
    power_factor: float = 0.98
    energy_wh: float = field(default=0.0, init=False)  # taken from the charger
    current_a: float = field(default=0.0, init=False)  # per phase in use
    phases_drawing: int = field(default=0, init=False)
    _offered_s: float = field(default=0.0, init=False)
    _interruptions: int = field(default=0, init=False)

    @property
    def power_w(self) -> float:
        """Real power drawn now, over all phases."""
        return self.phases_drawing * self.current_a * PHASE_VOLTAGE_V * self.power_factor

    @property
    def full(self) -> bool:
        """Whether it has got all that it needed."""
        return self.energy_wh >= self.needs_wh

    @property
    def asleep(self) -> bool:
        """Whether it ignores offers until it is unplugged, or the charger pretends that."""
        return self.sleeps_after is not None and self._interruptions >= self.sleeps_after

    def unplug(self) -> None:
        """Lose the cable, or what looks like it to the car: it draws nothing and wakes from its sleep."""
        self.current_a = 0.0
        self.phases_drawing = 0
        self._offered_s = 0.0
        self._interruptions = 0

    def step(self, dt_s: float, offered_phases: int, offered_current_a: float) -> None:
        """Live through the next seconds of an offer that does not change meanwhile.

        Args:
            dt_s: length of the step, 1 to 5 s.
            offered_phases: behind the charger's contactor; 0 when it is open.
            offered_current_a: per phase, as the control pilot says it.
        """
        target_a = self._target_a(dt_s, offered_phases, offered_current_a)
        if target_a > self.current_a:
            ramping_s = min(dt_s, self._offered_s - self.start_delay_s)
            self.current_a = min(target_a, self.current_a + self.ramp_a_per_s * ramping_s)
        else:
            self.current_a = max(target_a, self.current_a - self.max_current_a / self.stop_s * dt_s)
        if target_a > 0:
            self.phases_drawing = min(self.phases, offered_phases)
        elif self.current_a < NO_CURRENT_A:
            self.current_a = 0.0
            self.phases_drawing = 0
        self.energy_wh += self.power_w * dt_s / 3600

    def _target_a(self, dt_s: float, offered_phases: int, offered_current_a: float) -> float:
        """Return the current per phase that it heads for."""
        if offered_phases <= 0 or offered_current_a < self.min_current_a:
            if self._offered_s > self.start_delay_s and not self.full:
                self._interruptions += 1
            self._offered_s = 0.0
            return 0.0
        if self.full or self.asleep:
            return 0.0
        self._offered_s += dt_s
        if self._offered_s <= self.start_delay_s:
            return 0.0
        # The battery's own limit falls to a fifth before it ends, so that the end is reached at all.
        left = (self.needs_wh - self.energy_wh) / (self.capacity_wh * self.taper_share)
        return min(offered_current_a, self.max_current_a * max(0.2, min(1.0, left)))
