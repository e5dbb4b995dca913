"""A daemon begins with what the user has changed and what was learned, and writes both into its record."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pvcharge.control import Controller, ControlSettings
from pvcharge.demo import Demo, DemoOptions
from pvcharge.history.reading import Reader, Run
from pvcharge.model import Decision, ForgetCommand, SettingsCommand
from pvcharge.replay import replay
from pvcharge.sim.trace import Trace

DAY = datetime(2026, 6, 15, tzinfo=UTC)
CHANGED = ControlSettings(min_on_s=7.0, import_price=0.4)
PATIENCE_S = 30.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)


async def run_daemon(state_dir: Path, *commands: SettingsCommand | ForgetCommand) -> None:
    """Run a daemon until it has decided for a while, and has been commanded something in the midst of it."""
    pv_w = [5000.0 if minute >= 540 else 0.0 for minute in range(1440)]
    trace = Trace(DAY, timedelta(minutes=1), pv_w, [500.0] * 1440)
    demo = Demo(DemoOptions(300.0, trace, api="v1"), state_dir)
    async with demo.running() as app:
        await until(lambda: demo.summary().charged_kwh >= 0.1)
        for command in commands:
            await app.inbox.put(command)
        await until(lambda: demo.summary().charged_kwh >= 0.3)


def runs(state_dir: Path) -> list[Run]:
    """Return the starts that are recorded, of which all is decided again as it was."""
    reader = Reader.open(state_dir / "history.db")
    found = reader.runs()
    whole = (
        datetime.min.replace(tzinfo=UTC) + timedelta(days=9),
        datetime.max.replace(tzinfo=UTC) - timedelta(days=9),
    )
    pairs = list(replay(reader, *whole))
    assert pairs
    assert all(pair.same for pair in pairs)
    assert isinstance(pairs[0].recorded, Decision)
    reader.close()
    return found


async def test_the_past_can_be_replayed_over_changes_and_restarts(tmp_path: Path) -> None:
    """What was in force and known at each start is written down, and what changed meanwhile."""
    settings = {"control.min_on_s": 7.0, "control.import_price": 0.4, "edge.on_silence": "keep"}
    (tmp_path / "settings.json").write_text(
        json.dumps({"v": 1, "revision": 3, "changes": settings}), encoding="utf-8"
    )
    await run_daemon(tmp_path, SettingsCommand(ControlSettings().model_dump_json()), ForgetCommand())
    kept = json.loads((tmp_path / "learned.json").read_text(encoding="utf-8"))["learned"]
    Controller(ControlSettings()).recall(kept)
    await run_daemon(tmp_path)
    first, second = runs(tmp_path)
    assert ControlSettings.model_validate_json(first.settings) == CHANGED
    assert first.learned is None
    assert second.learned is not None
    assert json.loads(second.learned) == kept
