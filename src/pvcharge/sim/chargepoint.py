"""Charger and car in one, in virtual time: what `simulate` and the benchmark charge with."""

from datetime import datetime

from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, Setpoint

VOLTAGE_V = 230.0
MIN_CURRENT_A = 6
MAX_CURRENT_A = 16
START_DELAY_S = 20.0  # box and car need this long from "off" to drawing power
PHASE_PAUSE_S = 35.0  # the box opens its contactor for 10 s, then the car starts again
RAMP_W_PER_S = 2000.0


class ChargePoint:
    """Follows commands as slowly as real boxes and cars do, and counts what wears them out.

    Attributes:
        power_w: mean power over the last step.
        session_wh: energy since the car was plugged in.
        total_wh: energy of all sessions.
        starts: how often the car began to charge.
        switches: how often it was moved between one and three phases.
        writes: how often a command changed something.
    """

    def __init__(self) -> None:
        self.power_w = 0.0
        self.session_wh = 0.0
        self.total_wh = 0.0
        self.starts = 0
        self.switches = 0
        self.writes = 0
        self._setpoint = NO_CHARGE
        self._plugged = False
        self._wanted_wh: float | None = None  # still to come; None = the car is never full
        self._wait_s = 0.0
        self._last_phases = 0  # the car last charged with

    @property
    def state(self) -> ChargerState:
        """The car as the box sees it after the last step."""
        if not self._plugged:
            return ChargerState.DISCONNECTED
        if self._wanted_wh == 0:
            return ChargerState.COMPLETE
        return ChargerState.CHARGING if self.power_w > 0 else ChargerState.READY

    def status(self, at: datetime) -> ChargerStatus:
        """Describe the charger as it was measured `at`."""
        phases = self._setpoint.phases if self.power_w > 0 else 0
        return ChargerStatus(
            at=at,
            state=self.state,
            power_w=self.power_w,
            phases=phases,
            current_a=self.power_w / (VOLTAGE_V * phases) if phases else 0.0,
            setpoint=self._setpoint,
            min_current_a=MIN_CURRENT_A,
            max_current_a=MAX_CURRENT_A,
            session_wh=self.session_wh,
            total_wh=self.total_wh,
        )

    def plug_in(self, energy_wanted_wh: float | None = None) -> None:
        """Connect a car that takes this much energy and is full then; None = it never is.

        Raises:
            ValueError: a car is already there, or wants no energy.
        """
        if self._plugged:
            raise ValueError("a car is already plugged in")
        if energy_wanted_wh is not None and energy_wanted_wh <= 0:
            raise ValueError(f"a car wants more than 0 Wh, not {energy_wanted_wh}")
        self._plugged = True
        self._wanted_wh = energy_wanted_wh
        self.session_wh = 0.0
        if self._setpoint.charges:
            self._start(self._setpoint.phases)

    def unplug(self) -> None:
        """Take the car away; the setpoint stays, and holds for the next one."""
        self._plugged = False
        self.power_w = 0.0

    def command(self, phases: int, current_a: int) -> None:
        """Set phases (0 = do not charge, 1 or 3) and whole amps; what is already so is not written again.

        Raises:
            ValueError: no such setpoint, or a current that the box cannot do.
        """
        wanted = Setpoint(phases, current_a)
        if wanted.charges and not MIN_CURRENT_A <= current_a <= MAX_CURRENT_A:
            raise ValueError(f"the box does {MIN_CURRENT_A}..{MAX_CURRENT_A} A, not {current_a} A")
        if wanted == self._setpoint:
            return
        self.writes += 1
        before, self._setpoint = self._setpoint, wanted
        if not self._hungry or not wanted.charges:
            return
        if not before.charges:
            self._start(phases)
        elif phases != before.phases:
            self._switch(phases)

    def step(self, dt_s: float) -> float:
        """Live through `dt_s` seconds and return the mean power over them in W."""
        if not self._hungry or not self._setpoint.charges or self._wait_s > 0:
            self._wait_s = max(0.0, self._wait_s - dt_s)
            self.power_w = 0.0
            return self.power_w
        hours = dt_s / 3600
        self.power_w = min(self._setpoint.power_w(VOLTAGE_V), self.power_w + RAMP_W_PER_S * dt_s)
        energy_wh = self.power_w * hours
        if self._wanted_wh is not None:
            energy_wh = min(energy_wh, self._wanted_wh)
            self._wanted_wh -= energy_wh
            self.power_w = energy_wh / hours
        self.session_wh += energy_wh
        self.total_wh += energy_wh
        return self.power_w

    @property
    def _hungry(self) -> bool:
        return self._plugged and self._wanted_wh != 0

    def _start(self, phases: int) -> None:
        self.starts += 1
        self._wait_s = START_DELAY_S
        if self._last_phases not in (0, phases):
            self._switch(phases)
        self._last_phases = phases

    def _switch(self, phases: int) -> None:
        self.switches += 1
        self._wait_s = PHASE_PAUSE_S
        self._last_phases = phases
