"""The charger's logic without any network: properties, the tick once per second, and the car at the cable."""

import random
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot import measure
from pvcharge.sim.wattpilot.properties import GRID_ONLY, Properties, flex_home_22, home_11_j
from pvcharge.sim.wattpilot.writes import check_write

MAX_TICKS_AT_ONCE = 3600
SECOND = timedelta(seconds=1)
WH_NOISE = 0.003
WH_NOISE_SHARE = 0.3
AVERAGE_S = 30  # of `tpa`


class CarState(IntEnum):
    """Values of `car`."""

    IDLE = 1  # no car
    CHARGING = 2
    WAITING = 3  # plugged in, has not drawn since it may
    COMPLETE = 4  # drew, and was paused or ended by itself
    ERROR = 5


class Force(IntEnum):
    """Values of `frc`."""

    NEUTRAL = 0
    OFF = 1
    ON = 2


class LogicMode(IntEnum):
    """Values of `lmo`."""

    DEFAULT = 3
    ECO = 4
    NEXT_TRIP = 5


class ModelStatus(IntEnum):
    """Why the box charges or does not: the values of `modelStatus` that this box can get into."""

    ACCESS_CONTROL = 2
    FORCED_ON = 3
    FORCED_OFF = 4
    ENERGY_LIMIT = 6
    DEFAULT = 15
    ECO_WAITS = 17
    NEXT_TRIP_WAITS = 18
    SIMULATES_UNPLUG = 22
    SWITCHES_PHASES = 23
    ERROR = 26


CHARGING = frozenset({ModelStatus.FORCED_ON, ModelStatus.DEFAULT})


class WattpilotBox:
    """A simulated Wattpilot and its cable.

    No inverter is paired: in Eco and Next Trip mode it waits for ever, and the automatic choice of phases
    means three. Settings outlive unplugging and a reboot, except that `frc` returns to neutral and `trx` ends
    when the car leaves.

    Args:
        serial: decimal digits; they salt the password.
        flex: a Wattpilot Flex Home 22 with firmware 43.4 instead of a Home 11 J with 36.3.
        wh_noise: `wh` steps back by 0.003 now and then, below zero after plug-in, as seen on real boxes.
        idle_while_switching: `car` says 1 (no car) during a phase switch, as seen on real boxes.
        boot_s: how long it is away after a reboot.

    Attributes:
        properties: all properties by key. Values are replaced, never changed in place.
        car: the car at the cable.
    """

    def __init__(
        self,
        *,
        serial: str = "10000001",
        flex: bool = False,
        wh_noise: bool = False,
        idle_while_switching: bool = False,
        boot_s: float = 10.0,
    ) -> None:
        self.serial = serial
        self.flex = flex
        self.properties: Properties = flex_home_22(serial) if flex else home_11_j(serial)
        self.car: Car | None = None
        self._wh_noise = wh_noise
        self._idle_while_switching = idle_while_switching
        self._boot_s = boot_s
        self._rng = random.Random(serial)
        self._cable_a: int | None = None
        self._ticked_at: datetime | None = None
        self._up = timedelta()
        self._booting_s = 0.0
        self._switching_s = 0.0
        self._simulates_unplug_s = 0.0
        self._phases = 3  # what the contactor is set to
        self._drew = False  # since it may
        self._charging_s = 0
        self._session_wh = 0.0
        self._total_wh = 0.0
        self._average_w = 0.0

    @property
    def power_w(self) -> float:
        """What the car draws now."""
        return self.car.power_w if self.car else 0.0

    @property
    def online(self) -> bool:
        """Whether its network is up; it is not while it boots."""
        return self._booting_s <= 0

    def tick(self, now: datetime) -> None:
        """Live up to `now` in steps of a second; at most an hour of it if the clock has jumped."""
        if self._ticked_at is None:
            self._ticked_at = now
        elif now - self._ticked_at < SECOND:
            return
        seconds = (now - self._ticked_at) // SECOND
        self._ticked_at += seconds * SECOND
        self._up += seconds * SECOND
        for _ in range(min(seconds, MAX_TICKS_AT_ONCE)):
            self._live_a_second()
        self._show(self._ticked_at)

    def plug(self, car: Car, *, cable_a: int = 32) -> None:
        """Put the cable into a car.

        Args:
            car: that is not plugged in elsewhere.
            cable_a: what the cable can carry.

        Raises:
            RuntimeError: there is a car already.
        """
        if self.car is not None:
            raise RuntimeError("the cable is in a car already: unplug it first")
        self.car = car
        self._drew = False
        self._charging_s = 0
        self._session_wh = -WH_NOISE if self._wh_noise else 0.0
        self._cable_a = cable_a
        self._set(car=CarState.WAITING, wh=self._session_wh, lccfi=self._up_ms(), cdi={"type": 1, "value": 0})

    def unplug(self) -> None:
        """Pull the cable out of the car; without a car nothing happens."""
        if self.car is None:
            return
        self.car.unplug()
        self.car = None
        self._switching_s = self._simulates_unplug_s = 0.0
        self._cable_a = None
        self._set(car=CarState.IDLE, frc=Force.NEUTRAL, trx=None, acu=None, acui=None)
        self._set(etop=int(self._total_wh), pha=GRID_ONLY, pnp=0)

    def set_value(self, key: str, value: Any) -> None:
        """Take a setting at once; what follows from it shows at the next ticks.

        Raises:
            WriteRefusedError: the box refuses it, with its text for the client.
        """
        check_write(self.properties, key, value)
        if key == "rst":
            self.reboot()
        else:
            self.properties[key] = value

    def press(self, key: str, value: Any) -> None:
        """Change a setting by hand, as with the button or the maker's app.

        Raises:
            WriteRefusedError: the box refuses it.
        """
        self.set_value(key, value)

    def fail(self, err: int) -> None:
        """Show an error by the number of `err` and stop charging; 0 ends the error."""
        self._set(err=err)

    def reboot(self) -> None:
        """Be away and charge nothing for `boot_s`, then go on with the same settings."""
        self._booting_s = self._boot_s
        self._switching_s = self._simulates_unplug_s = 0.0
        self._up = timedelta()
        self._set(rbt=0, rbc=self.properties["rbc"] + 1, lfspt=None, lmsc=0, alw=False, acu=None, acui=None)

    def _live_a_second(self) -> None:
        if self._booting_s > 0:
            self._booting_s -= 1
        else:
            self._switch_phases()
            self._decide()
        if self.car is not None:
            phases = self._phases if self.properties["alw"] else 0
            self.car.step(1.0, phases, self.properties["acu"] or 0)
            self._count(self.car)
        self._average_w += (self.power_w - self._average_w) / AVERAGE_S

    def _switch_phases(self) -> None:
        """Move the contactor: at once without load, else after a pause of `psmd`."""
        wanted = 1 if self.properties["psm"] == 1 else 3
        if self._switching_s > 0:
            self._switching_s -= 1
        elif wanted != self._phases and self.power_w > 0:
            self._switching_s = self.properties["psmd"] / 1000
        if wanted != self._phases and self._switching_s <= 0:
            self._phases = wanted
            self._set(fsp=wanted == 1, lfspt=self._up_ms())

    def _decide(self) -> None:
        """Work out whether, why and with how many amps the car may charge."""
        before = self.properties["modelStatus"]
        status = self._model_status()
        if self.car and status in CHARGING and before not in CHARGING:
            status = self._resume(self.car, status, before)
        if status != before:
            self._set(modelStatus=status, msi=status, lmsc=self._up_ms())
        may = status in CHARGING
        amps = self._limit_a() if may and self.car else None
        self._set(alw=may, acu=amps, acui=amps)

    def _resume(self, car: Car, status: ModelStatus, before: int) -> ModelStatus:
        """Let the car charge again, with `su` after the pilot signal was off as if it had been unplugged."""
        if before == ModelStatus.SIMULATES_UNPLUG:
            car.unplug()
        elif self.properties["su"]:
            self._simulates_unplug_s = self.properties["sumd"] / 1000
            return ModelStatus.SIMULATES_UNPLUG
        self._drew = False
        return status

    def _model_status(self) -> ModelStatus:
        values = self.properties
        self._simulates_unplug_s = max(0.0, self._simulates_unplug_s - 1)
        reasons = (
            (values["err"] not in (0, None), ModelStatus.ERROR),
            (values["acs"] == 1 and values["trx"] is None, ModelStatus.ACCESS_CONTROL),
            (values["frc"] == Force.OFF, ModelStatus.FORCED_OFF),
            (self._switching_s > 0, ModelStatus.SWITCHES_PHASES),
            (self._simulates_unplug_s > 0, ModelStatus.SIMULATES_UNPLUG),
            (values["dwo"] is not None and self._session_wh >= values["dwo"], ModelStatus.ENERGY_LIMIT),
            (values["frc"] == Force.ON, ModelStatus.FORCED_ON),
            (values["lmo"] == LogicMode.ECO, ModelStatus.ECO_WAITS),
            (values["lmo"] == LogicMode.NEXT_TRIP, ModelStatus.NEXT_TRIP_WAITS),
        )
        return next((status for applies, status in reasons if applies), ModelStatus.DEFAULT)

    def _limit_a(self) -> int:
        """Return the least of all limits."""
        own: list[int | None] = [self.properties[key] for key in ("amp", "ama", "amt", "loa")]
        return min(limit for limit in (*own, self._cable_a) if limit is not None)

    def _count(self, car: Car) -> None:
        """Book the energy of the last second and see what the car does."""
        used_wh = car.power_w / 3600
        self._session_wh += used_wh
        self._total_wh += used_wh
        draws = car.power_w > 0
        self._charging_s += draws
        self._drew = self._drew or draws
        state, before = self._car_state(draws=draws), self.properties["car"]
        if state != before and CarState.CHARGING in (state, before):
            self.properties["lcctc" if draws else "lccfc"] = self._up_ms()
        self._set(car=state)

    def _car_state(self, *, draws: bool) -> CarState:
        if self.properties["err"]:
            return CarState.ERROR
        if draws:
            return CarState.CHARGING
        if self._idle_while_switching and self._switching_s > 0:
            return CarState.IDLE
        return CarState.COMPLETE if self._drew else CarState.WAITING

    def _show(self, now: datetime) -> None:
        """Bring the measurements up to date."""
        draws = self.power_w > 0
        back_wh = WH_NOISE if self._wh_noise and self._rng.random() < WH_NOISE_SHARE else 0.0
        self.properties |= measure.times(now, self._up, self.properties)
        self.properties |= measure.chatter(self._rng, self.power_w, self.properties)
        self.properties |= self._cable_properties()
        self._set(
            nrg=measure.nrg(self.car, self._rng, whole=not self.flex),
            wh=round(self._session_wh - back_wh, 3),
            eto=int(self._total_wh),
            tpa=round(self._average_w),
            pha=[draws and n < self._phases for n in range(3)] + GRID_ONLY[3:],
            pnp=self.car.phases_drawing if self.car else 0,
            cdi={"type": 0 if draws else 1, "value": self._charging_s * 1000},
        )

    def _cable_properties(self) -> Properties:
        """Return how this generation shows the cable."""
        if not self.flex:
            return {"cbl": self._cable_a, "cus": 3 if self.car else 1}
        values = self.properties
        limits = {
            "cableCurrentLimit": self._cable_a or 0,
            "currentLimitMax": values["ama"],
            "loadLimit": values["loa"],
            "requestedCurrent": values["amp"],
            "temperatureCurrentLimit": values["amt"],
            "unsymetryCurrentLimit": values["ama"],
        }
        return {"cll": limits}

    def _up_ms(self) -> int:
        return self._up // timedelta(milliseconds=1)

    def _set(self, **values: Any) -> None:
        self.properties.update(values)
