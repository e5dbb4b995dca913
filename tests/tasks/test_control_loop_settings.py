"""Settings and forgetting reach the controller in their turn, and the feed as the controller saw them."""

import asyncio

import pytest
from structlog.testing import capture_logs

from pvcharge.control import Controller, ControlSettings
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    ForgetCommand,
    Lease,
    Mode,
    ModeCommand,
    SettingsCommand,
)
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.queues import Inbox, Latest, Letter
from tasks.fakes import START, RecordingFeed, VirtualClock, flow, running

pytestmark = pytest.mark.looptime

CHANGED = ControlSettings(min_on_s=7, import_price=0.4)
COMMAND = SettingsCommand(CHANGED.model_dump_json())


class Listening(Controller):
    """A controller that remembers what it was told.

    Attributes:
        told: in order.
    """

    def __init__(self) -> None:
        super().__init__(ControlSettings())
        self.told: list[object] = []

    def observe(self, seen: object) -> None:
        """Remember."""
        self.told.append(seen)

    def set_mode(self, mode: Mode, until: object = None) -> None:
        """Remember."""
        del until
        self.told.append(mode)

    def configure(self, settings: ControlSettings) -> None:
        """Remember, and obey."""
        self.told.append(settings)
        super().configure(settings)

    def forget(self) -> None:
        """Remember, and obey."""
        self.told.append("forget")
        super().forget()


async def told(feed: RecordingFeed, clock: VirtualClock, *letters: Letter) -> list[object]:
    """Have these come in at once, and return what the controller was told."""
    controller, inbox = Listening(), Inbox(100)
    leases: Latest[Lease | None] = Latest(None)
    loop = ControlLoop(controller, clock, inbox, leases, [], feed, lease_s=60.0)
    for letter in letters:
        inbox.put_nowait(letter)
    async with running(loop.run()):
        await asyncio.sleep(0.1)
    return controller.told


async def test_all_is_told_and_published_in_its_turn(feed: RecordingFeed, clock: VirtualClock) -> None:
    """So that whoever keeps the feed can replay it."""
    status = ChargerStatus(START, ChargerState.READY, 0.0)
    letters: list[Letter] = [status, COMMAND, flow(START), ForgetCommand(), ModeCommand(Mode.OFF), COMMAND]
    assert await told(feed, clock, *letters) == [
        status,
        CHANGED,
        letters[2],
        "forget",
        Mode.OFF,
        CHANGED,
    ]
    assert [event for event in feed.events if not isinstance(event, Decision | Lease)] == letters


@pytest.mark.parametrize("document", ["", "no JSON", "[]", '{"import_price": 99}', '{"future": 1}'])
async def test_settings_that_make_no_sense_change_nothing(
    feed: RecordingFeed, clock: VirtualClock, document: str
) -> None:
    """Neither here nor in a replay; the loop goes on."""
    with capture_logs() as logs:
        seen = await told(feed, clock, SettingsCommand(document), ModeCommand(Mode.OFF))
    assert seen == [Mode.OFF]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["settings not taken"]
    assert not [event for event in feed.events if isinstance(event, SettingsCommand)]
