"""Whoever holds the broker can charge or not, and no more: the edge's own limits still hold."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvcharge.model import NO_CHARGE, Mode, Setpoint
from pvcharge.mqtt import topics
from pvcharge.tasks.charger_task import GRACE_S, OnSilence
from pvcharge.tasks.wear import WearLimits
from security.intruder import HOUR_S, Intruder, most_in_an_hour, starts, switches
from split.house import FULL, SITE, House, live

SLACK_S = 3.0  # for the edge to look, and the box to take it
NARROW: dict[str, Any] = {"min_current_a": 8, "max_current_a": 10, "phases": [1, 3]}
MOST = WearLimits.beyond(6, 6)


@asynccontextmanager
async def taken_over(folder: Path, on_silence: OnSilence) -> AsyncIterator[tuple[House, Intruder]]:
    """Run a house in which the cloud that the edge hears is not the real one."""
    house = House(folder, on_silence=on_silence, at_edge=NARROW)
    async with house.running(cloud=False):
        intruder = Intruder(house)
        beating = asyncio.create_task(intruder.keep_alive())
        try:
            await house.passes(12)
            yield house, intruder
        finally:
            beating.cancel()


def check_limits(house: House) -> None:
    """Check all that was ever written to the box against the edge's own configuration."""
    for _, setpoint in house.box.writes:
        assert setpoint == NO_CHARGE or 8 <= setpoint.current_a <= 10, setpoint
    writes = [(0.0, NO_CHARGE), *house.box.writes]
    assert most_in_an_hour(starts(writes)) <= MOST.starts
    assert most_in_an_hour(switches(writes)) <= MOST.phase_switches


setpoints = st.one_of(
    st.just(NO_CHARGE), st.builds(Setpoint, st.sampled_from([1, 3]), st.sampled_from([1, 6, 8, 10, 16, 1000]))
)
Deed = Callable[[House, Intruder], None]
deeds: st.SearchStrategy[Deed] = st.one_of(
    st.builds(
        lambda setpoint, lease_s, ahead_s, retain: (
            lambda _, intruder: intruder.lease(setpoint, lease_s, ahead_s=ahead_s, retain=retain)
        ),
        setpoints,
        st.sampled_from([1.0, 60.0, 3600.0]),
        st.sampled_from([0.0, 0.0, 86_400.0 * 3000]),
        st.booleans(),
    ),
    st.sampled_from(["ON", "OFF", "1440"]).map(
        lambda word: lambda house, _: house.command(topics.BOOST_SET, word)
    ),
    st.sampled_from(["offline", "online", "{"]).map(
        lambda word: lambda house, _: house.broker.publish(SITE.path(topics.CLOUD_STATUS), word, retain=True)
    ),
    st.sampled_from(Mode).map(lambda mode: lambda _, intruder: intruder.order(mode)),
    st.just(lambda _, intruder: intruder.repeat_everything()),
)
course = st.lists(st.tuples(deeds, st.sampled_from([0.0, 1.0, 7.0, 90.0])), min_size=5, max_size=40)


@settings(max_examples=10)
@given(course, st.sampled_from(OnSilence), st.booleans())
def test_nothing_that_is_said_passes_the_edges_own_limits(
    said: list[tuple[Deed, float]],
    on_silence: OnSilence,
    sunny: bool,  # noqa: FBT001 - a case
) -> None:
    """Setpoints, boosts, orders, forged statuses and numbers, retained, replayed, in any order."""

    async def life() -> None:
        with TemporaryDirectory() as folder:
            async with taken_over(Path(folder), on_silence) as (house, intruder):
                house.shines(9000.0 if sunny else -500.0)
                for deed, pause_s in said:
                    deed(house, intruder)
                    await house.passes(pause_s)
                await house.passes(120)
                check_limits(house)

    live(life)


@pytest.mark.looptime(noop_cycles=1)
@pytest.mark.parametrize("phases", [(0, 1), (1, 3), (3, 0)])
async def test_a_flood_of_setpoints_wears_nothing_out(tmp_path: Path, phases: tuple[int, int]) -> None:
    """Starts and phase switches are few in an hour, however often the setpoint changes; stops go through."""
    async with taken_over(tmp_path, OnSilence.STOP) as (house, intruder):
        for number in range(250):
            wanted = phases[number % 2]
            intruder.lease(Setpoint(wanted, 8) if wanted else NO_CHARGE)
            await house.passes(7)
        check_limits(house)
        writes = [(0.0, NO_CHARGE), *house.box.writes]
        # Without a limit there would be hundreds.
        assert most_in_an_hour(starts(writes)) == (MOST.starts if 0 in phases else 1)
        assert most_in_an_hour(switches(writes)) == (0 if 0 in phases else MOST.phase_switches)
        intruder.lease(NO_CHARGE)
        await house.passes(2)
        assert house.is_set_to(NO_CHARGE)


@pytest.mark.looptime(noop_cycles=1)
async def test_orders_cannot_loosen_how_often_the_edge_switches(tmp_path: Path) -> None:
    """Of times and numbers the stricter ones hold, when the edge leads by itself under forged orders."""
    async with taken_over(tmp_path, OnSilence.LOCAL) as (house, intruder):
        intruder.lease(NO_CHARGE, 1.0)
        intruder.order(Mode.SURPLUS)
        for _ in range(9):
            house.shines(9000.0)
            await house.passes(90)
            house.shines(-3000.0)
            await house.passes(210)
        check_limits(house)
        writes = [(0.0, NO_CHARGE), *house.box.writes]
        assert 1 < most_in_an_hour(starts(writes)) <= 6
        began = starts(writes)
        stopped = [at_s for at_s, setpoint in writes[1:] if not setpoint.charges]
        for at_s in stopped:
            since_s = max((it for it in began if it <= at_s), default=0.0)
            assert at_s - since_s >= 120.0 - SLACK_S


@pytest.mark.looptime(noop_cycles=1)
@pytest.mark.parametrize(
    ("on_silence", "left_at"),
    [(OnSilence.STOP, NO_CHARGE), (OnSilence.MINIMUM, Setpoint(1, 8)), (OnSilence.BOOST, Setpoint(3, 10))],
)
async def test_when_they_fall_silent_the_edge_does_as_it_is_set(
    tmp_path: Path, on_silence: OnSilence, left_at: Setpoint
) -> None:
    """The lease runs out there, whether the heartbeat goes on or not."""
    async with taken_over(tmp_path, on_silence) as (house, intruder):
        intruder.lease(Setpoint(3, 9), 60.0)
        await house.passes(30)
        assert house.is_set_to(Setpoint(3, 9))
        await house.passes(30 + GRACE_S + SLACK_S)
        assert house.is_set_to(left_at)


@pytest.mark.looptime(noop_cycles=1)
async def test_a_huge_number_does_not_shut_the_cloud_out_for_good(tmp_path: Path) -> None:
    """What is numbered far ahead counts for as long as it was leased."""
    house = House(tmp_path)
    async with house.running(cloud=False):
        intruder = Intruder(house)
        beating = asyncio.create_task(intruder.keep_alive())
        await house.passes(12)
        intruder.lease(FULL, 60.0, ahead_s=86_400.0 * 3000)
        await house.passes(2)
        assert house.is_set_to(FULL)
        beating.cancel()
        house.shines(6900.0)
        house.cloud.start()
        took_s = await house.until(lambda: house.is_set_to(Setpoint(3, 10)), HOUR_S)
        assert took_s is not None
        assert took_s < 300


@pytest.mark.looptime(noop_cycles=1)
async def test_a_heartbeat_alone_does_not_keep_a_car_charging(tmp_path: Path) -> None:
    """Nor does it keep the edge from leading by itself, if it can."""
    async with taken_over(tmp_path, OnSilence.LOCAL) as (house, intruder):
        intruder.lease(Setpoint(3, 10), 60.0)
        await house.passes(70)
        house.shines(-500.0)
        assert await house.until(lambda: house.is_set_to(NO_CHARGE), 400) is not None
        await house.passes(600)
        assert house.is_set_to(NO_CHARGE)
