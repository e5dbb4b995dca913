"""A home battery that keeps the house off the grid as long as it can."""

from dataclasses import dataclass

FULL_PCT = 100.0


@dataclass(slots=True)
class Battery:
    """Takes what the roof has over and gives what the house lacks: maximal self-consumption.

    Attributes:
        capacity_wh: usable content.
        max_charge_w: most it takes.
        max_discharge_w: most it gives.
        efficiency: share of the charged energy that comes out again, above 0 up to 1.
        soc_pct: state of charge now, 0..100.

    Raises:
        ValueError: one of these is out of its range.
    """

    capacity_wh: float = 10_000.0
    max_charge_w: float = 5_000.0
    max_discharge_w: float = 5_000.0
    efficiency: float = 0.92
    soc_pct: float = 50.0

    def __post_init__(self) -> None:
        if self.capacity_wh <= 0:
            raise ValueError(f"a battery holds more than 0 Wh, not {self.capacity_wh}")
        if self.max_charge_w < 0 or self.max_discharge_w < 0:
            raise ValueError(f"powers are 0 W or more, not {self.max_charge_w} and {self.max_discharge_w}")
        if not 0 < self.efficiency <= 1:
            raise ValueError(f"the efficiency lies above 0 and up to 1, not at {self.efficiency}")
        if not 0 <= self.soc_pct <= FULL_PCT:
            raise ValueError(f"the state of charge lies in 0..100 %, not at {self.soc_pct}")

    def step(self, surplus_w: float, dt_s: float) -> float:
        """Live through `dt_s` seconds of a constant surplus, and return the battery's mean power.

        Args:
            surplus_w: production minus consumption; negative when the house lacks power.
            dt_s: seconds.

        Returns:
            Mean power over the step in W, + charging, - discharging. Losses occur while charging.
        """
        stored_wh = self.capacity_wh * self.soc_pct / FULL_PCT
        hours = dt_s / 3600
        if surplus_w >= 0:
            room_wh = self.capacity_wh - stored_wh
            power_w = min(surplus_w, self.max_charge_w, room_wh / (self.efficiency * hours))
            stored_wh += power_w * self.efficiency * hours
        else:
            power_w = max(surplus_w, -self.max_discharge_w, -stored_wh / hours)
            stored_wh += power_w * hours
        self.soc_pct = min(FULL_PCT, max(0.0, FULL_PCT * stored_wh / self.capacity_wh))
        return power_w
