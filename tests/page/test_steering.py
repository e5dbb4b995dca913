"""Commands of the page: handed to a real controller, and answered when they are in force."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pvcharge.clock import SystemClock
from pvcharge.control import Controller, ControlSettings
from pvcharge.model import ChargerState, ChargerStatus, Decision, LimitsCommand, Mode, SettingsCommand
from pvcharge.page import steering
from pvcharge.page.steering import Commander, ControllerSteering
from pvcharge.page.stored import StoredLearned, StoredSettings
from pvcharge.tasks.charger_task import OnSilence
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.feed import Feed
from pvcharge.tasks.queues import Inbox, Latest
from pvcharge.tasks.settings_store import SettingsStore
from pvcharge.web.ports import ConflictError, NotInForceError, RefusedError


class Desk:
    """A control loop with the page's commander; what the page's state would know is `decided`."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.feed = Feed()
        self.inbox: Inbox = asyncio.Queue(10)
        self.configured = ControlSettings()
        self.controller = Controller(self.configured)
        self.loop = ControlLoop(
            self.controller, self.clock, self.inbox, Latest(None), [], self.feed, lease_s=60.0
        )
        self.commander = Commander(self.inbox.put, self.inbox.put)
        self.steering = ControllerSteering(self.commander, self.clock, self.configured.current_limits)
        self.store = SettingsStore(folder, self.clock, self.configured, OnSilence.STOP)
        self.settings = StoredSettings(self.store, self.commander)
        self.learned = StoredLearned(self.controller, self.commander)
        self.decided: Decision | None = None
        self.limits = self.configured.current_limits
        self.settings_in_force = self.configured

    async def follow(self) -> None:
        """Follow the feed as the page does: first whoever knows the state, then the commander."""
        async for event in self.feed.subscribe():
            if isinstance(event, Decision):
                self.decided = event
            if isinstance(event, LimitsCommand):
                self.limits = event
            if isinstance(event, SettingsCommand):
                self.settings_in_force = ControlSettings.model_validate_json(event.document)
            self.commander.take(event)

    @property
    def boost_until(self) -> datetime | None:
        """When the boost in force ends."""
        return None if self.decided is None else self.decided.boost_until

    @property
    def mode(self) -> Mode | None:
        """The mode in force, as the page knows it."""
        return None if self.decided is None else self.decided.mode


@asynccontextmanager
async def working(desk: Desk, *, deaf: bool = False) -> AsyncIterator[Desk]:
    """Run a desk, or just the part of it that follows, for as long as the context lasts."""
    await desk.store.restore()
    tasks = [asyncio.create_task(desk.follow())]
    if not deaf:
        tasks.append(asyncio.create_task(desk.loop.run()))
        await desk.inbox.put(ChargerStatus(desk.clock.now(), ChargerState.READY, 0.0))
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Return a desk that works."""
    async with working(Desk(tmp_path)) as desk:
        yield desk


async def test_modes_are_in_force_when_they_are_answered(desk: Desk) -> None:
    """One after the other, also the same again."""
    for mode in (Mode.OFF, Mode.OFF, Mode.MIN_SURPLUS, Mode.BOOST, Mode.SURPLUS):
        await desk.steering.mode(mode)
        assert desk.mode is mode


async def test_a_boost_and_its_end(desk: Desk) -> None:
    """For a time or without one; after it the mode before it is in force again."""
    await desk.steering.mode(Mode.MIN_SURPLUS)
    await desk.steering.boost(on=True, minutes=90)
    until = desk.boost_until
    assert until is not None
    assert until - desk.clock.now() > timedelta(minutes=89)
    await desk.steering.boost(on=True, minutes=None)
    assert desk.boost_until is None
    assert desk.mode is Mode.BOOST
    await desk.steering.boost(on=False, minutes=None)
    assert desk.decided is not None
    assert desk.decided.mode is Mode.MIN_SURPLUS


async def test_limits(desk: Desk) -> None:
    """One of them, both of them, and one that moves the other along."""
    await desk.steering.limits(8, None)
    assert desk.limits == LimitsCommand(8, 16)
    await desk.steering.limits(7, 10)
    assert desk.limits == LimitsCommand(7, 10)
    await desk.steering.limits(12, None)
    assert desk.limits == LimitsCommand(12, 12)


async def test_limits_beyond_the_configured_ones(desk: Desk) -> None:
    """They are refused by key, with what is allowed."""
    with pytest.raises(RefusedError) as refused:
        await desk.steering.limits(5, 17)
    allowed = "must be from 6 to 16, as [control] allows"
    assert refused.value.errors == {"min_current_a": allowed, "max_current_a": allowed}
    assert desk.inbox.empty()


async def test_commands_at_once(desk: Desk) -> None:
    """Each is answered, whatever the others want."""
    await asyncio.gather(
        desk.steering.mode(Mode.OFF),
        desk.steering.limits(8, None),
        desk.steering.mode(Mode.SURPLUS),
        desk.steering.limits(None, 10),
    )
    assert desk.limits == LimitsCommand(8, 10)


async def test_a_controller_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said after a while, and nothing is kept of it; nor where its inbox is full."""
    monkeypatch.setattr(steering, "PATIENCE_S", 0.05)
    async with working(Desk(tmp_path), deaf=True) as desk:
        before = asyncio.all_tasks()
        for _ in range(12):
            with pytest.raises(NotInForceError):
                await desk.steering.mode(Mode.OFF)
        assert asyncio.all_tasks() == before


async def test_settings_are_in_force_when_they_are_answered(desk: Desk) -> None:
    """Changed and taken back; the store keeps them, the controller has them."""
    changed = await desk.settings.change(0, {"control.min_on_s": 300})
    assert (changed.revision, changed.can_undo) == (1, True)
    assert desk.settings_in_force.min_on_s == 300
    [setting] = [it for it in changed.settings if it.key == "control.min_on_s"]
    assert (setting.value, setting.configured, setting.unit) == (300, 120, "s")
    with pytest.raises(ConflictError):
        await desk.settings.change(0, {"control.min_on_s": 200})
    with pytest.raises(RefusedError) as refused:
        await desk.settings.change(1, {"control.min_on_s": -1})
    assert list(refused.value.errors) == ["control.min_on_s"]
    await desk.settings.undo()
    assert desk.settings_in_force.min_on_s == 120
    with pytest.raises(ConflictError):
        await desk.settings.undo()


async def test_forgetting(desk: Desk) -> None:
    """When it is answered, nothing is known any more but what was switched."""
    await desk.learned.forget()
    learned = dict(await desk.learned.learned())
    learned.pop("lately", None)
    assert learned == Controller(desk.configured).learned()
