"""Runs what the controller saw through the controller again: the same inputs must give the same decisions."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import zip_longest

from pydantic import ValidationError

from pvcharge import __version__
from pvcharge.control import Controller, ControlSettings
from pvcharge.history.reading import Reader, Run
from pvcharge.history.rows import OUTLASTING, TABLES, Event
from pvcharge.model import (
    ChargerStatus,
    Decision,
    DeviceHealth,
    ForgetCommand,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    SettingsCommand,
)

COMMANDS: tuple[type[Event], ...] = (ModeCommand, LimitsCommand, SettingsCommand)
SEEN: tuple[type[Event], ...] = (PowerFlow, ChargerStatus, *COMMANDS, ForgetCommand, Decision)
KEPT_FOR_A_TIME = tuple(kind for kind in TABLES if kind not in OUTLASTING)
RECORDER = "history"  # its name in DeviceHealth
CLOCK_SET_BACK = timedelta(hours=1)  # so long after the end there may still be something from before it
PROGRESS_EVERY = 5000  # numbers
MARKS_EVERY = timedelta(minutes=1)  # how finely the store looks up a time

_FOR_EVER = datetime.max.replace(tzinfo=UTC)

Progress = Callable[[float], None]  # is told the share of the work that is done, 0..1


class ReplayError(Exception):
    """A run cannot be replayed; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the store has of a run of the daemon.

    Attributes:
        run: its start.
        last_seq: the number of its last event.
        beginning_kept: whether nothing of it has been deleted for its age.
        lost: how many of its events never got to the disk.
    """

    run: Run
    last_seq: int
    beginning_kept: bool
    lost: int

    @property
    def whole(self) -> bool:
        """Whether a replay sees all that its controller has seen."""
        return self.beginning_kept and not self.lost


@dataclass(frozen=True, slots=True)
class Pair:
    """A decision as it was recorded, and as it is taken today on the same inputs."""

    recorded: Decision
    replayed: Decision
    part: Part

    @property
    def same(self) -> bool:
        """Whether they are equal to the last bit."""
        return self.recorded == self.replayed


@dataclass(frozen=True, slots=True)
class InForce:
    """How the controller was set.

    Attributes:
        settings: with what the user had commanded until then.
        changes: how often settings, mode or limits were changed afterwards.
    """

    settings: ControlSettings
    changes: int


def parts(reader: Reader, start: datetime, end: datetime) -> list[Part]:
    """Return the runs of the daemon that overlap a range, in order."""
    runs = reader.runs()
    oldest_seq = next((seq for seq, _ in reader.events(kinds=KEPT_FOR_A_TIME)), 0)
    found = []
    for run, following in zip_longest(runs, runs[1:]):
        if run.started_at < end and (following is None or following.started_at > start):
            last_seq = following.first_seq - 1 if following else reader.last_seq()
            kept = _is_beginning_kept(reader, run, oldest_seq)
            found.append(Part(run, last_seq, beginning_kept=kept, lost=_lost(reader, run, last_seq)))
    return found


def replay(
    reader: Reader, start: datetime, end: datetime, progress: Progress = lambda _: None
) -> Iterator[Pair]:
    """Yield each decision recorded in [start, end) beside that of today's controller.

    What the controller knew at the start depends on all that it had seen, so each run is fed from its first
    event on, and recalls first what the one of then did. Of a run whose beginning is not kept, the mode is
    taken from the first decision that is left.

    Args:
        reader: of the store.
        start: UTC-aware.
        end: UTC-aware.
        progress: is called from time to time.

    Raises:
        ReplayError: the settings of a run, or what it recalled, cannot be understood.
    """
    chosen = parts(reader, start, end)
    first_seq = due_seq = chosen[0].run.first_seq if chosen else 0
    length = max(1, _seq_after(reader, end) - first_seq)
    for part in chosen:
        for seq, event, decided in _fed(reader, part):
            if seq >= due_seq:
                due_seq = seq + PROGRESS_EVERY
                progress(min(1.0, (seq - first_seq) / length))
            if decided is None or not isinstance(event, Decision):
                continue
            if event.at >= end + CLOCK_SET_BACK:
                break
            if start <= event.at < end:
                yield Pair(event, decided, part)
    progress(1.0)


def in_force(reader: Reader, start: datetime, end: datetime) -> InForce:
    """Return how the controller was set at the first decision recorded in [start, end).

    Raises:
        ReplayError: there is no decision in the range, or the settings cannot be understood.
    """
    seq, decision = _first_decision(reader, start, end)
    runs = [run for run in reader.runs() if run.first_seq <= seq]
    if not runs:
        raise ReplayError("with which settings the daemon ran then is not recorded")
    commanded = _Commanded(runs[-1])
    for _, command in reader.events(runs[-1].first_seq, seq, COMMANDS):
        commanded.take(command)
    if decision.mode is not Mode.BOOST:
        commanded.mode = decision.mode
    settings, until_seq = commanded.settings, _seq_after(reader, end)
    later = [
        (run.first_seq, SettingsCommand(run.settings))
        for run in reader.runs()
        if seq < run.first_seq <= until_seq
    ]
    afterwards = merge(later, reader.events(seq, until_seq, COMMANDS), key=lambda entry: entry[0])
    return InForce(settings, sum(commanded.take(command) for _, command in afterwards))


def settings_of(run: Run) -> ControlSettings:
    """Return the settings that the controller of a run began with.

    Raises:
        ReplayError: they cannot be understood.
    """
    return _understood(run, run.settings)


def _understood(run: Run, document: str) -> ControlSettings:
    try:
        return ControlSettings.model_validate_json(document)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, problem["loc"])) or "all of them"
        raise ReplayError(f"{_not_understood(run)} its settings: {key}: {problem['msg']}") from error


def _recall(controller: Controller, run: Run) -> None:
    """Have a controller know what that of a run did at its start."""
    if run.learned is None:
        return
    try:
        controller.recall(json.loads(run.learned))
    except ValueError as error:
        raise ReplayError(f"{_not_understood(run)} what it had learned: {error}") from error


def _not_understood(run: Run) -> str:
    started = run.started_at.isoformat(timespec="seconds")
    return (
        f"the daemon that started at {started} was pvcharge {run.version}; "
        f"this is {__version__}, which does not understand"
    )


class _Commanded:
    """What the user has commanded, on top of what a run began with.

    Attributes:
        mode: the one that is not a boost.
    """

    def __init__(self, run: Run) -> None:
        settings = settings_of(run)
        self.mode = settings.mode
        self._boost = False
        self._run, self._document = run, run.settings
        self._controller = Controller(settings)  # whose limits no settings of the user can change

    @property
    def settings(self) -> ControlSettings:
        """The settings that amount to the same."""
        limits = self._controller.limits
        changes = {"min_current_a": limits.min_current_a, "max_current_a": limits.max_current_a}
        settings = _understood(self._run, self._document)
        return settings.model_copy(update={**changes, "mode": self.mode})

    def take(self, command: Event) -> bool:
        """Take a command into account, and return whether it changes anything."""
        before = self._sum()
        if isinstance(command, LimitsCommand):
            self._controller.set_limits(command)
        elif isinstance(command, ModeCommand):
            self._boost = command.mode is Mode.BOOST
            self.mode = self.mode if self._boost else command.mode
        elif isinstance(command, SettingsCommand):
            self._document = command.document
        return before != self._sum()

    def _sum(self) -> tuple[object, ...]:
        return self.mode, self._boost, self._controller.limits, self._document


def _fed(reader: Reader, part: Part) -> Iterator[tuple[int, Event, Decision | None]]:
    """Yield the events of a run, each after a controller has seen it, and its answers."""
    controller = _begun(reader, part)
    for seq, event in reader.events(part.run.first_seq, part.last_seq, SEEN):
        decided = None
        match event:
            case Decision():
                decided = controller.decide(event.at)
            case PowerFlow() | ChargerStatus():
                controller.observe(event)
            case ModeCommand():
                controller.set_mode(event.mode, event.until)
            case LimitsCommand():
                controller.set_limits(event)
            case SettingsCommand():
                controller.configure(_understood(part.run, event.document))
            case ForgetCommand():
                controller.forget()
        yield seq, event, decided


def _begun(reader: Reader, part: Part) -> Controller:
    """Return the controller of a run, which knows nothing yet but its mode, and what it recalled."""
    settings = settings_of(part.run)
    first = None if part.beginning_kept else _first_of_run(reader, part)
    if first is not None and first.mode is not Mode.BOOST:
        settings = settings.model_copy(update={"mode": first.mode})
    controller = Controller(settings)
    _recall(controller, part.run)
    if first is not None and first.mode is Mode.BOOST:
        controller.set_mode(Mode.BOOST, first.boost_until)
    return controller


def _first_of_run(reader: Reader, part: Part) -> Decision | None:
    """Return the first decision of a run that is left."""
    decisions = reader.events(part.run.first_seq, part.last_seq, [Decision])
    return next((event for _, event in decisions if isinstance(event, Decision)), None)


def _is_beginning_kept(reader: Reader, run: Run, oldest_seq: int) -> bool:
    """Whether nothing of a run has been deleted, though it may begin with what outlasts the rest."""
    before = reader.events(run.first_seq, oldest_seq - 1, OUTLASTING)
    return sum(1 for _ in before) >= oldest_seq - run.first_seq


def _first_decision(reader: Reader, start: datetime, end: datetime) -> tuple[int, Decision]:
    for seq, decision in reader.events(reader.seq_at(start), kinds=[Decision]):
        if isinstance(decision, Decision) and decision.at >= end:
            break
        if isinstance(decision, Decision) and decision.at >= start:
            return seq, decision
    raise ReplayError("no decision is recorded in this time")


def _lost(reader: Reader, run: Run, last_seq: int) -> int:
    """Return how many events the recorder had to drop while the disk took nothing."""
    lost = 0
    for _, health in reader.events(run.first_seq, last_seq, [DeviceHealth]):
        if isinstance(health, DeviceHealth) and health.name == RECORDER:
            lost = max(lost, int(health.facts.get("dropped", 0)))
    return lost


def _seq_after(reader: Reader, at: datetime) -> int:
    """Return a number not below that of whatever was written until then, by a minute or so."""
    seq = reader.seq_at(at + MARKS_EVERY)
    return reader.last_seq() if seq == reader.seq_at(_FOR_EVER) else seq
