"""What the box measures and shows: the `nrg` array and everything else that changes by itself."""

import random
from datetime import datetime, timedelta
from typing import Any

from pvcharge.sim.car import Car
from pvcharge.sim.wattpilot.properties import Properties


def nrg(car: Car | None, rng: random.Random, *, whole: bool) -> list[float]:
    """Return the values of `nrg`: U L1..L3 N, I L1..L3, P L1..L3 N and total, power factors L1..L3 N in %.

    Args:
        car: the car at the cable.
        rng: source of the grid's small restlessness.
        whole: whole volts and watts with 10 W steps per phase, as old firmware counts; else decimals.
    """
    phases = car.phases_drawing if car else 0
    current_a = car.current_a if car else 0.0
    power_w = car.power_w if car else 0.0
    factor_pct = round(100 * car.power_factor) if car else 0
    volts: list[float] = [round(230 + rng.uniform(-1.5, 1.5), 1) for _ in range(3)]
    phase_w: float = round(power_w / phases, 1) if phases else 0
    if whole:
        volts = [round(volt) for volt in volts]
        phase_w = round(phase_w, -1)
        power_w = round(power_w)
    return [
        *volts,
        1 if whole else 0.5,
        *_per_phase(round(current_a, 1), phases),
        *_per_phase(int(phase_w) if whole else phase_w, phases),
        0,
        power_w if whole else round(power_w, 1),
        *_per_phase(factor_pct, phases),
        0,
    ]


def _per_phase(value: float, phases: int) -> list[float]:
    return [value if number < phases else 0 for number in range(3)]


def times(now: datetime, up: timedelta, properties: Properties) -> Properties:
    """Return `utc`, `loc` and `rbt`; firmware 36 puts microseconds behind a second dot."""
    offset_min: int = properties["tof"]
    old = properties["typ"] == "wattpilot"
    sign = "-" if offset_min < 0 else "+"
    local = now + timedelta(minutes=offset_min)
    return {
        "utc": _stamp(now, old=old),
        "loc": f"{_stamp(local, old=old)} {sign}{abs(offset_min) // 60:02}:{abs(offset_min) % 60:02}",
        "rbt": int(up / timedelta(milliseconds=1)),
    }


def _stamp(at: datetime, *, old: bool) -> str:
    millis, micros = divmod(at.microsecond, 1000)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{millis:03}" + (f".{micros:03}" if old else "")


def chatter(rng: random.Random, power_w: float, properties: Properties) -> Properties:
    """Return what drifts even on an idle box: grid frequency, temperatures, debug counters."""
    warm_c = power_w / 1000  # the contactor and the relays warm up under load
    tma: list[Any] = [
        None if value is None else round(25 + warm_c + rng.uniform(0, 0.5), 2) for value in properties["tma"]
    ]
    drift: Properties = {
        "fhz": round(50 + rng.uniform(-0.03, 0.03), 3),
        "tma": tma,
        "lps": rng.randint(50, 80),
    }
    if "rfb" in properties:
        drift["rfb"] = properties["rfb"] + 1
    return drift
