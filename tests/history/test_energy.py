"""The energies in readings: by hand where one can count along, and what is no such state is refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from history.days import at, energies_wh, increments, instant, mean, restarted, status
from pvcharge.history.energy import EnergyMeter, Increment, Quantity
from pvcharge.model import PowerFlow

PV, IMPORT, EXPORT = Quantity.PV, Quantity.IMPORT, Quantity.EXPORT
BATTERY_IN, BATTERY_OUT = Quantity.BATTERY_IN, Quantity.BATTERY_OUT

LIVE = [instant(second, pv_w=1000) for second in range(0, 301, 60)]


@pytest.mark.parametrize(
    ("flows", "expected_wh"),
    [
        pytest.param([instant(0, pv_w=1200), instant(60, pv_w=2400)], {PV: 30}, id="a trapezoid"),
        pytest.param([instant(0, pv_w=1200)], {}, id="one instant says nothing about time"),
        pytest.param([mean(0, 900, pv_w=4000)], {PV: 1000}, id="a mean has its own time"),
        pytest.param(
            [instant(0, grid_w=3000), instant(240, grid_w=-1000)],
            {IMPORT: 75, EXPORT: 8.3333333},  # 180 s of a triangle of 3000 W, 60 s of one of 1000 W
            id="bought first, sold then",
        ),
        pytest.param(
            [instant(0, grid_w=-1000), instant(240, grid_w=3000)],
            {IMPORT: 75, EXPORT: 8.3333333},
            id="sold first, bought then",
        ),
        pytest.param([mean(0, 3600, grid_w=-500)], {EXPORT: 500}, id="a mean is bought or sold, not both"),
        pytest.param(
            [mean(0, 1800, battery_w=2000), mean(1800, 3600, battery_w=-400)],
            {BATTERY_IN: 1000, BATTERY_OUT: 200},
            id="charging and discharging",
        ),
        pytest.param([mean(0, 3600, pv_w=-5)], {}, id="an inverter's own use is no production"),
        pytest.param([mean(0, 7 * 86400, pv_w=5000)], {}, id="nobody measures a mean of a week"),
    ],
)
def test_readings_by_hand(flows: Sequence[PowerFlow], expected_wh: dict[Quantity, float]) -> None:
    """Instants are joined by straight lines, and what crosses zero is parted there."""
    assert energies_wh(flows) == pytest.approx(expected_wh)


@pytest.mark.parametrize(
    ("flows", "expected_wh"),
    [
        pytest.param([instant(0, pv_w=1200), instant(300, pv_w=1200)], 100, id="five minutes are short"),
        pytest.param([instant(0, pv_w=1200), instant(301, pv_w=1200)], 0, id="more is a hole"),
        pytest.param([instant(600 * i, pv_w=1200) for i in range(4)], 400, id="unless it is usual"),
        pytest.param(
            [instant(second, pv_w=1200) for second in (0, 600, 1200, 3000)], 800, id="three usual pauses"
        ),
        pytest.param([instant(second, pv_w=1200) for second in (0, 600, 1200, 3001)], 200, id="but not more"),
        pytest.param(
            [instant(second, pv_w=1200) for second in (0, 600, 4200, 6100)], 0, id="a night is not usual"
        ),
        pytest.param(
            [instant(second, pv_w=1200) for second in (0, 600, 1200, 1210, 1810)],
            403.3333333,
            id="one that is read twice in a row is as slow as ever",
        ),
        pytest.param(
            [
                *(instant(5 * i, pv_w=1200) for i in range(7)),
                *(instant(600 * i, pv_w=1200) for i in range(1, 6)),
            ],
            10 + 400,
            id="a source that becomes slow is known to be after three pauses",
        ),
        pytest.param(
            [*(instant(5 * i, pv_w=1200) for i in range(7)), instant(1000, pv_w=1200)],
            10,
            id="a source of seconds has no long pauses",
        ),
        pytest.param(
            [instant(0, pv_w=1200), instant(200, pv_w=1200, source="b"), instant(400, pv_w=1200)],
            0,
            id="sources do not help each other over a hole",
        ),
    ],
)
def test_holes(flows: Sequence[PowerFlow], expected_wh: float) -> None:
    """What was measured at both ends of a pause speaks for it if the pause is short or usual."""
    assert sum(energies_wh(flows).values()) == pytest.approx(expected_wh)


@pytest.mark.parametrize(
    ("flows", "expected_wh"),
    [
        pytest.param([*LIVE, mean(0, 900, pv_w=3600)], 83.3333333 + 600, id="a quarter after live values"),
        pytest.param([*LIVE, mean(0, 300, pv_w=9000)], 83.3333333, id="a mean that is covered"),
        pytest.param([mean(0, 300, pv_w=1000), *LIVE], 83.3333333, id="live values that are covered"),
        pytest.param([*LIVE, *LIVE], 83.3333333, id="everything twice"),
        pytest.param(
            # Of b's line from 1000 to 2000 W only the last quarter, from 1750 W on, is new.
            [*LIVE, instant(100, pv_w=1000, source="b"), instant(367, pv_w=2000, source="b")],
            83.3333333 + 67 / 3600 * (2000 + 1000 + 1000 * 200 / 267) / 2,
            id="another source takes over",
        ),
        pytest.param([mean(900, 1800, pv_w=4000), mean(0, 900, pv_w=4000)], 1000, id="a late one is lost"),
        pytest.param([*LIVE, instant(100, pv_w=0), instant(360, pv_w=1000)], 100, id="an old one is no end"),
        pytest.param(
            [instant(0, pv_w=1000), instant(60), instant(120, pv_w=1000)],
            33.3333333,
            id="an instant that lacks the value is as if it had not come",
        ),
        pytest.param(
            [mean(0, 900), mean(0, 900, pv_w=4000, source="b")],
            1000,
            id="what one source does not tell another may",
        ),
    ],
)
def test_no_time_twice(flows: Sequence[PowerFlow], expected_wh: float) -> None:
    """Of whatever comes only that part of the time counts of which nothing has been counted yet."""
    assert energies_wh(flows) == pytest.approx({PV: expected_wh})


def test_each_quantity_has_its_own_time() -> None:
    """A source without a battery leaves the battery's time to the one that comes after."""
    found = increments([mean(0, 900, pv_w=400, grid_w=0), mean(0, 900, pv_w=8, battery_w=-40, source="b")])
    assert found == [
        Increment(at(0), at(900), {PV: 100.0, IMPORT: 0.0, EXPORT: 0.0}),
        Increment(at(0), at(900), {BATTERY_IN: 0.0, BATTERY_OUT: 10.0}),
    ]


def test_one_reading_may_cover_different_times() -> None:
    """Where the production is known for longer than the grid, there are two increments."""
    found = increments([mean(0, 450, pv_w=400), mean(0, 900, pv_w=400, grid_w=800, source="b")])
    assert found[1:] == [
        Increment(at(450), at(900), {PV: 50.0}),
        Increment(at(0), at(900), {IMPORT: 200.0, EXPORT: 0.0}),
    ]


def test_nothing_else_counts() -> None:
    """The feed brings many things; those without power add nothing."""
    assert EnergyMeter().take("news") == []


def test_a_restart_is_a_pause_like_any_other() -> None:
    """A daemon that is back within minutes has missed nothing; what it missed in hours it does not invent."""
    meter = EnergyMeter()
    meter.take(instant(0, pv_w=1000))
    (increment,) = restarted(meter).take(instant(180, pv_w=1000))
    assert increment == Increment(at(0), at(180), {PV: 50.0})
    assert restarted(meter).take(instant(7200, pv_w=1000)) == []


def test_many_sources_take_no_room() -> None:
    """Names of sources that come from afar cannot fill the memory, and do not displace who still speaks."""
    meter = EnergyMeter()
    for second in range(1000):
        meter.take(instant(second, pv_w=3600, source="house"))
        meter.take(instant(second, pv_w=0, source=f"stranger {second}"))
    sources = meter.state()["pv"]["instants"]
    assert len(sources) == 16
    assert len(sources["house"]["rhythm"]["pauses_s"]) == 5


def _broken(path: str, value: Any) -> dict[str, Any]:
    """Return the state of a meter that has seen something, with one value changed; ... removes the key."""
    meter = EnergyMeter()
    for event in (instant(0, pv_w=1, grid_w=2), instant(5, pv_w=1, grid_w=2), status(5, total_wh=7)):
        meter.take(event)
    state = meter.state()
    *parents, key = path.split(".")
    place = state
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[key]
    else:
        place[key] = value
    return state


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pv", ...),
        ("pv", None),
        ("tide", {}),
        ("grid.until", "yesterday"),
        ("grid.until", "2026-06-15T12:00:00"),  # of what time zone?
        ("grid.until", 5),
        ("grid.instants", []),
        ("grid.instants.a.power_w", "2"),
        ("grid.instants.a.power_w", float("nan")),
        ("grid.instants.a.rhythm.pauses_s", [-5.0]),
        ("charger.power_w", float("inf")),
        ("charger.total.value_wh", -1.0),
        ("charger.total.ahead_wh", True),
    ],
)
def test_what_is_no_state_is_refused(path: str, value: Any) -> None:
    """A state that was spoilt does not begin to count from nonsense, and one learns where it is spoilt."""
    with pytest.raises(ValueError, match=path):
        EnergyMeter(_broken(path, value))


@pytest.mark.parametrize("state", [{}, {"pv": {1, 2}}])
def test_what_is_no_json_is_refused(state: dict[str, Any]) -> None:
    """Neither an empty state nor one that no file can have held is taken for a new meter's."""
    with pytest.raises(ValueError, match="saved state"):
        EnergyMeter(state)
