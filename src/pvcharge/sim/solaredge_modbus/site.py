"""What the devices measure, out of the powers of the house, and the registers in which they say it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from pvcharge.sim.solaredge_modbus import registers
from pvcharge.sim.solaredge_modbus.faults import ModbusFaults
from pvcharge.sim.solaredge_modbus.hardware import GRID_METER, PRODUCTION_METER, Inverter, ModbusHardware
from pvcharge.sim.solaredge_modbus.registers import Image

if TYPE_CHECKING:
    from pvcharge.sim.house import HouseSample

EFFICIENCY = 0.975  # between the DC and the AC side of an inverter
ASLEEP_BELOW_W = 0.5
OFF, SLEEPING, STARTING, PRODUCING, THROTTLED = 1, 2, 3, 4, 5
INSTALLED_WH = 41_500_000.0  # on each lifetime counter when the simulation begins


class Meter(Protocol):
    """The house as its meters see it."""

    def sample(self, at: datetime) -> "HouseSample | None":
        """Return the powers at a moment, None if they are not known."""
        ...


@dataclass(slots=True)
class _Counters:
    """Lifetime counters in Wh, by what they count."""

    energy_wh: dict[str, float] = field(default_factory=dict)

    def of(self, what: str) -> float:
        return self.energy_wh.get(what, INSTALLED_WH)

    def count(self, what: str, energy_wh: float) -> None:
        self.energy_wh[what] = self.of(what) + max(0.0, energy_wh)


@dataclass(slots=True)
class Site:
    """The devices behind one socket.

    The roof's power is shared out among the inverters; the battery hangs on the DC side of the leader. So
    all inverters together deliver pv - battery, and the leader takes power from the others' AC side when
    the battery charges with more than its own panels give. Lifetime counters go on with the power of the
    moment at which they are read.

    Attributes:
        hardware: the devices.
        meter: measures the house.
        faults: the knobs.
        started_at: when the server was started, in the clock's time.
    """

    hardware: ModbusHardware
    meter: Meter
    faults: ModbusFaults
    started_at: datetime | None = None
    _counters: _Counters = field(default_factory=_Counters)
    _counted_until: datetime | None = None
    _frozen: "HouseSample | None" = None

    @property
    def leader(self) -> Inverter:
        """The inverter to which meters and battery are wired."""
        return self.hardware.inverters[0]

    def image(self, unit: int, now: datetime) -> Image | None:
        """Return all registers of a unit at a moment; None if there is no such unit.

        Args:
            unit: its Modbus unit id.
            now: the clock's time.
        """
        if unit == self.hardware.charger_unit:
            nothing = registers.inverter(3, ac_w=None, dc_w=None, lifetime_wh=None, status=OFF)
            return registers.identity("SE-EV-SA-KIT-L05", "7B1A0037", unit) | nothing
        inverter = next((each for each in self.hardware.inverters if each.unit == unit), None)
        if inverter is None:
            return None
        at = min(now, self.faults.frozen_at or now)
        sample = self._sample(at)
        self._count(sample, at)
        image = registers.identity(inverter.model, inverter.serial, unit) | self._inverter(inverter, sample)
        modules, shift = registers.synergy(inverter.synergy_units)
        image |= modules
        if inverter is self.leader:
            image |= self._meters(sample, shift) | self._battery(sample, now)
        return image

    def _sample(self, at: datetime) -> "HouseSample | None":
        """Return the powers; while the knob says so they stand still, also those of the moment just begun."""
        if self.faults.frozen_at is None:
            self._frozen = None
            return self.meter.sample(at)
        self._frozen = self._frozen or self.meter.sample(at)
        return self._frozen

    def _inverter(self, inverter: Inverter, sample: "HouseSample | None") -> Image:
        lifetime_wh = self._counters.of(inverter.serial)
        if sample is None:
            return registers.inverter(
                inverter.phases, ac_w=None, dc_w=None, lifetime_wh=lifetime_wh, status=STARTING
            )
        ac_w = self._ac_w(inverter, sample)
        return registers.inverter(
            inverter.phases,
            ac_w=ac_w,
            dc_w=inverter.share * sample.pv_w / EFFICIENCY - self._battery_w(inverter, sample),
            lifetime_wh=lifetime_wh,
            status=_status(inverter, sample, ac_w),
        )

    def _ac_w(self, inverter: Inverter, sample: "HouseSample") -> float:
        return inverter.share * sample.pv_w - self._battery_w(inverter, sample)

    def _battery_w(self, inverter: Inverter, sample: "HouseSample") -> float:
        """Return what charges a battery at this inverter, on its DC side."""
        return sample.battery_w or 0.0 if inverter is self.leader and self._has_battery(sample) else 0.0

    def _has_battery(self, sample: "HouseSample | None") -> bool:
        if self.hardware.battery is None:
            return sample is not None and sample.battery_w is not None
        return self.hardware.battery

    def _meters(self, sample: "HouseSample | None", shift: int) -> Image:
        image: Image = {}
        for position, option in enumerate(self.hardware.meters, 1):
            if option == GRID_METER and self.faults.meter_missing:
                continue
            image |= registers.meter(
                position,
                shift,
                option=option,
                unit=self.leader.unit,
                power_w=None if sample is None else self._metered_w(option, sample),
                exported_wh=self._counters.of(f"{option} out"),
                imported_wh=self._counters.of(f"{option} in"),
            )
        return image

    def _metered_w(self, option: str, sample: "HouseSample") -> float:
        if option == GRID_METER:
            return -sample.grid_w * self.faults.meter_scale * (-1 if self.faults.meter_backwards else 1)
        if option == PRODUCTION_METER:
            return self._produced_w(sample)
        return -sample.load_w

    def _produced_w(self, sample: "HouseSample") -> float:
        """Return what inverters of another make deliver; without any, what these do."""
        others = 1 - sum(inverter.share for inverter in self.hardware.inverters)
        if others * sample.pv_w > ASLEEP_BELOW_W:
            return others * sample.pv_w
        return sum(self._ac_w(inverter, sample) for inverter in self.hardware.inverters)

    def _battery(self, sample: "HouseSample | None", now: datetime) -> Image:
        if not self._has_battery(sample):
            return {}
        up_s = (now - self.started_at).total_seconds() if self.started_at else 0.0
        unknown = sample is None or self.faults.battery_nan or up_s < self.faults.battery_nan_s
        return registers.battery(
            power_w=None if sample is None or unknown else sample.battery_w or 0.0,
            charge_pct=None if sample is None or unknown else sample.battery_soc_pct,
            capacity_wh=self.hardware.battery_wh,
            charged_wh=self._counters.of("battery in"),
            out_wh=self._counters.of("battery out"),
        )

    def _count(self, sample: "HouseSample | None", at: datetime) -> None:
        """Let the counters go on to a moment."""
        hours = (at - self._counted_until).total_seconds() / 3600 if self._counted_until else 0.0
        self._counted_until = max(at, self._counted_until or at)
        if sample is None or hours <= 0:
            return
        for inverter in self.hardware.inverters:
            self._counters.count(inverter.serial, self._ac_w(inverter, sample) * hours)
        for option in set(self.hardware.meters):
            energy_wh = self._metered_w(option, sample) * hours
            self._counters.count(f"{option} out", energy_wh)
            self._counters.count(f"{option} in", -energy_wh)
        charged_wh = (sample.battery_w or 0.0) * hours
        self._counters.count("battery in", charged_wh)
        self._counters.count("battery out", -charged_wh)


def _status(inverter: Inverter, sample: "HouseSample", ac_w: float) -> int:
    """Return the status; one that charges its battery from the AC side in the dark calls itself off."""
    if inverter.share * sample.pv_w >= ASLEEP_BELOW_W:
        return THROTTLED if sample.limited else PRODUCING
    if sample.limited and inverter.share > 0:
        return THROTTLED
    return SLEEPING if ac_w > -ASLEEP_BELOW_W else OFF
