"""What fuzzing has led to, and no file of the corpus can show."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from history.samples import NOON
from mqtt.far_ends import SITE, FakePeer, ManualClock, RecordingBus
from pvcharge.config import ConfigError, load
from pvcharge.history.store import Batch, Store
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    DeviceHealth,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)
from pvcharge.mqtt import flows, topics
from pvcharge.mqtt.payloads import encode_flow
from pvcharge.sim import trace
from pvcharge.sim.trace import Trace, TraceError

HALF = "half of a \ud83d character"
TOLD = "half of a \\ud83d character"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a new store."""
    opened = Store.open(tmp_path / "history.db")
    yield opened
    opened.close()


def test_texts_with_halves_of_characters_are_kept(store: Store) -> None:
    """A device's last words cost neither themselves nor what is written with them."""
    flow = PowerFlow(NOON, NOON, grid_w=1.0, source=HALF)
    status = ChargerStatus(NOON, ChargerState.ERROR, 0.0, fault=HALF)
    decision = Decision(NOON, Setpoint(0, 0), Reason.NO_CAR, Mode.SURPLUS, source=HALF)
    health = DeviceHealth(HALF, NOON, ok=False, since=NOON, error=HALF, facts={"said": HALF})
    store.write(Batch(NOON, [flow, status, decision, health]))
    kept = [event for _, event in store.events()]
    assert kept == [
        replace(flow, source=TOLD),
        replace(status, fault=TOLD),
        replace(decision, source=TOLD),
        replace(health, name=TOLD, error=TOLD),
    ]


async def test_made_up_sources_fill_no_memory() -> None:
    """Whoever took the broker over can name each reading's source as he likes."""
    bus, clock, taken = RecordingBus(), ManualClock(), list[PowerFlow]()

    async def take(flow: PowerFlow) -> None:
        taken.append(flow)

    listener = flows.FlowListener(bus, FakePeer(alive=True, skew_s=0.0), SITE, clock, take)
    at = clock.now()
    for number in range(3 * flows.MOST_SOURCES):
        flow = PowerFlow(at, at, grid_w=1.0, source=f"source {number}")
        await bus.deliver(SITE.path(topics.FLOW), encode_flow(flow))
    assert len(taken) == 3 * flows.MOST_SOURCES
    assert len(listener._newest) == flows.MOST_SOURCES  # noqa: SLF001 - nothing else shows it
    await bus.deliver(SITE.path(topics.FLOW), encode_flow(flow))
    assert len(taken) == 3 * flows.MOST_SOURCES  # the last one is still known


def test_a_packed_trace_of_blank_lines_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some kB of it could be billions of lines, none of which is a row."""
    monkeypatch.setattr(trace, "MAX_LINES", 1000)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"\n" * 10_000))
    with pytest.raises(TraceError, match="more than 1000 lines"):
        Trace.load(path)


def test_a_configuration_with_a_mark_before_it_is_read(tmp_path: Path) -> None:
    """Some editors write one; it would be no valid TOML."""
    path = tmp_path / "pvcharge.toml"
    path.write_bytes(b'\xef\xbb\xbfrole = "captain"\n')
    with pytest.raises(ConfigError, match="role: must be 'standalone', 'cloud' or 'edge'"):
        load(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a = " + "[" * 2000 + "]" * 2000, "too many brackets within brackets"),
        ("a = " + "1" * 5000, "a number has thousands of digits"),
    ],
)
def test_a_configuration_that_no_parser_can_read_is_told(tmp_path: Path, content: str, told: str) -> None:
    """In a line that names the file, not in a traceback."""
    path = tmp_path / "pvcharge.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=f"pvcharge.toml: {told}"):
        load(path)
