"""What the charger gave: by its lifetime counter, or by its power where there is none; never by both."""

from collections.abc import Sequence

import pytest

from history.days import NOON, at, energies_wh, increments, restarted, status
from pvcharge.history.energy import EnergyMeter, Increment, Quantity
from pvcharge.model import ChargerStatus

CHARGER = Quantity.CHARGER


@pytest.mark.parametrize(
    ("statuses", "expected_wh"),
    [
        pytest.param([status(0, total_wh=5000), status(10, total_wh=5030)], 30, id="the difference"),
        pytest.param(
            [status(0, power_w=3600, total_wh=5000), status(10, power_w=3600, total_wh=5002)],
            2,
            id="the counter, not the power",
        ),
        pytest.param(
            [status(0, total_wh=5000), status(86400, total_wh=45_000)], 40_000, id="it knows a day's hole"
        ),
        pytest.param(
            [status(0, total_wh=5000), status(10, total_wh=20), status(20, total_wh=50)], 30, id="a new box"
        ),
        pytest.param(
            [status(0, total_wh=5000), status(10, total_wh=4999.5), status(20, total_wh=5003)],
            3,
            id="a step back by less than 1 Wh is noise",
        ),
        pytest.param(
            [status(0, total_wh=5000), status(36, total_wh=5600), status(46, total_wh=5610)],
            610,  # 50 kW in 36 s are 500 Wh, and 100 Wh are tolerated
            id="as much as can be",
        ),
        pytest.param(
            [status(0, total_wh=5000), status(36, total_wh=5601), status(46, total_wh=5611)],
            10,
            id="a leap is another counter",
        ),
        pytest.param(
            [
                *(status(10 * i, power_w=11_000, total_wh=5000) for i in range(33)),
                status(330, power_w=11_000, total_wh=6000),
            ],
            1000,
            id="a counter of whole kWh does not leap, more was due",
        ),
        pytest.param(
            [
                *(status(10 * i, total_wh=5000) for i in range(33)),
                status(330, total_wh=6000),
            ],
            0,
            id="without power nothing was due",
        ),
    ],
)
def test_by_the_counter(statuses: Sequence[ChargerStatus], expected_wh: float) -> None:
    """Differences of the lifetime counter count as far as a charger can have given them."""
    assert sum(energies_wh(statuses).values()) == pytest.approx(expected_wh)


@pytest.mark.parametrize(
    ("statuses", "expected_wh"),
    [
        pytest.param([status(0, power_w=3600), status(10, power_w=7200)], 15, id="a trapezoid"),
        pytest.param([status(0, power_w=3600), status(301, power_w=3600)], 0, id="a hole"),
        pytest.param([status(0, power_w=-50), status(10, power_w=-50)], 0, id="never negative"),
        pytest.param([status(600 * i, power_w=3600) for i in range(3)], 600, id="a slow box"),
        pytest.param(
            [status(0, power_w=3600, total_wh=5000), status(10, power_w=3600), status(20, total_wh=5020)],
            20,  # 10 by power, and of the counter's 20 the rest
            id="a counter that was away does not count again",
        ),
        pytest.param(
            [
                status(0, power_w=7200, total_wh=5000),
                status(10, power_w=7200),
                status(20, total_wh=5015),
                status(30, total_wh=5030),
                status(40, total_wh=5040),
            ],
            40,  # 20 by power, which was 5 too many for the counter: it caught up
            id="a power that told too much is made up for",
        ),
        pytest.param(
            [status(0, power_w=3600), status(10, power_w=3600, total_wh=5000), status(20, total_wh=5010)],
            20,
            id="a counter that turns up",
        ),
        pytest.param(
            [status(0, power_w=3600, total_wh=5000), status(10, power_w=3600, total_wh=20)],
            0,
            id="power does not stand in for another counter",
        ),
    ],
)
def test_by_the_power(statuses: Sequence[ChargerStatus], expected_wh: float) -> None:
    """Where there is no counter, power times time counts, and not again when there is one."""
    assert sum(energies_wh(statuses).values()) == pytest.approx(expected_wh)


def test_increments_reach_from_status_to_status() -> None:
    """Whoever cuts them into days knows when the energy flowed; a known zero is told, a hole is not."""
    found = increments(
        [
            status(0, total_wh=5000),
            status(10, total_wh=5030),
            status(20, total_wh=5030),
            status(20, total_wh=5031),
            status(15, total_wh=5000),
            status(30, total_wh=1),
            status(7200),
        ]
    )
    assert found == [
        Increment(at(0), at(10), {CHARGER: 30.0}),
        Increment(at(10), at(20), {CHARGER: 0.0}),
    ]


def test_a_clock_that_was_wrong_by_years_makes_no_endless_increment() -> None:
    """A daemon that woke up in 1970 would else cut 56 years into pieces of five minutes."""
    then = NOON.replace(year=1970)
    meter = EnergyMeter()
    meter.take(ChargerStatus(then, status(0).state, 0.0, total_wh=5000))
    (increment,) = meter.take(status(0, total_wh=5100))
    assert increment == Increment(at(-31 * 86400), at(0), {CHARGER: 100.0})


def test_the_counter_knows_what_a_daemon_missed() -> None:
    """What was charged while it was down counts when it is back, once."""
    meter = EnergyMeter()
    meter.take(status(0, power_w=3600, total_wh=5000))
    later = restarted(meter)
    assert later.take(status(7200, total_wh=12_200)) == [Increment(at(0), at(7200), {CHARGER: 7200.0})]
    assert restarted(later).take(status(7201, total_wh=12_200)) == [
        Increment(at(7200), at(7201), {CHARGER: 0.0})
    ]
