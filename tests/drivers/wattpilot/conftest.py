"""What the tests of the Wattpilot driver share."""

from collections.abc import Callable
from typing import Any

import pytest

from pvcharge.drivers.wattpilot.reading import Reading, read


@pytest.fixture
def properties() -> Callable[..., dict[str, Any]]:
    """Return a maker of the properties of an 11 kW box that charges with 3 x 10 A, with changes."""

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "car": 2,
            "err": 0,
            "modelStatus": 15,
            "alw": True,
            "frc": 0,
            "lmo": 3,
            "amp": 10,
            "psm": 2,
            "fsp": False,
            "var": 11,
            "ama": 16,
            "mca": 6,
            "cbl": 20,
            "amt": 32,
            "adi": True,
            "la1": 10,
            "la3": 10,
            "nrg": [231, 230, 232, 1, 9.8, 9.9, 10.0, 2260, 2270, 2320, 0, 6850, 99, 99, 99, 0],
            "tpa": 6840,
            "wh": 1234.5,
            "eto": 987654,
            "psmd": 10000,
            "sumd": 10000,
            "rbc": 7,
            **changes,
        }

    return make


@pytest.fixture
def reading(properties: Callable[..., dict[str, Any]]) -> Callable[..., Reading]:
    """Return a maker of readings of those properties."""

    def make(**changes: Any) -> Reading:
        return read(properties(**changes))

    return make
