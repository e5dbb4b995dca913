"""The cloud's orders on the edge's disk: the last ones are obeyed, also after a restart."""

import re
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pvcharge.control import ControlSettings, Objective
from pvcharge.model import Mode
from pvcharge.storage import read_json
from pvcharge.tasks import kept_file, orders_store
from pvcharge.tasks.orders_store import FILE, Orders, OrdersStore
from tasks.fakes import START, VirtualClock

pytestmark = pytest.mark.looptime


def values(age_s: float = 1.0, skew_s: float = 0.0, **changes: Any) -> dict[str, object]:
    """Return orders that are so old, from a cloud whose clock is so far ahead."""
    at = START - timedelta(seconds=age_s)
    good: dict[str, object] = {
        "at": at,
        "told_at": at + timedelta(seconds=skew_s),
        "control": ControlSettings(objective=Objective.NO_IMPORT).model_dump(mode="json"),
        "mode": Mode.SURPLUS,
        "until": None,
        "mode_after": Mode.SURPLUS,
        "min_current_a": 6,
        "max_current_a": 16,
    }
    return good | changes


class Edge:
    """A store with the test in the place of the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.obeyed: list[Orders] = []
        self.file = folder / FILE
        self.store = OrdersStore(folder, self.clock, self.obeyed.append)


@pytest.fixture
async def edge(tmp_path: Path) -> Edge:
    """Return a store that knows nothing yet."""
    return Edge(tmp_path)


async def restarted(folder: Path) -> list[Orders]:
    """Return what an edge obeys right after a restart."""
    edge = Edge(folder)
    await edge.store.restore()
    return edge.obeyed


async def test_a_first_start_has_no_orders(tmp_path: Path) -> None:
    """The edge's own table counts."""
    assert await restarted(tmp_path) == []


async def test_orders_are_obeyed_and_kept(edge: Edge, tmp_path: Path) -> None:
    """All of them."""
    until = START + timedelta(hours=1)
    await edge.store.take(values(mode=Mode.BOOST, until=until, mode_after=Mode.OFF, max_current_a=10))
    (orders,) = edge.obeyed
    assert (orders.mode, orders.until, orders.mode_after) == (Mode.BOOST, until, Mode.OFF)
    assert orders.control.objective is Objective.NO_IMPORT
    assert orders.limits.max_current_a == 10
    assert await restarted(tmp_path) == [orders]


async def test_of_two_messages_of_a_moment_the_first_holds(edge: Edge) -> None:
    """Only what is newer is obeyed; nobody knows which of the two was meant to be the last."""
    await edge.store.take(values(mode=Mode.OFF, mode_after=Mode.OFF))
    await edge.store.take(values(skew_s=0.5))
    assert [orders.mode for orders in edge.obeyed] == [Mode.OFF]


@pytest.mark.parametrize("age_s", [10.0, 1.0])
async def test_older_orders_do_not_undo_newer_ones(edge: Edge, tmp_path: Path, age_s: float) -> None:
    """A broker that comes back may have kept an older message; also after a restart."""
    await edge.store.take(values(age_s=age_s, mode=Mode.OFF, mode_after=Mode.OFF))
    await edge.store.take(values(age_s=20))
    assert [orders.mode for orders in edge.obeyed] == [Mode.OFF]
    later = Edge(tmp_path)
    await later.store.restore()
    await later.store.take(values(age_s=20))
    assert [orders.mode for orders in later.obeyed] == [Mode.OFF]


@pytest.mark.parametrize("skew_s", [-600.0, 600.0])
async def test_the_same_message_is_obeyed_once(edge: Edge, skew_s: float) -> None:
    """Though its time is converted by a skew that was measured anew, or not at all."""
    await edge.store.take(values(skew_s=skew_s))
    await edge.store.take(values(age_s=0.9, skew_s=skew_s - 0.1))
    await edge.store.take(values(age_s=1.0 - skew_s, skew_s=0.0))
    assert len(edge.obeyed) == 1


async def test_a_clock_that_was_ahead_does_not_make_the_edge_deaf(edge: Edge) -> None:
    """What was kept then lies in the future."""
    await edge.store.take(values(age_s=-3600.0, mode=Mode.OFF, mode_after=Mode.OFF))
    await edge.store.take(values(age_s=1.0))
    assert [orders.mode for orders in edge.obeyed] == [Mode.OFF, Mode.SURPLUS]


@pytest.mark.parametrize(("more_s", "obeyed"), [(0.0, 1), (0.001, 2)])
async def test_orders_may_seem_to_come_from_the_near_future(edge: Edge, more_s: float, obeyed: int) -> None:
    """Clocks are not known better; only what is further ahead was told by a wrong one, and counts as old."""
    ahead_s = orders_store.AHEAD.total_seconds() + more_s
    await edge.store.take(values(age_s=-ahead_s, mode=Mode.OFF, mode_after=Mode.OFF))
    assert edge.clock.now() == START
    await edge.store.take(values())
    assert len(edge.obeyed) == obeyed


async def test_what_means_the_same_is_not_written_again(edge: Edge) -> None:
    """A disk may be a card that wears out; but it is newer."""
    await edge.store.take(values(age_s=30))
    edge.file.unlink()
    await edge.store.take(values(age_s=20))
    assert not edge.file.exists()
    await edge.store.take(values(age_s=25, mode=Mode.OFF, mode_after=Mode.OFF))
    assert len(edge.obeyed) == 2
    await edge.store.take(values(age_s=10, min_current_a=8))
    assert edge.file.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"control": {"min_current_a": 3}}, "'control.min_current_a': Input should be greater than"),
        ({"control": {"colour": 1}}, "'control.colour': Extra inputs are not permitted"),
        ({"control": {"min_current_a": 20}}, "'control': min_current_a 20 is above max_current_a 16"),
        ({"mode_after": Mode.BOOST}, "mode_after: no boost follows a boost"),
    ],
)
async def test_bad_orders_change_nothing(edge: Edge, changes: dict[str, Any], said: str) -> None:
    """The sender is told what is wrong with them."""
    await edge.store.take(values(age_s=10))
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        await edge.store.take(values(**changes))
    assert len(edge.obeyed) == 1


@pytest.mark.parametrize("content", ["{", "[]", '{"v": 1}', '{"v": 2, "mode": "off"}'])
async def test_a_damaged_file_is_set_aside(
    tmp_path: Path, content: str, logs: list[MutableMapping[str, Any]]
) -> None:
    """With a line in the log; it counts as absent."""
    (tmp_path / FILE).write_text(content)
    assert await restarted(tmp_path) == []
    assert not (tmp_path / FILE).exists()
    assert (tmp_path / f"{FILE}.corrupt").read_text() == content
    assert "aside" in logs[0]["event"]


async def test_a_full_disk_is_said_once(
    edge: Edge, logs: list[MutableMapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders are obeyed all the same."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(kept_file, "write_json", fail)
        for age_s in (30, 20):
            await edge.store.take(values(age_s=age_s, min_current_a=age_s // 3))
    await edge.store.take(values(age_s=10))
    assert len(edge.obeyed) == 3
    assert [line["event"] for line in logs] == ["orders would not survive a restart"]
    assert read_json(edge.file) is not None


async def test_a_file_that_cannot_be_read_is_said(
    tmp_path: Path, logs: list[MutableMapping[str, Any]]
) -> None:
    """And counts as absent."""
    (tmp_path / FILE).mkdir()
    assert await restarted(tmp_path) == []
    assert [line["event"] for line in logs] == ["orders not restored"]


@pytest.mark.parametrize(
    ("own", "ordered", "expected"),
    [
        ({}, {}, ((1, 3), 6, 16)),
        ({"phases": (3,)}, {}, ((3,), 6, 16)),
        ({}, {"phases": (1,)}, ((1,), 6, 16)),
        ({"phases": (1,)}, {"phases": (3,)}, ((1,), 6, 16)),
        ({"max_current_a": 10}, {"max_current_a": 32}, ((1, 3), 6, 10)),
        ({"min_current_a": 8}, {"max_current_a": 10}, ((1, 3), 8, 10)),
        ({"min_current_a": 10}, {"max_current_a": 10}, ((1, 3), 10, 10)),
        ({"min_current_a": 12}, {"max_current_a": 10}, ((1, 3), 12, 16)),
    ],
)
def test_the_house_allows_no_more_than_it_does(
    own: dict[str, Any], ordered: dict[str, Any], expected: tuple[tuple[int, ...], int, int]
) -> None:
    """What both allow; if that is nothing, what the house does. All else is the cloud's."""
    control = ControlSettings(**ordered, start_cost_wh=99)
    told = Orders.model_validate(values(control=control.model_dump(mode="json")))
    settings = told.settings(ControlSettings(**own))
    assert (settings.phases, settings.min_current_a, settings.max_current_a) == expected
    assert settings.start_cost_wh == 99


def test_ends_of_a_boost_are_compared_as_clocks_allow() -> None:
    """Two conversions differ by as much as the skew is known."""
    at = datetime(2026, 6, 15, tzinfo=UTC)
    assert orders_store.same_time(at, at + orders_store.AHEAD)
    assert not orders_store.same_time(at, at + timedelta(seconds=3))
    assert not orders_store.same_time(at, None)
    assert orders_store.same_time(None, None)


@pytest.mark.parametrize(
    ("key", "gentle", "harsh"),
    [
        ("min_on_s", 900.0, 60.0),
        ("min_off_s", 900.0, 60.0),
        ("max_starts_per_hour", 2, 6),
        ("max_phase_switches_per_hour", 1, 4),
    ],
)
def test_of_limits_on_wear_the_stricter_holds(key: str, gentle: float, harsh: float) -> None:
    """Whoever gives it: the house, or who orders."""
    for own, ordered in ((gentle, harsh), (harsh, gentle)):
        control = ControlSettings.model_validate({key: ordered})
        told = Orders.model_validate(values(control=control.model_dump(mode="json")))
        assert getattr(told.settings(ControlSettings.model_validate({key: own})), key) == gentle
