"""What becomes of the charge when cloud and edge lose each other for longer than a lease."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from pvcharge.model import NO_CHARGE, Lease, Setpoint
from pvcharge.tasks.charger_task import GRACE_S, LOOK_S, OnSilence
from split.devices import VOLTAGE_V
from split.faults import SILENT, broker_restarts, cloud_dies, cloud_is_cut, edge_is_cut
from split.house import FULL, House, by_cloud_s, live

LONG_S, SHORT_S = 600.0, 100.0  # both beyond a lease
BACK_WITHIN_S = 60.0
BEFORE, AFTER = Setpoint(3, 10), Setpoint(3, 13)  # what the surplus asks for
BEFORE_W, AFTER_W = 6900.0, 8970.0


@dataclass(frozen=True)
class Outage:
    """A case."""

    begins: Callable[[House], Awaitable[None]]
    on_silence: OnSilence
    skew_s: float
    away_s: float = LONG_S

    def __str__(self) -> str:
        return f"{self.begins.__name__}-{self.on_silence}-{self.skew_s:+.0f}s-{self.away_s:.0f}s"


OUTAGES = (
    Outage(edge_is_cut, OnSilence.STOP, 0.0),
    Outage(edge_is_cut, OnSilence.MINIMUM, 90.0),
    Outage(edge_is_cut, OnSilence.KEEP, -90.0),
    Outage(edge_is_cut, OnSilence.BOOST, 90.0),
    Outage(edge_is_cut, OnSilence.STOP, -90.0, SHORT_S),
    Outage(cloud_is_cut, OnSilence.STOP, -90.0),
    Outage(cloud_is_cut, OnSilence.BOOST, 90.0, SHORT_S),
    Outage(broker_restarts, OnSilence.MINIMUM, -90.0),
    Outage(cloud_dies, OnSilence.STOP, 90.0),
    Outage(cloud_dies, OnSilence.KEEP, 0.0),
)


@dataclass
class Record:
    """What has happened in a house of which only its devices' and daemons' memory is left.

    Attributes:
        house: it.
        outage: the case.
        lost_s: when the outage began.
        back_s: when it ended.
        followed_s: when the box was as the cloud wanted it again; None if not in time.
    """

    house: House
    outage: Outage
    lost_s: float
    back_s: float
    followed_s: float | None

    def written(self, from_s: float, to_s: float) -> list[tuple[float, Setpoint]]:
        """Return what was written between two times."""
        return [(at_s, setpoint) for at_s, setpoint in self.house.box.writes if from_s <= at_s < to_s]


@pytest.fixture(scope="module", params=OUTAGES, ids=str)
def record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Return what has happened in an outage; each is lived through once, for all tests."""
    outage: Outage = request.param
    records: list[Record] = []

    async def life() -> None:
        house = House(tmp_path_factory.mktemp("house"), skew_s=outage.skew_s, on_silence=outage.on_silence)
        async with house.running():
            assert await house.charges(BEFORE_W) == BEFORE
            await house.passes(27)
            lost_s = house.now_s
            await outage.begins(house)
            await house.passes(outage.away_s - 60)
            house.roof.surplus_w = AFTER_W
            await house.passes(60)
            if outage.away_s == LONG_S:
                await house.cloud_gives_up_for_a_while()
            back_s = house.now_s
            house.heal()
            took_s = await house.until(lambda: house.box.setpoint == AFTER, 2 * BACK_WITHIN_S)
            followed_s = None if took_s is None else back_s + took_s
            await house.passes(max(30, back_s + 100 - house.now_s))
            records.append(Record(house, outage, lost_s, back_s, followed_s))

    live(life)
    return records[0]


def test_silence_is_answered_in_time(record: Record) -> None:
    """As configured: not before the last lease has run out, and soon after; then nothing more."""
    house, silent = record.house, SILENT[record.outage.on_silence]
    runs_out_s = max(
        by_cloud_s(lease.expires) for told_s, lease in house.cloud.all(Lease) if told_s < record.lost_s
    )
    written = record.written(record.lost_s, record.back_s)
    if silent is None:
        assert written == []
        return
    ((at_s, setpoint),) = written
    assert setpoint == silent
    assert runs_out_s - 0.1 <= at_s <= runs_out_s + GRACE_S + LOOK_S + 0.1


def test_nothing_stale_is_written(record: Record) -> None:
    """Whatever is written otherwise was leased by the cloud, and the lease was good then."""
    silent = SILENT[record.outage.on_silence]
    record.house.check_leased(0.0, *([] if silent is None else [silent]))


def test_the_cloud_is_followed_again_soon(record: Record) -> None:
    """Without a hand, and within a minute, whatever the chance in the waits."""
    assert record.followed_s is not None
    assert record.followed_s - record.back_s <= BACK_WITHIN_S


def test_the_cloud_takes_over_smoothly(record: Record) -> None:
    """It goes from what it finds to what the surplus asks for, by no full power, stop or other detour."""
    found = SILENT[record.outage.on_silence] or BEFORE
    known_w = [setpoint.power_w(VOLTAGE_V) for setpoint in (found, BEFORE, AFTER)]
    after = [setpoint for _, setpoint in record.written(record.back_s, float("inf"))]
    assert FULL not in after
    assert NO_CHARGE not in after
    assert all(min(known_w) <= setpoint.power_w(VOLTAGE_V) <= max(known_w) for setpoint in after)
    assert after[-1:] == [AFTER]
