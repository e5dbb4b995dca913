"""What was decided, as spans of time: thousands of decisions of a day are read within some milliseconds."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pvcharge.history.reading import Reader
from pvcharge.history.rows import from_us, to_us
from pvcharge.model import Decision, Mode, Reason, Setpoint

HOLDS_S = 120.0  # they come every few seconds; after a longer silence nobody knows
LATE = timedelta(hours=1)  # a decision may be in the store so long after it, while the disk was broken
SHORTEST_S = 15.0  # of the spans that are joined first
_US = 1_000_000
_HOLDS_US = int(HOLDS_S * _US)

_DECIDED = (
    "SELECT at_us, phases, current_a, reason, mode FROM decisions "
    "WHERE seq BETWEEN ? AND ? AND at_us >= ? AND at_us < ? ORDER BY seq"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A time during which the same was decided; times are Unix seconds."""

    start_s: float
    end_s: float
    reason: Reason
    mode: Mode
    setpoint: Setpoint

    @property
    def length_s(self) -> float:
        """How long it was."""
        return self.end_s - self.start_s

    @property
    def binding(self) -> bool:
        """Whether the charger was to be set to it."""
        return Decision(from_us(0), self.setpoint, self.reason, self.mode).binding


def spans(reader: Reader, start: datetime, end: datetime) -> list[Span]:
    """Return what was decided in [start, end), in order; where nothing was, there is a gap between spans."""
    bounds = reader.seq_at(start), _seq_after(reader, end + LATE), to_us(start), to_us(end)
    found: list[Span] = []
    begun_us = last_us = 0
    same: tuple[int, int, str, str] | None = None
    for at_us, *rest in reader.rows(_DECIDED, *bounds):
        decided = tuple(rest)
        if decided != same or at_us - last_us > _HOLDS_US:
            if same is not None:
                found.append(_span(begun_us, min(at_us, last_us + _HOLDS_US), *same))
            begun_us, same = at_us, decided
        last_us = at_us
    if same is not None:
        found.append(_span(begun_us, min(to_us(end), last_us + _HOLDS_US), *same))
    return found


def _span(start_us: int, end_us: int, phases: int, current_a: int, reason: str, mode: str) -> Span:
    return Span(start_us / _US, end_us / _US, Reason(reason), Mode(mode), Setpoint(phases, current_a))


def _seq_after(reader: Reader, at: datetime) -> int:
    """Return a number not below that of whatever was seen until this time."""
    ((seq,),) = reader.rows("SELECT min(seq) FROM marks WHERE at_us > ?", to_us(at))
    return reader.last_seq() if seq is None else int(seq)


def fewer(found: Sequence[Span], most: int) -> list[Span]:
    """Return so many spans at most, unless the gaps between them are more.

    First those are joined that differ in their setpoints alone, then those that are short. What has been
    longest is told of a joined one.
    """
    joined = list(found)
    if len(joined) > most:
        joined = _joined(
            joined, lambda before, it: (before[-1].reason, before[-1].mode) == (it.reason, it.mode)
        )
    shortest_s = SHORTEST_S
    while len(joined) > most and shortest_s < 2 * (joined[-1].end_s - joined[0].start_s):
        joined = _joined(joined, lambda before, _: before[-1].end_s - before[0].start_s < shortest_s)  # noqa: B023
        shortest_s *= 2
    return joined


def _joined(found: Sequence[Span], belongs: Callable[[Sequence[Span], Span], bool]) -> list[Span]:
    """Join each span that belongs to those right before it."""
    groups: list[list[Span]] = []
    for it in found:
        before = groups[-1] if groups else []
        if before and before[-1].end_s == it.start_s and belongs(before, it):
            before.append(it)
        else:
            groups.append([it])
    return [_one(group) for group in groups]


def _one(group: Sequence[Span]) -> Span:
    """Return one span in the place of some, with what has been longest in them."""
    if len(group) == 1:
        return group[0]
    lengths_s: dict[tuple[Reason, Mode, Setpoint], float] = defaultdict(float)
    for it in group:
        lengths_s[it.reason, it.mode, it.setpoint] += it.length_s
    return Span(group[0].start_s, group[-1].end_s, *max(lengths_s, key=lengths_s.__getitem__))


def mean_powers(
    found: Sequence[Span], start_s: float, step_s: float, steps: int, power_w: Callable[[Span], float | None]
) -> list[float | None]:
    """Return the mean of a power over each of some steps, as far as it is known in it; else None.

    Args:
        found: spans in order.
        start_s: of the first step, Unix seconds.
        step_s: length of a step.
        steps: how many.
        power_w: of a span; None where that is not known.
    """
    energies_ws, known_s = [0.0] * steps, [0.0] * steps
    for it in found:
        power = power_w(it)
        if power is None:
            continue
        for step, length_s in _pieces(it, start_s, step_s, steps):
            energies_ws[step] += power * length_s
            known_s[step] += length_s
    return [energy / known if known else None for energy, known in zip(energies_ws, known_s, strict=True)]


def _pieces(it: Span, start_s: float, step_s: float, steps: int) -> Iterator[tuple[int, float]]:
    """Yield the steps that a span lies in, and how much of it in each."""
    first, last = int((it.start_s - start_s) // step_s), int((it.end_s - start_s) // step_s)
    for step in range(max(first, 0), min(last + 1, steps)):
        begins_s = start_s + step * step_s
        yield step, min(it.end_s, begins_s + step_s) - max(it.start_s, begins_s)
