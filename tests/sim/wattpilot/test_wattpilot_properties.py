"""The full status of both generations, against what real boxes report."""

import json
from pathlib import Path
from typing import Any

import pytest

from pvcharge.sim.wattpilot.properties import flex_home_22, home_11_j

SAMPLES = Path(__file__).parents[3] / "../shared/facts/samples/wattpilot"
real_boxes = pytest.mark.skipif(
    not SAMPLES.exists(), reason="the collected samples are not part of the project"
)


def kind(value: Any) -> str:
    """Name the JSON type, numbers in one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "number"


@real_boxes
@pytest.mark.parametrize(
    ("properties", "sample"),
    [
        (home_11_j("10000001"), "home11j_fw36.3_property_examples.json"),
        (flex_home_22("10000001"), "flex_home22c6_fw43.4_fullStatus.json"),
    ],
    ids=["home", "flex"],
)
def test_has_the_keys_and_types_of_a_real_box(properties: dict[str, Any], sample: str) -> None:
    """All keys of the real box and no others; where both have a value, it is of the same JSON type."""
    real = json.loads((SAMPLES / sample).read_text())["status"]
    examples_as_text = {"fwv", "onv", "pha"}  # collected by hand, with another type than on the wire
    assert properties.keys() == real.keys()
    for key in properties.keys() - examples_as_text:
        if properties[key] is not None and real[key] is not None:
            assert kind(properties[key]) == kind(real[key]), key


def test_generations_differ_in_types() -> None:
    """A client meets the same key with different types, and keys that only one generation has."""
    home, flex = home_11_j("10000001"), flex_home_22("10000001")
    assert {key for key in home.keys() & flex.keys() if type(home[key]) is not type(flex[key])} >= {
        "bam", "fio23", "fwc", "imi", "lot", "awpl",
    }  # fmt: skip
    assert "cbl" not in flex
    assert "cll" not in home
