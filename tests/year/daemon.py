"""The daemon in the house: started, stopped, killed and started again, over the real drivers."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pvcharge import config
from pvcharge.app import App, make_context
from pvcharge.clock import SystemClock
from pvcharge.drivers.solaredge import authorize_url, exchange
from pvcharge.tasks.charger_task import ChargerTask
from pvcharge.tasks.control_loop import ControlLoop
from pvcharge.tasks.feed import Event, Feed
from pvcharge.tasks.queues import Letter
from year.house import YearHouse

FOR_EVER_S = 1e7


class WatchedFeed(Feed):
    """A feed that tells who watches first.

    Args:
        watch: told of each event.
    """

    def __init__(self, watch: Callable[[Event], None]) -> None:
        super().__init__()
        self._watch = watch

    def publish(self, event: Event) -> None:
        """Tell, and hand it to every subscriber."""
        self._watch(event)
        super().publish(event)


class YearDaemon:
    """One daemon after the other, on one state directory.

    Args:
        house: its devices.
        state_dir: where it keeps what outlives it.
        watch: told of all that is published.
        control: keys of `[control]`.
        edge: keys of `[edge]`.
        history: whether it keeps one.

    Attributes:
        running: whether one runs.
        hung: whether its control loop hangs.
    """

    def __init__(
        self,
        house: YearHouse,
        state_dir: Path,
        watch: Callable[[Event], None],
        *,
        control: dict[str, Any],
        edge: dict[str, Any],
        history: bool,
    ) -> None:
        self.tables: dict[str, Any] = {
            "state_dir": str(state_dir),
            "site": {"latitude": 48.2, "longitude": 16.4, "timezone": "Europe/Vienna"},
            "control": control,
            "edge": edge,
            "history": {"enabled": history, "raw_days": 7},
        }
        self.hung = False
        self._house = house
        self._watch = watch
        self._killed = False
        self._app: App | None = None
        self._task: asyncio.Task[None] | None = None
        self._freed = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether it takes commands."""
        return self._app is not None and self._app.started.is_set()

    async def start(self) -> None:
        """Start it, and return when all its tasks run."""
        devices = {"inverter": self._house.inverters(), "charger": self._house.charger()}
        self._app = app = App(config.build({**self.tables, **devices}, Path("year")), SystemClock())
        app.feed = WatchedFeed(self._watch)
        self._task = asyncio.create_task(app.run(), name="daemon")
        await app.started.wait()

    async def log_in(self) -> None:
        """Do what `pvcharge login solaredge` does, by any browser, while it runs or not."""
        tables = {**self.tables, "inverter": self._house.inverters(), "charger": self._house.charger()}
        built = config.build(tables, Path("year"))
        settings = built.inverters[-1].settings
        async with aiohttp.ClientSession() as session, session.get(authorize_url(settings)) as response:
            _, _, rest = (await response.text()).partition("Code: ")
        await exchange(settings, make_context(built, SystemClock()), rest.partition("<")[0])

    async def stop(self, *, kill: bool = False) -> None:
        """Stop it, or kill it, so that it has no time for a last word to the box.

        Raises:
            Exception: whatever had ended it before.
        """
        task, self._task, self._app = self._task, None, None
        if task is None:
            return
        self._killed = kill
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        self._killed = False
        if isinstance(outcome, Exception):
            raise outcome

    def check(self) -> None:
        """Raise what has ended the daemon, if anything has."""
        if self._task is not None and self._task.done():
            self._task.result()
            raise RuntimeError("the daemon has ended by itself")

    def command(self, letter: Letter) -> None:
        """Put a command into the inbox, as the page and MQTT do; lost while none runs."""
        if self._app is not None:
            self._app.inbox.put_nowait(letter)

    def hang(self) -> None:
        """Let the control loop decide nothing any more, as a deadlock would."""
        self.hung = True
        self._freed.clear()

    def free(self) -> None:
        """Let it go on."""
        self.hung = False
        self._freed.set()

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """Within this context it can be killed and hung."""
        goodbye, pause_s, take_next = ChargerTask._say_goodbye, ControlLoop._pause_s, ControlLoop._take_next  # noqa: SLF001 - nothing else dies silently

        async def say_goodbye(task: ChargerTask) -> None:
            if not self._killed:
                await goodbye(task)

        def pause(loop: ControlLoop) -> float:
            return FOR_EVER_S if self.hung else pause_s(loop)

        async def take(loop: ControlLoop) -> None:
            if self.hung:
                await self._freed.wait()
            await take_next(loop)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ChargerTask, "_say_goodbye", say_goodbye)
            patch.setattr(ControlLoop, "_pause_s", pause)
            patch.setattr(ControlLoop, "_take_next", take)
            yield
