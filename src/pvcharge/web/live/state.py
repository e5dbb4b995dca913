"""Follows the feed, and tells all that is known now as one `State`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Literal

from pvcharge.model import ChargerStatus, Clock, Decision, DeviceHealth, PowerFlow, Session
from pvcharge.values import Snapshot, SnapshotKeeper, Value, read
from pvcharge.web.answers import CurrentRange, Device, Scalar, SessionRow, State, Texts
from pvcharge.words import LANGUAGES, explain, explain_source
from pvcharge.words.advice import advise

MOST_SOURCES = 20  # of readings; their names may come from afar
PARTS = (" readings", " writes")  # of a device that have a health of their own
LINKS = ("mqtt",)  # names of health that are ways to somebody else
SILENT_S = 1800.0  # a source of readings without a word of its health is thought to be gone after that
GUESTS_CAN = ("history",)
LARGEST_INT = 2**53  # that a browser knows exactly

Kind = Literal["inverter", "charger", "link", "service"]
Role = Literal["standalone", "cloud", "edge"]
Level = Literal["owner", "guest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What never changes while the daemon runs.

    Attributes:
        role: of the daemon.
        site: its name.
        version: of pvcharge.
        timezone: of the site, such as Europe/Vienna.
        currency: of the prices, if that is known.
        inverters: their names.
        charger: its name.
        can: what the page can offer to the owner.
        limits: within what the current can be limited, where it can.
        values: the table of values.
        facts: more to say of a device, by its name.
    """

    role: Role
    site: str
    version: str
    timezone: str
    currency: str | None
    inverters: Sequence[str]
    charger: str
    can: Sequence[str]
    limits: CurrentRange | None
    values: Sequence[Value]
    facts: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)


class StateKeeper:
    """Keeps the newest of everything.

    Args:
        about: what never changes.
        clock: the daemon's time.
        keeper: turns events into a snapshot; this object alone feeds it.
        session: returns the charge that is going on.
        shown: returns values that are known otherwise than by the feed.
    """

    def __init__(
        self,
        about: About,
        clock: Clock,
        keeper: SnapshotKeeper,
        session: Callable[[], Session | None] = lambda: None,
        shown: Callable[[], Mapping[str, Scalar]] = dict,
    ) -> None:
        self._about = about
        self._clock = clock
        self._keeper = keeper
        self._running = session
        self._shown = shown
        self._heard: dict[str, datetime] = {}  # end of the newest reading by source, and the charger's status
        self._first: dict[str, datetime] = {}  # when a source was heard first
        self._decided_at: datetime | None = None

    def take(self, event: object) -> None:
        """Take an event of the feed into account; what is of no interest here is ignored."""
        self._keeper.take(event)
        match event:
            case PowerFlow():
                self._hear(event.source, event.end)
            case ChargerStatus():
                self._hear(self._about.charger, event.at)
            case Decision():
                self._decided_at = event.at

    def _hear(self, name: str, at: datetime) -> None:
        if name not in self._heard and len(self._heard) >= MOST_SOURCES:
            return
        now, before = self._clock.now(), self._heard.get(name, at)
        # What a clock that was ahead has heard must not seem to be news until it has caught up.
        self._heard[name] = max(at, before) if before <= now else at
        self._first.setdefault(name, now)

    def state(self, level: Level) -> State:
        """Return what is known now."""
        about, snapshot = self._about, self._keeper.snapshot()
        decided_at, session = self._decided_at, self._running()
        return State(
            at=snapshot.at,
            role=about.role,
            site=about.site,
            version=about.version,
            timezone=about.timezone,
            currency=about.currency,
            can=allowed(about.can, level),
            limits=about.limits,
            values=_plain({**read(about.values, snapshot), **self._shown()}),
            texts={language: _texts(snapshot, language) for language in LANGUAGES},
            decision_age_s=None if decided_at is None else _age_s(decided_at, snapshot.at),
            devices=list(self._devices(snapshot)),
            session=None if session is None else SessionRow.of(session),
            level=level,
        )

    def _devices(self, snapshot: Snapshot) -> Iterable[Device]:
        for name, health in snapshot.devices.items():
            yield self._device(name, health, snapshot.at)
        for name in self._heard.keys() - snapshot.devices.keys():
            health = DeviceHealth(name, snapshot.at, ok=True, since=self._first[name])
            device = self._device(name, health, snapshot.at)
            yield device.model_copy(update={"ok": (device.age_s or 0.0) < SILENT_S})

    def _device(self, name: str, health: DeviceHealth, now: datetime) -> Device:
        kind, heard_at = self._kind(name), self._heard.get(name)
        return Device(
            name=str(_clean(name)),
            kind=kind,
            ok=health.ok,
            since=health.since,
            age_s=None if heard_at is None else _age_s(heard_at, now),
            error=_clean(health.error),
            advice=advise(kind, health.error) if health.error else None,
            facts=_plain({**health.facts, **self._about.facts.get(name, {})}),
        )

    def _kind(self, name: str) -> Kind:
        for part in PARTS:
            name = name.removesuffix(part)
        if name == self._about.charger:
            return "charger"
        if name in LINKS:
            return "link"
        return "inverter" if name in self._about.inverters or name in self._heard else "service"


def allowed(can: Iterable[str], level: Level) -> list[str]:
    """Return what of all that the page can offer it offers on a level."""
    return [word for word in can if level == "owner" or word in GUESTS_CAN]


def _texts(snapshot: Snapshot, language: str) -> Texts:
    decision = snapshot.decision
    if decision is None:
        return Texts(reason=None, source=None)
    return Texts(
        reason=_clean(explain(decision, snapshot.timezone, language)),
        source=_clean(explain_source(decision, snapshot.trusted, language)),
    )


def _age_s(at: datetime, now: datetime) -> float:
    return round(max(0.0, (now - at).total_seconds()), 1)


def _clean(text: str | None) -> str | None:
    """Return a text as UTF-8 has it: names and errors come from afar, with halves of characters in them."""
    return None if text is None else text.encode(errors="replace").decode()


def _plain(values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return values of which each can stand in JSON, and be read by everybody."""
    return {str(_clean(key)): _scalar(value) for key, value in values.items()}


def _scalar(value: object) -> Scalar:
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) <= LARGEST_INT else None
        case float():
            return value if isfinite(value) else None
        case _:
            return _clean(str(value))
