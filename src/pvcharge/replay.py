"""Runs what the controller saw through the controller again: the same inputs must give the same decisions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

from pydantic import ValidationError

from pvcharge import __version__
from pvcharge.control import Controller, ControlSettings
from pvcharge.history.reading import Reader, Run
from pvcharge.history.rows import TABLES, Event
from pvcharge.model import (
    ChargerStatus,
    Decision,
    DeviceHealth,
    LimitsCommand,
    Mode,
    ModeCommand,
    PowerFlow,
    Session,
)

SEEN: tuple[type[Event], ...] = (PowerFlow, ChargerStatus, ModeCommand, LimitsCommand, Decision)
KEPT_FOR_A_TIME = tuple(kind for kind in TABLES if kind is not Session)
RECORDER = "history"  # its name in DeviceHealth
CLOCK_SET_BACK = timedelta(hours=1)  # so long after the end there may still be something from before it
PROGRESS_EVERY = 5000  # numbers
MARKS_EVERY = timedelta(minutes=1)  # how finely the store looks up a time

_COMMANDS: tuple[type[Event], ...] = (ModeCommand, LimitsCommand)
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
            kept = oldest_seq <= run.first_seq
            found.append(Part(run, last_seq, beginning_kept=kept, lost=_lost(reader, run, last_seq)))
    return found


def replay(
    reader: Reader, start: datetime, end: datetime, progress: Progress = lambda _: None
) -> Iterator[Pair]:
    """Yield each decision recorded in [start, end) beside that of today's controller.

    What the controller knew at the start depends on all that it had seen, so each run is fed from its first
    event on. Of a run whose beginning is not kept, the mode is taken from the first decision that is left.

    Args:
        reader: of the store.
        start: UTC-aware.
        end: UTC-aware.
        progress: is called from time to time.

    Raises:
        ReplayError: the settings of a run cannot be understood.
    """
    chosen = parts(reader, start, end)
    first_seq = chosen[0].run.first_seq if chosen else 0
    length = max(1, _seq_after(reader, end) - first_seq)
    for part in chosen:
        for seq, event, decided in _fed(reader, part):
            if seq % PROGRESS_EVERY == 0:
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
    commanded = _Commanded(settings_of(runs[-1]))
    for _, command in reader.events(runs[-1].first_seq, seq, _COMMANDS):
        commanded.take(command)
    if decision.mode is not Mode.BOOST:
        commanded.mode = decision.mode
    settings = commanded.settings
    until_seq = _seq_after(reader, end)
    changes = sum(commanded.take(command) for _, command in reader.events(seq, until_seq, _COMMANDS))
    others = [run for run in reader.runs() if seq < run.first_seq <= until_seq]
    return InForce(settings, changes + sum(run.settings != runs[-1].settings for run in others))


def settings_of(run: Run) -> ControlSettings:
    """Return the settings that the controller of a run was configured with.

    Raises:
        ReplayError: they cannot be understood.
    """
    try:
        return ControlSettings.model_validate_json(run.settings)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, problem["loc"])) or "all of them"
        raise ReplayError(
            f"the daemon that started at {run.started_at.isoformat(timespec='seconds')} was pvcharge "
            f"{run.version}; this is {__version__}, which does not understand its settings: "
            f"{key}: {problem['msg']}"
        ) from error


class _Commanded:
    """What the user has commanded, on top of the configuration.

    Attributes:
        mode: the one that is not a boost.
    """

    def __init__(self, settings: ControlSettings) -> None:
        self.mode = settings.mode
        self._boost = False
        self._configured = settings
        self._controller = Controller(settings)

    @property
    def settings(self) -> ControlSettings:
        """The settings that amount to the same."""
        limits = self._controller.limits
        changes = {"min_current_a": limits.min_current_a, "max_current_a": limits.max_current_a}
        return self._configured.model_copy(update={**changes, "mode": self.mode})

    def take(self, command: Event) -> bool:
        """Take a command into account, and return whether it changes anything."""
        before = self.mode, self._boost, self._controller.limits
        if isinstance(command, LimitsCommand):
            self._controller.set_limits(command)
        elif isinstance(command, ModeCommand):
            self._boost = command.mode is Mode.BOOST
            self.mode = self.mode if self._boost else command.mode
        return before != (self.mode, self._boost, self._controller.limits)


def _fed(reader: Reader, part: Part) -> Iterator[tuple[int, Event, Decision | None]]:
    """Yield the events of a run, each after a controller has seen it, and its answers."""
    controller = _begun(reader, part)
    for seq, event in reader.events(part.run.first_seq, part.last_seq, SEEN):
        decided = None
        if isinstance(event, Decision):
            decided = controller.decide(event.at)
        elif isinstance(event, PowerFlow | ChargerStatus):
            controller.observe(event)
        elif isinstance(event, ModeCommand):
            controller.set_mode(event.mode, event.until)
        elif isinstance(event, LimitsCommand):
            controller.set_limits(event)
        yield seq, event, decided


def _begun(reader: Reader, part: Part) -> Controller:
    """Return the controller of a run, which knows nothing yet but its mode."""
    settings = settings_of(part.run)
    if part.beginning_kept:
        return Controller(settings)
    for _, first in reader.events(part.run.first_seq, part.last_seq, [Decision]):
        if isinstance(first, Decision) and first.mode is Mode.BOOST:
            controller = Controller(settings)
            controller.set_mode(Mode.BOOST, first.boost_until)
            return controller
        if isinstance(first, Decision):
            return Controller(settings.model_copy(update={"mode": first.mode}))
    return Controller(settings)


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
