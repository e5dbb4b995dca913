"""What each objective makes of the same days, in energy and money, beside an optimum that knows the future.

python bench/objectives.py [--trace CSV ...] [--source modbus|live|quarter ...] [--days 7]

Without a trace the week is invented. Runs the controller closed-loop in the simulated house, with a car that
is never full while the sun is up. The optimum of each row minimises that row's own objective in slots of a
minute, with the levels chosen best and the charger's pauses for starts and phase switches paid; a change
costs it no more than that.

Money is what was paid for the import less what was earned by the export, less what the car's energy is worth.
It differs from the weighted grid exchange of docs/control.md only by what no controller can change.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import floor, inf
from pathlib import Path

from pvcharge.control import ControlSettings, Objective
from pvcharge.sim import chargepoint
from pvcharge.sim.feed import Source
from pvcharge.sim.house import Profile
from pvcharge.sim.invented import A_DAY_IN_JUNE, invented
from pvcharge.sim.trace import Trace
from pvcharge.simulation import STEP_S, SUN_UP_W, Outcome, Simulation

IMPORT, FEED_IN, HALFWAY = 0.30, 0.08, 0.19  # prices of a kWh
CAR_PRICES = (0.10, HALFWAY, 0.28)
SEED = 7
SLOT = 12  # steps, a minute
STATES = (0, 1, 3)  # phases
START, SWITCH = round(chargepoint.START_DELAY_S / STEP_S), round(chargepoint.PHASE_PAUSE_S / STEP_S)
WEAR_WS = 500.0  # of the optimum's changes: 0.14 Wh, enough to leave out those that gain nothing
KWH = STEP_S / 3.6e6  # of a W over a step
NO_IMPORT_AT_ALL = (1000.0, 1.0)  # weights that come to that


@dataclass(slots=True)
class Course:
    """Energies in kWh while the sun is up, and starts and phase switches."""

    charged: float = 0.0
    car_import: float = 0.0  # what the household alone would not have bought
    bought: float = 0.0
    sold: float = 0.0
    changes: int = 0

    @property
    def solar(self) -> float:
        """What the sun gave to the car."""
        return self.charged - self.car_import

    def cost(self, car_price: float) -> float:
        """Return what was paid less what was earned, and what the car's energy is worth."""
        return self.bought * IMPORT - self.sold * FEED_IN - self.charged * car_price

    def add(self, power_w: float, surplus_w: float) -> None:
        """Add a step."""
        grid_w = power_w - surplus_w
        self.charged += power_w * KWH
        self.bought += max(0.0, grid_w) * KWH
        self.sold += max(0.0, -grid_w) * KWH
        self.car_import += max(0.0, min(power_w, grid_w)) * KWH

    @classmethod
    def of(cls, outcome: Outcome) -> "Course":
        """Return what came of a simulation."""
        charged = outcome.charged_kwh
        car_import = charged * (1 - outcome.solar_share_pct / 100)
        changes = outcome.starts + outcome.phase_switches
        return cls(charged, car_import, outcome.import_kwh, outcome.export_kwh, changes)


@dataclass(frozen=True, slots=True)
class Days:
    """What is simulated; `surplus_w` by steps, None while it is dark."""

    name: str
    profile: Profile
    start: datetime
    days: float
    surplus_w: Sequence[float | None]

    @classmethod
    def of(cls, name: str, profile: Profile, start: datetime, days: float) -> "Days":
        """Look at each step of a profile."""
        times = (start + timedelta(seconds=k * STEP_S) for k in range(int(days * 86_400 / STEP_S)))
        return cls(name, profile, start, days, [_surplus_w(profile, at) for at in times])


@dataclass(frozen=True, slots=True)
class Row:
    """A way of charging, by what it is asked for."""

    name: str
    settings: ControlSettings
    car_price: float  # by which it is judged


def rows() -> Iterator[Row]:
    """Yield the objectives."""
    yield Row("balance", ControlSettings(objective=Objective.BALANCE), HALFWAY)
    for price in CAR_PRICES:
        cost = ControlSettings(
            objective=Objective.COST, import_price=IMPORT, feed_in_price=FEED_IN, car_energy_price=price
        )
        yield Row(f"cost, {price:.2f}", cost, price)
    no_import = ControlSettings(objective=Objective.NO_IMPORT)
    # The price at which "cost" would have the same weights.
    over_import, over_export = no_import.weights
    price = (IMPORT * over_export + FEED_IN * over_import) / (over_import + over_export)
    yield Row("no_import", no_import, price)


# --- the optimum ---


def optimum(surplus_w: Sequence[float | None], weights: tuple[float, float]) -> Course:
    """Return the course of least weighted grid exchange, found by dynamic programming from slot to slot."""
    slots = [surplus_w[k : k + SLOT] for k in range(0, len(surplus_w), SLOT)]
    total, back = {0: 0.0, 1: inf, 3: inf}, []
    for slot in slots:
        bright = [step for step in slot if step is not None]
        if len(bright) < len(slot):  # the car comes or goes, or is away
            total, came = {0: min(total.values()), 1: inf, 3: inf}, {0: min(total, key=total.__getitem__)}
        else:
            total, came = _advance(total, bright, weights)
        back.append(came)
    states = [min(total, key=total.__getitem__)]
    for came in reversed(back):
        states.append(came[states[-1]])
    return _course(slots, list(reversed(states)), weights)


def _advance(
    total: dict[int, float], slot: Sequence[float], weights: tuple[float, float]
) -> tuple[dict[int, float], dict[int, int]]:
    """Return the least cost of being in each state after a slot, and from which it came there."""
    after, came = {}, {}
    for state in STATES:
        costs = {before: total[before] + _slot_cost(slot, before, state, weights) for before in STATES}
        came[state] = min(costs, key=costs.__getitem__)
        after[state] = costs[came[state]]
    return after, came


def _slot_cost(slot: Sequence[float], before: int, state: int, weights: tuple[float, float]) -> float:
    powers = _powers(slot, before, state, weights)
    wear = WEAR_WS if state not in (0, before) else 0.0
    return wear + STEP_S * sum(
        _cost(power_w - s_w, weights) for power_w, s_w in zip(powers, slot, strict=True)
    )


def _powers(slot: Sequence[float], before: int, state: int, weights: tuple[float, float]) -> list[float]:
    """Return the charger's power in each step of a slot that is spent in a state."""
    if not state:
        return [0.0] * len(slot)
    pause = 0 if before == state else SWITCH if before else START
    rest = slot[pause:]
    return [0.0] * pause + [_best_power_w(rest, state, weights)] * len(rest)


def _best_power_w(surplus_w: Sequence[float], phases: int, weights: tuple[float, float]) -> float:
    """Return the rung of least cost: beside the weighted quantile, since the cost is convex."""
    rung_w = phases * chargepoint.VOLTAGE_V
    share = weights[1] / (weights[0] + weights[1])
    ideal_w = sorted(surplus_w)[min(int(share * len(surplus_w)), len(surplus_w) - 1)]
    lower_a = floor(ideal_w / rung_w)
    rungs = {
        rung_w * min(max(amps, chargepoint.MIN_CURRENT_A), chargepoint.MAX_CURRENT_A)
        for amps in (lower_a, lower_a + 1)
    }
    return min(rungs, key=lambda power_w: sum(_cost(power_w - it, weights) for it in surplus_w))


def _cost(grid_w: float, weights: tuple[float, float]) -> float:
    return grid_w * weights[0] if grid_w > 0 else -grid_w * weights[1]


def _course(
    slots: Iterable[Sequence[float | None]], states: Sequence[int], weights: tuple[float, float]
) -> Course:
    course = Course()
    for slot, (before, state) in zip(slots, pairwise(states), strict=True):
        bright = [step for step in slot if step is not None]
        for power_w, surplus_w in zip(_powers(bright, before, state, weights), bright, strict=True):
            course.add(power_w, surplus_w)
        course.changes += state not in (0, before)
    return course


# --- the days ---


def _surplus_w(profile: Profile, at: datetime) -> float | None:
    pv_w = profile.pv_w(at)
    return pv_w - profile.load_w(at) if pv_w > SUN_UP_W else None


def imagined(days: float) -> Days:
    """Return days in June that need no file."""
    return Days.of(f"invented, seed {SEED}", invented(SEED), A_DAY_IN_JUNE.astimezone(UTC), days)


def recorded(path: Path, days: float, skip_days: float) -> Days:
    """Return days of a trace."""
    trace = Trace.load(path).crop(skip_days, days)
    return Days.of(path.name.partition(".")[0], trace, trace.start, trace.days)


def simulated(days: Days, source: Source, settings: ControlSettings) -> Course:
    """Return what the controller makes of them."""
    return Course.of(Simulation(days.profile, days.start, days.days, source, settings).run())


# --- the table ---


def measure(days: Days, sources: Sequence[Source]) -> Iterator[dict[str, object]]:
    """Yield a row of figures for each objective and source, and the optimum's of each."""
    never = optimum(days.surplus_w, NO_IMPORT_AT_ALL)
    chosen = list(rows())
    best = {row.name: optimum(days.surplus_w, row.settings.weights) for row in chosen}
    for source in sources:
        balance: Course | None = None
        for row in chosen:
            course = simulated(days, source, row.settings)
            balance = balance or course
            yield _figures(days, source.value, row, course) | {
                "above": course.cost(row.car_price) - best[row.name].cost(row.car_price),
                "balance_above": balance.cost(row.car_price) - best[row.name].cost(row.car_price),
            }
    for row in chosen:
        yield _figures(days, "optimum", row, best[row.name])
    yield _figures(days, "optimum", Row("no import at all", ControlSettings(), HALFWAY), never)


def _figures(days: Days, source: str, row: Row, course: Course) -> dict[str, object]:
    return {
        "days": days.name,
        "source": source,
        "objective": row.name,
        **asdict(course),
        "changes_per_day": course.changes / days.days,
        "solar": course.solar,
        "solar_share_pct": 100 * course.solar / course.charged if course.charged else 0.0,
        "car_price": row.car_price,
        "cost": course.cost(row.car_price),
    }


COLUMNS = {
    "charged": 1,
    "solar": 1,
    "solar_share_pct": 1,
    "car_import": 2,
    "bought": 1,
    "sold": 1,
    "changes_per_day": 1,
    "car_price": 3,
    "cost": 2,
    "above": 2,
    "balance_above": 2,
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--trace", type=Path, nargs="+", default=[], metavar="CSV", help="default: an invented week"
    )
    parser.add_argument(
        "--source", nargs="+", choices=[it.value for it in Source], default=["modbus", "quarter"]
    )
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--skip-days", type=float, default=0.0)
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    args = parser.parse_args()
    chosen = [recorded(path, args.days, args.skip_days) for path in args.trace] or [imagined(args.days)]
    if not args.json:
        print(f"{'in kWh and money':<30}{'objective':<18}" + "".join(f"{it:>16}" for it in COLUMNS))
    for days in chosen:
        for figures in measure(days, [Source(it) for it in args.source]):
            if args.json:
                print(json.dumps(figures), flush=True)
                continue
            cells = (f"{figures[it]:.{digits}f}" if it in figures else "" for it, digits in COLUMNS.items())
            names = f"{figures['days']}, {figures['source']}"
            print(f"{names:<30}{figures['objective']:<18}" + "".join(f"{it:>16}" for it in cells), flush=True)


if __name__ == "__main__":
    main()
