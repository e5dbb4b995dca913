"""The driver's connection over a real WebSocket, against a box that does exactly what the test says."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pvcharge.drivers.base import CHARGERS, AuthError, Charger, PermanentError, TransientError, find
from pvcharge.drivers.wattpilot import DRIVER, WattpilotCharger, WattpilotSettings, driver
from pvcharge.drivers.wattpilot.link import Link
from pvcharge.model import NO_CHARGE, ChargerState, Setpoint

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse"


def test_driver_is_registered() -> None:
    """The configuration finds it by name, and its settings refuse unknown keys."""
    assert find(CHARGERS, "wattpilot") is DRIVER
    with pytest.raises(ValueError, match="hots"):
        DRIVER.settings.model_validate({"driver": "wattpilot", "host": "h", "password": "p", "hots": 1})


def test_address_may_be_ipv6() -> None:
    """An IPv6 address is put in brackets, and no text shows the password."""
    settings = WattpilotSettings.model_validate({"host": "fe80::1", "password": PASSWORD})
    assert settings.url == "ws://[fe80::1]:80/ws"
    assert PASSWORD not in repr(settings)


@pytest.mark.parametrize(
    ("device_type", "algorithm"), [("wattpilot", None), ("wattpilot_V2", "pbkdf2"), ("wattpilot_flex", None)]
)
async def test_open_knows_a_whole_status(
    box: Any,
    make_charger: Callable[..., WattpilotCharger],
    device_type: str,
    algorithm: str | None,
) -> None:
    """After the login every generation of box has given one complete status."""
    box.hello["devicetype"] = device_type
    box.demand["hash"] = algorithm
    charger: Charger = make_charger()
    await charger.open()
    status = await charger.next_status()
    assert (status.at, status.state, status.setpoint) == (START, ChargerState.CHARGING, Setpoint(3, 10))
    assert status.total_wh == 987654
    assert charger.health() == {
        "serial": "12345678",
        "firmware": "36.3",
        "reboots": 7,
        "ignored_frames": 0,
        "box_reason": "charges: default",
    }


async def test_wrong_password(make_charger: Callable[..., WattpilotCharger]) -> None:
    """The error says what to set, and does not show what was tried."""
    charger = make_charger(password="guess-42")
    with pytest.raises(AuthError, match=r"set \[charger\] password") as failure:
        await charger.open()
    assert "guess-42" not in str(failure.value)


async def test_unusable_serial_number(box: Any, make_charger: Callable[..., WattpilotCharger]) -> None:
    """A Flex whose serial number is none cannot be logged in to, now or later."""
    box.hello |= {"serial": "ABC", "devicetype": "wattpilot_flex"}
    with pytest.raises(PermanentError, match="decimal digits"):
        await make_charger().open()


async def test_nobody_listens(make_charger: Callable[..., WattpilotCharger]) -> None:
    """A refused connection is worth another try."""
    with pytest.raises(TransientError, match=r"127.0.0.1:1: no connection .* address right"):
        await make_charger(port=1).open()


async def test_box_that_never_greets(
    box: Any, make_charger: Callable[..., WattpilotCharger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login has its own time limit, and nothing stays open after it."""
    monkeypatch.setattr(driver, "HANDSHAKE_S", 0.1)
    box.greets = False
    charger = make_charger()
    assert charger.health() == {"ignored_frames": 0}
    with pytest.raises(TransientError, match="not ready within"):
        await charger.open()
    with pytest.raises(TransientError, match="not connected"):
        await charger.next_status()


async def test_box_that_hangs_up_during_login(
    box: Any, make_charger: Callable[..., WattpilotCharger]
) -> None:
    """A connection that breaks during the login is worth another try."""
    box.greets = False
    opening = asyncio.ensure_future(make_charger().open())
    await box.connected.wait()
    await box.hang_up()
    with pytest.raises(TransientError, match="closed the connection"):
        await opening


async def test_latest_status_wins(box: Any, charger: WattpilotCharger, clock: Any) -> None:
    """Of several changes only the newest state is handed out, stamped when it came; then it waits again."""
    clock.time += timedelta(seconds=5)
    waiting = asyncio.ensure_future(charger.next_status())
    await box.report(wh=1300)
    assert (await waiting).at == START + timedelta(seconds=5)
    await box.report(amp=6)
    await box.report(car=3, amp=16)
    while (status := await charger.next_status()).state is not ChargerState.READY:
        assert status.setpoint == Setpoint(3, 6)
    assert status.setpoint == Setpoint(3, 16)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(charger.next_status(), 0.02)


async def test_garbage_is_counted_and_survived(box: Any, charger: WattpilotCharger) -> None:
    """Frames that make no sense are no news."""
    await box.say("nonsense", "[]", {"type": "surprise"})
    await box.report(wh=1400)
    assert (await charger.next_status()).session_wh == 1400
    assert charger.health()["ignored_frames"] == 3


@pytest.mark.fault("wattpilot", "huge answer")
async def test_a_box_that_talks_without_end(box: Any, charger: WattpilotCharger) -> None:
    """Thousands of messages at once are read one by one, and everybody else has a turn after each."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    ticker = asyncio.create_task(others())
    await box.say(*({"type": "deltaStatus", "status": {"wh": n}} for n in range(2000)))
    before = turns
    while (await charger.next_status()).session_wh != 1999:
        pass
    ticker.cancel()
    assert turns - before > 1900


async def test_dropped_link(box: Any, charger: WattpilotCharger) -> None:
    """Whoever waits hears of it, and whoever asks later, too."""
    waiting = asyncio.ensure_future(charger.next_status())
    await asyncio.sleep(0)
    await box.hang_up()
    with pytest.raises(TransientError, match="closed the connection"):
        await waiting
    with pytest.raises(TransientError, match="closed the connection"):
        await charger.apply(NO_CHARGE)


async def test_sending_on_a_dropped_link(box: Any) -> None:
    """Who sends before the reader has noticed gets the same kind of error."""
    box.greets = False
    link = await Link.dial(f"ws://127.0.0.1:{box.port}/ws", "box")
    await box.connected.wait()
    await box.hang_up()
    with pytest.raises(TransientError, match="box: the box closed the connection"):
        await link.send("hello?")
    await link.close()


async def test_silent_link(make_charger: Callable[..., WattpilotCharger]) -> None:
    """A box that says nothing for too long counts as gone, though its socket is open."""
    charger = make_charger(silence_s=0.05)
    await charger.open()
    await charger.next_status()
    with pytest.raises(TransientError, match=r"silent for 0\.05 s"):
        await charger.next_status()


async def test_close_and_open_again(box: Any, charger: WattpilotCharger) -> None:
    """Closing says goodbye, may be repeated, wakes who waits, and the next login works."""
    waiting = asyncio.ensure_future(charger.next_status())
    await asyncio.sleep(0)
    await charger.aclose()
    await charger.aclose()
    with pytest.raises(TransientError, match="not connected"):
        await waiting
    with pytest.raises(TransientError, match="not connected"):
        await charger.apply(NO_CHARGE)
    await charger.open()
    assert (await charger.next_status()).setpoint == Setpoint(3, 10)
    assert (box.logins, box.closed_codes) == (2, [1000])


async def test_key_is_derived_once(charger: WattpilotCharger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new connection takes the key of the last one."""
    monkeypatch.setattr(driver, "derive_key", None)
    await charger.open()
    assert (await charger.next_status()).state is ChargerState.CHARGING


async def test_only_one_connection(box: Any, charger: WattpilotCharger) -> None:
    """Opening an open charger closes the old connection first."""
    await charger.open()
    assert (box.logins, box.closed_codes) == (2, [1000])


async def test_change_by_hand_is_noticed(box: Any, charger: WattpilotCharger, clock: Any) -> None:
    """What the maker's app changes is stamped, and the stamp stays when we write again."""
    clock.time += timedelta(seconds=7)
    await box.report(amp=16)
    by_hand = clock.time
    assert (await charger.next_status()).changed_by_hand_at == by_hand
    clock.time += timedelta(seconds=7)
    await charger.apply(Setpoint(3, 8))
    assert (await charger.next_status()).changed_by_hand_at == by_hand


async def test_change_by_hand_between_connections(box: Any, charger: WattpilotCharger, clock: Any) -> None:
    """What changed while nobody watched is noticed on the next connection."""
    await charger.apply(NO_CHARGE)
    await charger.aclose()
    clock.time += timedelta(hours=1)
    await charger.open()
    assert (await charger.next_status()).changed_by_hand_at is None
    await charger.aclose()
    box.properties["frc"] = 0
    await charger.open()
    status = await charger.next_status()
    assert (status.setpoint, status.changed_by_hand_at) == (Setpoint(3, 10), clock.time)
