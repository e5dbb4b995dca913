"""The `[control]` table: limits, objective, and what changes of state cost."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pvcharge.model import LimitsCommand, Mode, SetpointLimits


class Objective(StrEnum):
    """What the controller keeps small; see `ControlSettings.weights`."""

    BALANCE = "balance"  # |production - consumption|
    NO_IMPORT = "no_import"
    COST = "cost"


class BatteryPolicy(StrEnum):
    """Who gets the surplus first where there is a home battery. Its discharge never goes to the car."""

    BATTERY_FIRST = "battery_first"
    CAR_FIRST = "car_first"


class OnStale(StrEnum):
    """What becomes of a running charge when readings have aged out."""

    STOP = "stop"
    MINIMUM = "minimum"


Amps = Annotated[int, Field(ge=6, le=32)]
Price = Annotated[float, Field(ge=-1, le=5)]

# How much dearer a kWh of import is than a kWh of export under "no_import". Finite, so that a single
# sunbeam between two clouds does not stop a charge.
NO_IMPORT_RATIO = 12.0


class ControlSettings(BaseModel):
    """How to charge. The defaults suit a 230 V house with a 16 A charger on three phases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = Mode.SURPLUS
    objective: Objective = Objective.BALANCE
    import_price: Price = 0.30  # per kWh, any currency; the three prices matter for "cost" only
    feed_in_price: Price = 0.08
    car_energy_price: Price | None = None  # what a kWh not charged now costs later; default: halfway

    min_current_a: Amps = 6
    max_current_a: Amps = 16
    phases: tuple[Literal[1, 3], ...] = Field(default=(1, 3), min_length=1)
    voltage_v: float = Field(default=230.0, ge=100, le=260)

    start_cost_wh: float = Field(default=30.0, ge=1, le=5000)
    phase_switch_cost_wh: float = Field(default=45.0, ge=1, le=5000)
    min_on_s: float = Field(default=120.0, ge=0, le=86_400)
    min_off_s: float = Field(default=60.0, ge=0, le=86_400)
    max_starts_per_hour: int = Field(default=6, ge=1, le=60)
    max_phase_switches_per_hour: int = Field(default=6, ge=0, le=60)

    battery: BatteryPolicy = BatteryPolicy.BATTERY_FIRST
    battery_min_soc_pct: float = Field(default=0.0, ge=0, le=100)

    on_stale: OnStale = OnStale.STOP
    respect_hand_s: float = Field(default=7200.0, ge=0, le=604_800)
    boost_ends_on_unplug: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.mode is Mode.BOOST:
            raise ValueError(
                "mode: boost is a command, not a setting; start with off, surplus or min_surplus"
            )
        if self.min_current_a > self.max_current_a:
            raise ValueError(
                f"min_current_a {self.min_current_a} is above max_current_a {self.max_current_a}"
            )
        if not self.feed_in_price <= self.replacement_price <= self.import_price:
            raise ValueError("prices must rise: feed_in_price <= car_energy_price <= import_price")
        if self.objective is Objective.COST and self.feed_in_price == self.import_price:
            raise ValueError('feed_in_price equals import_price: with "cost" no time is better than another')
        return self

    @property
    def setpoint_limits(self) -> SetpointLimits:
        """What the charger may be set to at all."""
        return SetpointLimits(self.phases, self.min_current_a, self.max_current_a)

    @property
    def current_limits(self) -> LimitsCommand:
        """The limits of the current before the user has narrowed them."""
        return LimitsCommand(self.min_current_a, self.max_current_a)

    @property
    def replacement_price(self) -> float:
        """What a kWh that is not charged now costs later: between surplus and grid price."""
        if self.car_energy_price is None:
            return (self.feed_in_price + self.import_price) / 2
        return self.car_energy_price

    @property
    def weights(self) -> tuple[float, float]:
        """Cost of 1 Wh imported for the car and of 1 Wh exported beside it; their mean is 1.

        One formula serves all three objectives. Under "cost", charging a Wh from the grid costs the
        import price less what that Wh would cost later, leaving a Wh of surplus to the grid costs
        what it will cost later less the feed-in price.
        """
        if self.objective is Objective.BALANCE:
            return 1.0, 1.0
        if self.objective is Objective.NO_IMPORT:
            export = 2.0 / (1.0 + NO_IMPORT_RATIO)
            return 2.0 - export, export
        spread = self.import_price - self.feed_in_price
        over_import = 2.0 * (self.import_price - self.replacement_price) / spread
        return over_import, 2.0 - over_import
