"""Files of the state directory read back: the name of the file, a line break, its content.

Also `settings`, a document of changes as the page sends them, and `energy` and `session`, which the history
keeps. None of them may stop a start of the daemon, whatever a disk or a hand has made of it.
"""

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, timedelta
from typing import Any

from pydantic import SecretStr

from pvcharge.control import Controller, ControlSettings
from pvcharge.drivers.base import DriverError, TransientError
from pvcharge.drivers.solaredge.ledger import Ledger
from pvcharge.drivers.solaredge.oauth import TokenKeeper
from pvcharge.drivers.solaredge.settings import SolarEdgeSettings
from pvcharge.history.energy.meter import EnergyMeter
from pvcharge.history.sessions.tracker import Prices, SessionTracker
from pvcharge.model import NO_CHARGE, ChargerState, ChargerStatus, LimitsCommand, PowerFlow, Setpoint
from pvcharge.tasks.charger_task import OnSilence
from pvcharge.tasks.commands_store import CommandsStore
from pvcharge.tasks.hand_store import TOO_OLD, HandStore
from pvcharge.tasks.learned_store import LearnedStore
from pvcharge.tasks.orders_store import Orders, OrdersStore
from pvcharge.tasks.settings_overlay import EDITABLE, Overlay, SettingsInvalidError
from pvcharge.tasks.settings_store import SettingsStore
from pvcharge.web.access.models import MOST_TOKENS
from pvcharge.web.access.passwords import make_hash
from pvcharge.web.access.sessions import Sessions, digest
from pvcharge.web.access.tokens import Tokens
from pvcharge.web.answers import iso
from targets.base import NOON, StillClock, Target, check_message, check_text, folder, is_number
from targets.base import run as finish

_STATE = folder()
_CLOCK = StillClock()
_CONTROL = ControlSettings()
_SOLAREDGE = SolarEdgeSettings(site_id=4711, client_id="client", client_secret=SecretStr("plantedsecret"))
_HASH = make_hash("plantedpassword77")


def run(data: bytes) -> None:
    """Read a file back as its owner does at a start."""
    head, _, content = data.partition(b"\n")
    name = head.decode("latin-1")
    if name in _DOCUMENTS:
        _read_document(_DOCUMENTS[name], content)
        return
    file, restore = _FILES.get(name, _FILES["settings.json"])
    for path in _STATE.iterdir():
        path.unlink()
    (_STATE / file).write_bytes(content)
    finish(restore())
    for path in _STATE.iterdir():  # what has been written now is understood the next time
        if not path.name.endswith(".corrupt"):
            json.loads(path.read_bytes())


def _read_document(read: Callable[[Any], None], content: bytes) -> None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return
    if isinstance(document, dict):
        read(document)


async def _nothing() -> AsyncIterator[Any]:
    for event in list[Any]():
        yield event


async def _settings() -> None:
    store = SettingsStore(_STATE, _CLOCK, _CONTROL, next(iter(OnSilence)))
    in_force = await store.restore()
    Controller(in_force)
    document = store.document()
    assert document.revision >= 0
    assert len(document.settings) == len(EDITABLE)
    if document.can_undo:
        Controller(await store.undo())
    again = SettingsStore(_STATE, _CLOCK, _CONTROL, next(iter(OnSilence)))
    assert await again.restore() == store.in_force, "other settings after the next start"


async def _commands() -> None:
    store = CommandsStore(_STATE, _CLOCK, _nothing(), LimitsCommand(6, 16))
    for command in await store.restore():
        str(command)
        if isinstance(command, LimitsCommand):
            assert is_number(command.min_current_a, 1, 1000)
            assert is_number(command.max_current_a, 1, 1000)


async def _hand() -> None:
    store = HandStore(_STATE, _CLOCK, _nothing())
    await store.restore()
    for setpoint in (None, Setpoint(3, 10), NO_CHARGE):
        status = store.complete(ChargerStatus(NOON, ChargerState.READY, 0.0, setpoint=setpoint))
        if status.changed_by_hand_at is not None:
            assert timedelta(0) <= NOON - status.changed_by_hand_at < TOO_OLD


async def _orders() -> None:
    obeyed: list[Orders] = []
    store = OrdersStore(_STATE, _CLOCK, obeyed.append)
    await store.restore()
    for orders in obeyed:
        iso(orders.until or orders.at)
        settings = orders.settings(_CONTROL)
        assert settings.max_current_a <= _CONTROL.max_current_a, "more than this house allows"
        assert set(settings.phases) <= set(_CONTROL.phases)
        assert settings.min_current_a <= settings.max_current_a
        Controller(settings)


async def _learned() -> None:
    controller = Controller(_CONTROL)
    store = LearnedStore(_STATE, _CLOCK, controller, _nothing())
    await store.restore()
    _check_learned(controller)


def _check_learned(controller: Controller) -> None:
    """Fail unless a controller works with what it recalls, and another one recalls the same."""
    learned = json.loads(json.dumps(controller.learned(), allow_nan=False))
    other = Controller(_CONTROL)
    other.recall(learned)
    assert other.learned() == controller.learned(), "is another one when recalled again"
    for second in (0, 1, 60, 600):
        at = NOON + timedelta(seconds=second)
        controller.observe(
            ChargerStatus(at=at, state=ChargerState.CHARGING, power_w=4140.0, phases=3, current_a=6.0)
        )
        controller.observe(PowerFlow(start=at, end=at, pv_w=6000.0, grid_w=-1500.0 - second, source="roof"))
        decision = controller.decide(at)
        assert decision.setpoint.current_a in (0, *range(6, 17)), f"decides {decision.setpoint}"
        assert is_number(decision.surplus_w, -1e9, 1e9)


async def _web_sessions() -> None:
    sessions = Sessions(_STATE, _CLOCK)
    assert await sessions.restore(SecretStr(_HASH)) is not None
    assert not sessions.is_live("")
    sessions.use("planted")
    assert sessions.is_live(await sessions.begin())
    assert digest("planted")


async def _web_tokens() -> None:
    tokens = Tokens(_STATE, _CLOCK)
    await tokens.restore()
    kept = tokens.all()
    assert len(kept) <= MOST_TOKENS
    for token in kept:
        token.name.encode()
        iso(token.created_at)
        iso(token.last_used_at or token.created_at)
    assert not tokens.is_good("")
    tokens.is_good("planted")
    await tokens.flush(at_once=True)


async def _login() -> None:
    async def post(_body: Mapping[str, str]) -> Any:
        raise TransientError("SolarEdge: no answer")

    keeper = TokenKeeper(_SOLAREDGE, _CLOCK, _STATE / "solaredge-4711-tokens.json", post)
    try:
        token = await keeper.access_token()
    except DriverError as error:
        check_message(error)
    else:
        check_text(token)
    await keeper.aclose()


async def _budget() -> None:
    ledger = Ledger(_SOLAREDGE, _STATE, UTC)
    try:
        await ledger.spend(NOON, urgent=True)
    except DriverError as error:
        wait_s = getattr(error, "retry_after_s", None)
        assert is_number(wait_s, 0, 32 * 86_400), f"waits for {wait_s} s"
    assert 0 <= ledger.budget.left(NOON) <= ledger.budget.limit


_FILES: dict[str, tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = {
    "settings.json": ("settings.json", _settings),
    "commands.json": ("commands.json", _commands),
    "hand.json": ("hand.json", _hand),
    "orders.json": ("orders.json", _orders),
    "learned.json": ("learned.json", _learned),
    "web-sessions.json": ("web-sessions.json", _web_sessions),
    "web-tokens.json": ("web-tokens.json", _web_tokens),
    "login.json": ("solaredge-4711-tokens.json", _login),
    "budget.json": ("solaredge-4711-v2-budget.json", _budget),
}


def _changes(document: dict[str, Any]) -> None:
    overlay = Overlay(_CONTROL, next(iter(OnSilence)))
    try:
        in_force = overlay.apply(document)
    except SettingsInvalidError as error:
        assert error.errors, "refused, and nobody says why"
        check_message(ValueError(ascii(error)))
    else:
        Controller(in_force.control)
        normal = overlay.normal(document)
        assert overlay.apply(normal) == in_force
        json.dumps(normal, allow_nan=False)
        for entry in overlay.entries(document):
            assert entry.kind != "choice" or entry.value in (entry.choices or ())
    if len(document) < 8:
        fitting, _ = overlay.fitting(document)
        overlay.apply(fitting)


def _recall(document: dict[str, Any]) -> None:
    controller = Controller(_CONTROL)
    try:
        controller.recall(document)
    except ValueError as error:
        check_message(ValueError(ascii(error)))
    _check_learned(controller)


def _energy(document: dict[str, Any]) -> None:
    try:
        meter = EnergyMeter(document)
    except ValueError as error:
        check_message(ValueError(ascii(error)))
        return
    assert EnergyMeter(json.loads(json.dumps(meter.state()))).state() == meter.state()
    for event in _EVENTS:
        for increment in meter.take(event):
            for energy_wh in increment.energy_wh.values():
                assert is_number(energy_wh, 0, 1e300), f"counts {energy_wh} Wh"


def _session(document: dict[str, Any]) -> None:
    try:
        tracker = SessionTracker(Prices(0.3, 0.1), document)
    except ValueError as error:
        check_message(ValueError(ascii(error)))
        return
    state = tracker.state()
    assert SessionTracker(Prices(0.3, 0.1), json.loads(json.dumps(state))).state() == state
    for event in _EVENTS:
        tracker.take(event)


_DOCUMENTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "changes": _changes,
    "learned": _recall,
    "energy": _energy,
    "session": _session,
}


def _events() -> list[object]:
    events: list[object] = []
    for minute in range(3):
        at = NOON + timedelta(minutes=minute)
        events.append(
            PowerFlow(start=at, end=at, pv_w=6000.0, grid_w=-1000.0, battery_w=100.0, source="roof")
        )
        state = ChargerState.CHARGING if minute < 2 else ChargerState.DISCONNECTED
        events.append(
            ChargerStatus(
                at=at, state=state, power_w=4140.0, session_wh=69.0 * minute, total_wh=7e6 + 69 * minute
            )
        )
    return events


_EVENTS = _events()


def _input(name: str, document: object) -> bytes:
    return f"{name}\n{json.dumps(document)}".encode()


def _learned_document() -> dict[str, Any]:
    controller = Controller(_CONTROL)
    for second in range(0, 1200, 5):
        at = NOON - timedelta(seconds=1200 - second)
        power_w, grid_w = 1380.0 + second, -1500.0 + second % 70
        controller.observe(
            ChargerStatus(at=at, state=ChargerState.CHARGING, power_w=power_w, phases=1, current_a=6.0)
        )
        controller.observe(
            PowerFlow(start=at, end=at, pv_w=6000.0 + second % 7, grid_w=grid_w, source="roof")
        )
        controller.decide(at)
    return json.loads(json.dumps(controller.learned()))  # type: ignore[no-any-return]


def _counted() -> tuple[dict[str, Any], dict[str, Any]]:
    meter, tracker = EnergyMeter(), SessionTracker(Prices(0.3, 0.1))
    for event in _EVENTS[:4]:
        meter.take(event)
        tracker.take(event)
    return meter.state(), tracker.state()


_AT = "2026-06-15T11:00:00+00:00"
_CHANGED = {
    "control.objective": "cost",
    "control.import_price": 0.31,
    "control.feed_in_price": 0.08,
    "edge.on_silence": "stop",
}
_ORDERS = {
    "v": 1,
    "at": _AT,
    "told_at": _AT,
    "control": _CONTROL.model_dump(mode="json"),
    "mode": "boost",
    "until": "2026-06-15T13:00:00Z",
    "mode_after": "surplus",
    "min_current_a": 6,
    "max_current_a": 16,
}
_TOKEN = {
    "id": "0123456789abcdef",
    "name": "shelf",
    "hash": digest("planted"),
    "created_at": _AT,
    "last_used_at": None,
}
_ENERGY, _SESSION = _counted()

TARGET = Target(
    name="kept",
    run=run,
    seeds=(
        _input(
            "settings.json",
            {"v": 1, "revision": 3, "changes": _CHANGED, "undo": [{"at": _AT, "changes": {}}]},
        ),
        _input(
            "commands.json",
            {
                "v": 1,
                "mode": "surplus",
                "boost": True,
                "boost_until": "2026-06-15T13:00:00Z",
                "min_current_a": 8,
            },
        ),
        _input("orders.json", _ORDERS),
        _input("learned.json", {"v": 1, "at": _AT, "learned": _learned_document()}),
        _input(
            "web-sessions.json",
            {"v": 1, "password": _HASH, "sessions": {digest("planted"): NOON.timestamp() - 60}},
        ),
        _input("web-tokens.json", {"v": 1, "tokens": [_TOKEN]}),
        _input(
            "login.json",
            {"access_token": "eyJ.x", "refresh_token": "def5", "expires_at": "2026-06-15T14:00:00Z"},
        ),
        _input(
            "budget.json",
            {"recent": [_AT], "used": 7, "cycle_start": "2026-06-01T00:00:00Z", "blocked_until": None},
        ),
        _input("changes", _CHANGED),
        _input("learned", _learned_document()),
        _input("energy", _ENERGY),
        _input("session", _SESSION),
    ),
)
