"""The promises of the bridge for whatever may happen to both daemons and their network within an hour."""

from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pvcharge.model import Decision, Lease, Mode, Setpoint
from pvcharge.mqtt import topics
from pvcharge.mqtt.heartbeat import PERIOD_S, PERIODS
from pvcharge.tasks.charger_task import GRACE_S, LOOK_S, OnSilence
from split.faults import SILENT
from split.house import FULL, SKEWS_S, House, by_cloud_s, live
from support.fake_bus import SESSION_S

SLOWEST_S = 40.0  # a message
CLOCK_ERROR_S = (
    PERIODS * PERIOD_S / 2
)  # where one way of a heartbeat takes all the time it may, the other none
SETTLED_S = 180.0
NOTICED_S = 10  # by a process that stood still, what the time is

Happening = tuple[str, tuple[Any, ...]]


class Hour:
    """A house; the public methods are what may happen there."""

    def __init__(self, folder: Path, on_silence: OnSilence, skew_s: float) -> None:
        self.house = House(folder, skew_s=skew_s, on_silence=on_silence)
        self._on_silence = on_silence
        self._boosts: list[tuple[float, float]] = []  # from when to when at most, as commanded

    async def cut(self, side: str) -> None:
        """Lose a side's line to the broker."""
        getattr(self.house, side).cut()

    async def restore(self, side: str) -> None:
        """Have it again."""
        getattr(self.house, side).restore()

    async def kill(self, side: str) -> None:
        """Lose a side's process."""
        await getattr(self.house, side).kill()

    async def start(self, side: str) -> None:
        """Have it again."""
        getattr(self.house, side).start()

    async def stand_still(self, side: str, seconds: int) -> None:
        """Let a side's process do nothing for a while."""
        await getattr(self.house, side).stand_still(seconds)

    async def lose_broker(self) -> None:
        """Let the broker come back with nothing of what it knew."""
        self.house.broker.restart_without_state()
        await self.house.passes(5)
        self.house.edge.reconnect()
        self.house.cloud.reconnect()

    async def delay(self, seconds: int) -> None:
        """Let each message be on its way for so long."""
        self.house.broker.delay_s = float(seconds)

    async def sun(self, surplus_w: int) -> None:
        """Let there be more or less surplus."""
        self.house.shines(float(surplus_w))

    async def blind(self, answers: bool) -> None:  # noqa: FBT001 - what happened
        """Let the edge's own inverter be silent, or answer again."""
        self.house.local.answers = answers

    async def boost(self, payload: str, qos: int) -> None:
        """Let the user command a boost, or its end."""
        self.house.command(topics.BOOST_SET, payload, qos=qos)
        if payload != "OFF":
            minutes = inf if payload == "ON" else float(payload)
            heard_late_s = SESSION_S if qos else SLOWEST_S
            self._boosts.append((self.house.now_s, self.house.now_s + 60 * minutes + heard_late_s))

    async def mode(self, name: str, qos: int) -> None:
        """Let the user command a mode."""
        self.house.command(topics.MODE_SET, name, qos=qos)

    async def live_through(self, course: list[tuple[int, Happening]]) -> None:
        """Let all that happen, each after a pause; then let nothing happen, and check."""
        house = self.house
        async with house.running():
            for pause_s, (name, arguments) in course:
                await house.passes(pause_s)
                if pause_s >= NOTICED_S:
                    self._check_silence()
                await getattr(self, name)(*arguments)
            house.heal()
            await house.passes(SETTLED_S)
            assert await house.until(house.is_as_decided, 10) is not None
            decision = house.cloud.newest(Decision)
            assert house.told(topics.MODE) == decision.mode.value
            assert house.told(topics.BOOST) == ("ON" if decision.mode is Mode.BOOST else "OFF")
            assert not house.told(topics.EDGE_BOOST)
        for at_s, setpoint in house.writes():
            assert self._may_be_written(setpoint, at_s), f"{setpoint} at {at_s:.1f} s"

    def _check_silence(self) -> None:
        """Check that an edge which has done something by now does not go on when all leases have run out.

        One that leads by itself does go on, by its own leases.
        """
        house, silent, now_s = self.house, SILENT[self._on_silence], self.house.now_s
        leads = self._on_silence is OnSilence.LOCAL
        if leads or silent is None or not house.edge.runs or not house.writes(house.edge.started_s):
            return
        ends_s = [by_cloud_s(lease.expires) + CLOCK_ERROR_S for _, lease in house.cloud.all(Lease)]
        ends_s += [to_s for _, to_s in self._boosts]
        if now_s >= max(ends_s) + GRACE_S + LOOK_S:
            assert house.box.setpoint == silent

    def _may_be_written(self, setpoint: Setpoint, at_s: float) -> bool:
        if setpoint == SILENT[self._on_silence] or self.house.leased(setpoint, at_s, CLOCK_ERROR_S):
            return True
        if self.house.leased_at_edge(setpoint, at_s):
            return True
        return setpoint == FULL and any(from_s <= at_s <= to_s for from_s, to_s in self._boosts)


sides = st.sampled_from(["edge", "cloud"])
qualities = st.sampled_from([0, 1])
HAPPENINGS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    "cut": st.tuples(sides),
    "restore": st.tuples(sides),
    "kill": st.tuples(sides),
    "start": st.tuples(sides),
    "stand_still": st.tuples(sides, st.integers(1, 120)),
    "lose_broker": st.tuples(),
    "delay": st.tuples(st.integers(0, int(SLOWEST_S))),
    "blind": st.tuples(st.booleans()),
    "sun": st.tuples(st.integers(0, 13_000)),
    "boost": st.tuples(st.sampled_from(["ON", "OFF", "1", "5"]), qualities),
    "mode": st.tuples(st.sampled_from(list(Mode)).map(str), qualities),
}
happenings = st.one_of(*(st.tuples(st.just(name), HAPPENINGS[name]) for name in HAPPENINGS))


@settings(max_examples=6)
@given(
    st.lists(st.tuples(st.integers(0, 300), happenings), max_size=12),
    st.sampled_from(OnSilence),
    st.sampled_from(SKEWS_S),
)
def test_the_cloud_is_obeyed_and_nobody_else(
    course: list[tuple[int, Happening]], on_silence: OnSilence, skew_s: float
) -> None:
    """Nothing is written but what is leased then, what silence asks for, or a boost that was commanded.

    And three minutes after the last trouble the charger is what the cloud has decided, and everybody knows.
    """

    async def life() -> None:
        with TemporaryDirectory() as folder:
            await Hour(Path(folder), on_silence, skew_s).live_through(course)

    live(life)
