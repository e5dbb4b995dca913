"""Which reading is shown when several sources tell of one house."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from mqtt.far_ends import NOON, ManualClock
from pvcharge.model import NO_CHARGE, Decision, Distrust, LimitsCommand, Mode, PowerFlow, Reason
from pvcharge.values import MOST_SOURCES, VALUES, Scalar, SnapshotKeeper, read

LIVE, MEANS = "live", "means"
LIVE_W, MEAN_W, SURPLUS_W = 4000.0, 1000.0, 700.0
KEYS = ("pv_w", "surplus_w", "source")


class House:
    """A house with a live meter each 5 s, and means over quarter hours that come 6 minutes late.

    Attributes:
        followed: whose readings are decided by; None while nothing decides.
        distrust: why not by those of the live meter.
        live: whether the live meter speaks.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.keeper = SnapshotKeeper(self.clock, LimitsCommand(6, 16))
        self.followed: str | None = LIVE
        self.distrust: Distrust | None = None
        self.live = True

    def values(self) -> dict[str, Scalar]:
        """Return all values as they are now."""
        return read(VALUES, self.keeper.snapshot())

    def shown(self) -> tuple[Scalar, ...]:
        """Return production, surplus and source."""
        return tuple(self.values()[key] for key in KEYS)

    def hear_live(self, *, limited: bool = False) -> None:
        """Have the live meter speak."""
        now = self.clock.now()
        self.keeper.take(PowerFlow(now, now, pv_w=LIVE_W, source=LIVE, limited=limited))

    def hear_mean(self) -> None:
        """Have the mean come that can be read now."""
        end = self.clock.now() - timedelta(minutes=6)
        mean = PowerFlow(end - timedelta(minutes=15), end, pv_w=MEAN_W, source=MEANS, rank=1)
        self.keeper.take(mean)

    def decide(self) -> None:
        """Have a decision made."""
        decision = Decision(
            self.clock.now(),
            NO_CHARGE,
            Reason.TOO_LITTLE,
            Mode.SURPLUS,
            surplus_w=SURPLUS_W,
            source=self.followed,
            distrust=self.distrust,
        )
        self.keeper.take(decision)

    def live_for(self, minutes: float) -> Iterator[tuple[Scalar, ...]]:
        """Let time pass in steps of 5 s, and yield what is shown after each event."""
        for _ in range(round(minutes * 12)):
            self.clock.advance(5)
            if self.live:
                self.hear_live()
                yield self.shown()
            if not (self.clock.now() - NOON - timedelta(minutes=6)) % timedelta(minutes=15):
                self.hear_mean()
                yield self.shown()
            if self.followed is not None:
                self.decide()
            yield self.shown()


@pytest.fixture
def house() -> House:
    """Return a house whose live meter has spoken, and a decision was made by it."""
    house = House()
    house.hear_live()
    house.decide()
    return house


def test_beside_a_live_meter_means_are_not_shown(house: House) -> None:
    """Nothing flips whenever a mean comes."""
    assert set(house.live_for(60)) == {(LIVE_W, SURPLUS_W, LIVE)}


def test_whoever_drives_is_shown(house: House) -> None:
    """A live meter that cannot be believed still speaks, and is the newest; nobody goes by it."""
    list(house.live_for(30))
    house.followed, house.distrust = MEANS, Distrust.BACKWARDS
    house.decide()
    assert set(house.live_for(60)) == {(MEAN_W, SURPLUS_W, MEANS)}
    assert house.values()["source_text"] == "means drives, since live tells grid power of the wrong sign."
    assert house.values()["distrust"] == "backwards"


def test_a_live_meter_that_dies_and_comes_back(house: House) -> None:
    """Shown are the means until it drives again; in between the surplus is that of neither."""
    list(house.live_for(30))
    house.live = False
    assert list(house.live_for(1))[-1] == (MEAN_W, None, LIVE)
    house.followed, house.distrust = MEANS, Distrust.SILENT
    house.decide()
    assert set(house.live_for(58)) == {(MEAN_W, SURPLUS_W, MEANS)}
    assert house.values()["source_text"] == "means drives, since live has been silent."
    house.live, house.distrust = True, Distrust.RETURNING
    assert set(house.live_for(0.25)) == {(MEAN_W, SURPLUS_W, MEANS)}
    house.followed, house.distrust = LIVE, None
    house.decide()
    assert set(house.live_for(30)) == {(LIVE_W, SURPLUS_W, LIVE)}


def test_without_decisions_the_newest_is_shown() -> None:
    """An edge decides nothing, and shows its inverters all the same."""
    house = House()
    house.followed = None
    assert {shown[0] for shown in house.live_for(40)} == {LIVE_W}
    house.live = False
    assert [shown[0] for shown in house.live_for(2)][-1] == MEAN_W


def test_a_decision_that_has_aged_out_chooses_nothing(house: House) -> None:
    """Of a controller that has gone nobody knows whom it would follow."""
    house.hear_mean()
    house.followed = MEANS
    house.decide()
    assert house.shown() == (MEAN_W, SURPLUS_W, MEANS)
    house.clock.advance(60)
    house.hear_live()
    assert house.shown() == (LIVE_W, None, None)


def test_a_slow_source_does_not_make_a_fast_one_good_for_long(house: House) -> None:
    """Each has a rhythm of its own: a live meter that has been silent for a minute is not live."""
    list(house.live_for(30))
    house.keeper.take(PowerFlow(NOON, NOON, source="other"))
    house.clock.advance(61)
    assert house.shown()[0] == MEAN_W


def test_names_from_afar_fill_no_memory(house: House) -> None:
    """Who speaks is kept, and the others give way."""
    for number in range(3 * MOST_SOURCES):
        now = house.clock.now()
        house.keeper.take(PowerFlow(now, now, pv_w=1.0, source=f"stranger {number}", rank=7))
        house.clock.advance(1)
        house.hear_live()
    house.decide()
    assert house.shown() == (LIVE_W, SURPLUS_W, LIVE)
    house.followed, house.distrust = "stranger 0", Distrust.SILENT
    house.decide()
    assert house.shown() == (LIVE_W, None, "stranger 0")


def test_production_that_is_held_back_is_told(house: House) -> None:
    """As long as the reading that says so is good."""
    assert house.values()["production_limited"] is False
    house.clock.advance(5)
    house.hear_live(limited=True)
    assert house.values()["production_limited"] is True
    house.clock.advance(60)
    assert house.values()["production_limited"] is None
