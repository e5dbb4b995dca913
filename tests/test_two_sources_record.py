"""A record in which a live meter, which dies for an hour, and a cloud's quarters tell of one house."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import fmean

import pytest

from history.recording import MORNING, STEP, Recording, record, recorded_events, sunny_and_cloudy
from pvcharge.history.energy import EnergyMeter, Quantity
from pvcharge.history.reading import Reader
from pvcharge.model import Decision, Distrust, PowerFlow
from pvcharge.recorded import recorded_house
from pvcharge.replay import replay
from pvcharge.sim.feed import Source

HOUR = timedelta(hours=1)
HOURS = 5.0
MINUTES = timedelta(minutes=1)
DIES, COMES_BACK = 2.0, 3.0  # hours


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recording]:
    """Return the store of such a morning, and the house."""
    path = tmp_path_factory.mktemp("two") / "history.db"

    def script(day: Recording) -> dict[float, Callable[[], None]]:
        def meter(*, lives: bool) -> Callable[[], None]:
            def change() -> None:
                day.readings_come = lives

            return change

        return {0.2: day.charger.plug_in, DIES: meter(lives=False), COMES_BACK: meter(lives=True)}

    return path, record(path, MORNING, HOURS, script, Source.MODBUS, second=Source.QUARTER)


@pytest.fixture
def reader(recording: tuple[Path, Recording]) -> Iterator[Reader]:
    """Return that morning, to be read."""
    opened = Reader.open(recording[0])
    yield opened
    opened.close()


def test_the_controller_went_on_with_the_means(reader: Reader) -> None:
    """It is such a record: it followed the meter, then the cloud with the cause, then the meter again."""
    followed: list[tuple[str | None, Distrust | None]] = []
    for decision in recorded_events(reader, Decision):
        if not followed or followed[-1] != (decision.source, decision.distrust):
            followed.append((decision.source, decision.distrust))
    sources = [source for source, distrust in followed if distrust is not Distrust.RETURNING]
    assert sources[-1] == Source.MODBUS
    assert (Source.QUARTER, Distrust.SILENT) in followed


def test_it_is_decided_again_to_the_last_bit(reader: Reader) -> None:
    """Rank and limit are inputs, source and distrust are answers."""
    pairs = list(replay(reader, MORNING, MORNING + HOURS * HOUR))
    assert len(pairs) == len(recorded_events(reader, Decision)) > 3000
    assert [pair for pair in pairs if not pair.same] == []


def test_the_house_is_made_of_both(reader: Reader) -> None:
    """Minutes of the meter where it lived, quarters of the cloud where not; nothing is missing."""
    house = recorded_house(reader, MORNING, MORNING + HOURS * HOUR)
    profile = sunny_and_cloudy()
    assert (house.source, house.battery) == (Source.MODBUS, False)
    assert house.covered > 0.99
    true_w = [profile.pv_w(house.trace.start + number * STEP) for number in range(int(HOURS * 720))]
    minutes = house.trace.pv_means_w
    means_w = [fmean(true_w[12 * number : 12 * number + 12]) for number in range(len(minutes))]
    live = [number for number in range(len(minutes)) if not 60 * DIES <= number <= 60 * COMES_BACK]
    assert fmean(abs(minutes[number] - means_w[number]) for number in live) < 1
    dead = slice(int(60 * DIES) + 15, int(60 * COMES_BACK))  # a meter that is not heard is held for 5 minutes
    assert fmean(minutes[dead]) == pytest.approx(fmean(means_w[dead]), rel=1e-3)


def test_where_the_cloud_told_most_it_is_a_house_of_quarters(reader: Reader) -> None:
    """In the hour without the meter; what-if then simulates such an access."""
    start = MORNING + DIES * HOUR
    assert recorded_house(reader, start + 10 * MINUTES, start + HOUR).source is Source.QUARTER


def test_its_energies_are_those_of_the_house(recording: tuple[Path, Recording], reader: Reader) -> None:
    """Counted once by whoever was there: within 0.1 % of what the roof gave, an hour of it by quarters."""
    meter, sums = EnergyMeter(), dict.fromkeys(Quantity, 0.0)
    for flow in recorded_events(reader, PowerFlow):
        for increment in meter.take(flow):
            for quantity, energy_wh in increment.energy_wh.items():
                sums[quantity] += energy_wh
    true = recording[1].house.totals
    assert sums[Quantity.PV] == pytest.approx(true.pv_wh, rel=1e-3)
    bought_less_sold_wh = sums[Quantity.IMPORT] - sums[Quantity.EXPORT]
    assert bought_less_sold_wh == pytest.approx(true.imported_wh - true.exported_wh, rel=0.01, abs=20)
