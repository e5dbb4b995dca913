"""A real VictoriaMetrics has in the end what the store holds, each point once, whatever happens to it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from history.influx_process import CHARGER, SITE
from history.influx_rig import Rig, writing
from history.samples import flow
from pvcharge.history.influx.points import SCHEMA, Lines
from pvcharge.history.rows import Event
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Distrust,
    EnergyTotals,
    Mode,
    PowerFlow,
    Reason,
    Session,
    Setpoint,
)
from support.victoria import Victoria, expected, running_victoria

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
ONE_OF_EACH: list[Event] = [
    PowerFlow(NOON, NOON, 4000.0, -3000.0, 500.0, 500.0, 80.5, "roof"),
    ChargerStatus(
        *(NOON, ChargerState.CHARGING, 6900.5, 3, 9.75, Setpoint(3, 10), 6, 16, 1500.0, 2_000_000.0)
    ),
    Decision(
        *(NOON, Setpoint(3, 10), Reason.FOLLOWING, Mode.SURPLUS, 7000.0, 1400.0, 1.5),
        source="roof",
        distrust=Distrust.SILENT,
    ),
    DeviceHealth("roof", NOON, ok=True, since=NOON),
    EnergyTotals(NOON, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0),
    Session(
        *(NOON - timedelta(hours=2), NOON, 9000.0, 6000.0, 1.5, 0.75, 5400.0, 2, 1),
        {reason.value: 8.0 for reason in Reason},
    ),
]


@pytest.fixture
async def victoria(tmp_path: Path) -> AsyncIterator[Victoria]:
    """Run a server."""
    async with running_victoria(tmp_path) as server:
        yield server


async def lines(rig: Rig) -> list[str]:
    """Return the lines of all that the store holds."""
    made = Lines(SITE, CHARGER)
    return await rig.archive.call(
        lambda store: [line for _, event in store.events() for line in made.of(event)]
    )


async def assert_complete(victoria: Victoria, rig: Rig) -> None:
    """Check that the server has what the store holds, and each value of a series and time once."""
    samples = await victoria.samples()
    assert len({(sample.name, sample.tags, sample.at_ms) for sample in samples}) == len(samples)
    assert set(samples) == expected(await lines(rig))


async def test_every_field_of_the_table_arrives(tmp_path: Path, victoria: Victoria) -> None:
    """Under the name of measurement and field; a text is a 0 there, therefore the codes."""
    async with writing(tmp_path, victoria.url, *ONE_OF_EACH) as rig:
        await rig.until_sent()
        await assert_complete(victoria, rig)
    names = {sample.name for sample in await victoria.samples()}
    assert names == {
        f"{measurement.name}_{field.name}" for measurement in SCHEMA for field in measurement.fields
    }


@pytest.mark.parametrize("name", ["roof, south=1", 'the "big" one', "Dach süd"])
async def test_odd_names_arrive_as_they_are(tmp_path: Path, victoria: Victoria, name: str) -> None:
    """The server undoes our escapes."""
    async with writing(tmp_path, victoria.url, PowerFlow(NOON, NOON, pv_w=1.0, source=name)) as rig:
        await rig.until_sent()
    assert {dict(sample.tags)["device"] for sample in await victoria.samples()} == {name}


async def test_two_changes_within_a_second_are_two_points(tmp_path: Path, victoria: Victoria) -> None:
    """The user's own command, and what followed of it."""
    before = Decision(NOON, Setpoint(3, 10), Reason.FOLLOWING, Mode.SURPLUS)
    after = replace(before, at=NOON + timedelta(milliseconds=1), setpoint=Setpoint(3, 16))
    async with writing(tmp_path, victoria.url, before, after) as rig:
        await rig.until_sent()
        await assert_complete(victoria, rig)
    assert len(await victoria.samples("control_setpoint_a")) == 2


@pytest.mark.fault("influxdb", "duplicate")
async def test_what_is_sent_twice_is_there_once(tmp_path: Path, victoria: Victoria) -> None:
    """What is sent twice, as after each crash of ours, is there once."""
    for number in range(3):
        async with writing(tmp_path, victoria.url, flow(number), settle_s=60.0) as rig:
            await rig.until_sent()
            await assert_complete(victoria, rig)


async def test_a_death_that_nobody_saw_costs_nothing(tmp_path: Path, victoria: Victoria) -> None:
    """The server is killed and back between two requests, and has forgotten what it acknowledged."""
    decision = Decision(NOON, Setpoint(3, 10), Reason.FOLLOWING, Mode.SURPLUS)
    async with writing(tmp_path, victoria.url, *map(flow, range(50)), decision, settle_s=60.0) as rig:
        await rig.until_sent()
        await victoria.kill()
        await victoria.start()
        assert all(health.ok for health in rig.told)
        await rig.put(flow(50))
        await rig.until_sent()
        assert all(health.ok for health in rig.told)
        await assert_complete(victoria, rig)


async def test_a_restart_in_good_order_costs_nothing(tmp_path: Path, victoria: Victoria) -> None:
    """What comes in meanwhile waits in the store."""
    async with writing(tmp_path, victoria.url, *map(flow, range(50)), settle_s=60.0) as rig:
        await rig.until_sent()
        await victoria.stop()
        await rig.put(*map(flow, range(50, 60)))
        await rig.until_told("no connection (Connection refused)")
        await victoria.start()
        await rig.until_sent()
        await assert_complete(victoria, rig)


@pytest.mark.fault("influxdb", "hang")
async def test_a_server_that_hangs_costs_nothing(tmp_path: Path, victoria: Victoria) -> None:
    """It may take a batch although nobody waits for its answer any more."""
    async with writing(tmp_path, victoria.url, *map(flow, range(50)), timeout_s=0.3, settle_s=60.0) as rig:
        await rig.until_sent()
        victoria.pause()
        await rig.put(*map(flow, range(50, 60)))
        await rig.until_told("no answer within 0.3 s")
        victoria.resume()
        await rig.until_sent()
        await assert_complete(victoria, rig)


async def test_the_cursor_follows_a_real_server(tmp_path: Path, victoria: Victoria) -> None:
    """It keeps our connection while requests come, so that things settle."""
    async with writing(tmp_path, victoria.url, settle_s=0.5) as rig:
        for number in range(20):
            await rig.put(flow(number))
            await asyncio.sleep(0.1)
        await rig.until_sent()
        assert await rig.cursor() > 0
        assert rig.health.facts["sent"] == 40
