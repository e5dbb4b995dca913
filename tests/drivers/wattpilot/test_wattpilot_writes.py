"""What the driver writes over a real WebSocket, and how it makes sure that it was taken."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from pvcharge.drivers.base import TransientError
from pvcharge.drivers.wattpilot import WattpilotCharger, driver
from pvcharge.model import NO_CHARGE, Setpoint


async def test_apply_writes_what_differs(box: Any, charger: WattpilotCharger) -> None:
    """Only what differs is written, in order, and it is confirmed when apply returns."""
    await charger.apply(Setpoint(3, 10))
    await charger.apply(Setpoint(1, 6))
    assert (await charger.next_status()).setpoint == Setpoint(1, 6)
    await charger.apply(NO_CHARGE)
    await charger.apply(NO_CHARGE)
    status = await charger.next_status()
    assert (status.setpoint, status.changed_by_hand_at) == (NO_CHARGE, None)
    assert box.writes == ["amp=6", "psm=1", "frc=1"]


async def test_current_waits_for_the_phase_switch(box: Any, charger: WattpilotCharger, clock: Any) -> None:
    """From three phases to one with more current, a later call raises the current after the pause."""
    await charger.apply(Setpoint(1, 16))
    await charger.apply(Setpoint(1, 16))
    assert box.writes == ["psm=1"]
    clock.time += timedelta(seconds=30)
    await charger.apply(Setpoint(1, 16))
    assert box.writes == ["psm=1", "amp=16"]


async def test_overlapping_applies_take_turns(box: Any, charger: WattpilotCharger) -> None:
    """The second plans with what the first has brought about."""
    await asyncio.gather(charger.apply(NO_CHARGE), charger.apply(NO_CHARGE), charger.apply(Setpoint(3, 6)))
    assert box.writes == ["frc=1", "amp=6", "frc=0"]


@pytest.mark.fault("wattpilot", "reorder")
async def test_report_may_come_before_the_answer(box: Any, charger: WattpilotCharger) -> None:
    """Answers and reports come in any order."""

    def answer(request_id: int, key: str, value: Any) -> list[dict[str, Any]]:
        return [{"type": "deltaStatus", "status": {key: value}}, box.accepts(request_id, key, value)]

    box.on_write = answer
    await charger.apply(Setpoint(3, 6))
    assert (await charger.next_status()).setpoint == Setpoint(3, 6)
    assert box.status_requests == 0


async def test_box_that_reports_nothing_is_asked(
    box: Any, charger: WattpilotCharger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no change is reported after a write, the whole status tells whether it took."""
    monkeypatch.setattr(driver, "REPORT_S", 0.05)

    def answer(request_id: int, key: str, value: Any) -> list[dict[str, Any]]:
        box.properties[key] = value
        return [box.accepts(request_id, key, value)]

    box.on_write = answer
    await charger.apply(Setpoint(3, 6))
    status = await charger.next_status()
    assert (status.setpoint, status.changed_by_hand_at, box.status_requests) == (Setpoint(3, 6), None, 1)


async def test_refused_write(box: Any, charger: WattpilotCharger) -> None:
    """The box's words are passed on, the rest of the plan is dropped, and the link stays good."""
    box.on_write = lambda request_id, _key, _value: [
        {"type": "response", "requestId": str(request_id), "success": False, "message": "out of range\x07"}
    ]
    with pytest.raises(TransientError, match=r"refused amp=6: out of range\?"):
        await charger.apply(Setpoint(1, 6))
    assert box.writes == ["amp=6"]
    box.on_write = None
    await charger.apply(Setpoint(1, 6))
    assert (await charger.next_status()).setpoint == Setpoint(1, 6)


async def test_write_that_does_not_take(
    box: Any, charger: WattpilotCharger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A success that no report confirms is a failure, and never shown as the box's setting."""
    monkeypatch.setattr(driver, "REPORT_S", 0.05)
    box.on_write = lambda request_id, key, value: [box.accepts(request_id, key, value)]
    with pytest.raises(TransientError, match="accepted amp=6 but did not take it"):
        await charger.apply(Setpoint(3, 6))
    assert (await charger.next_status()).setpoint == Setpoint(3, 10)


async def test_unanswered_write_ends_the_link(
    box: Any, charger: WattpilotCharger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second request is sent beside an open one; the caller has to connect again."""
    monkeypatch.setattr(driver, "ANSWER_S", 0.05)
    box.on_write = lambda _request_id, _key, _value: []
    with pytest.raises(TransientError, match="no answer to amp=6"):
        await charger.apply(Setpoint(3, 6))
    with pytest.raises(TransientError, match="no answer to amp=6"):
        await charger.apply(Setpoint(3, 6))
    with pytest.raises(TransientError, match="no answer to amp=6"):
        await charger.next_status()
    assert box.writes == ["amp=6"]


async def test_abandoned_write_is_awaited_first(box: Any, charger: WattpilotCharger) -> None:
    """After a cancelled apply, the next one waits for the open answer before it writes."""
    box.on_write = lambda _request_id, _key, _value: []
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(charger.apply(Setpoint(3, 6)), 0.05)
    box.on_write = None
    second = asyncio.ensure_future(charger.apply(Setpoint(3, 16)))
    await box.report(wh=1500)
    await charger.next_status()
    assert box.writes == ["amp=6"]
    await box.say(*box.take(1, "amp", 6))
    await second
    assert box.writes == ["amp=6", "amp=16"]
    assert (await charger.next_status()).changed_by_hand_at is None


@pytest.mark.fault("wattpilot", "duplicate")
async def test_repeated_answers_change_nothing(box: Any, charger: WattpilotCharger) -> None:
    """A late copy of an old answer does not bring back its value."""
    await charger.apply(Setpoint(3, 6))
    await charger.apply(Setpoint(3, 8))
    await box.say({"type": "response", "requestId": "1", "success": True, "status": {"amp": 6}})
    await box.report(wh=1600)
    while (status := await charger.next_status()).session_wh != 1600:
        pass
    assert (status.setpoint, status.changed_by_hand_at) == (Setpoint(3, 8), None)
