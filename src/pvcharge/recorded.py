"""The house as it was recorded: production, household and car, for the simulators to go through again."""

from array import array
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from statistics import median

from pvcharge.control.align import ChargerPowerLog
from pvcharge.history.reading import Reader
from pvcharge.model import ChargerState, ChargerStatus, PowerFlow
from pvcharge.sim.feed import Source
from pvcharge.sim.trace import Trace
from pvcharge.simulation import CHART_STEP_S, Chart, Visit

STEP = timedelta(seconds=CHART_STEP_S)
AROUND = timedelta(hours=1)  # what was seen so long before still tells something, and so late means arrive
HOLD_S = 300.0  # an instant stands for the time until the next one, but for no longer than this,
HOLD_PAUSES = 3.0  # or than so many of its source's usual pauses
LONGEST_PAUSE_S = 1800.0  # a longer one is a night or an outage, and no rhythm
IN_THE_HOUSE_S = 30.0  # instants that stand for no longer come from the house itself
UNHEARD_S = 180.0  # what a car draws is counted for so long after a status
FULL_S = 120.0  # a car that draws nothing for so long, though it may, is full
IDLE_W = 50.0
LEAST_WANTED_WH = 1.0
NUMBERS = 1000  # of events, among the last of which there is a reading

Powers = tuple[float, float]  # production, and the household without the car


class NothingRecordedError(ValueError):
    """No house can be made of what was recorded; the message says why."""


@dataclass(frozen=True, slots=True)
class RecordedHouse:
    """What the records tell of a house.

    Attributes:
        trace: production and the household without the car.
        charger_w: what the car drew, as means over the steps of the trace.
        visits: when a car was plugged in; it wanted no more than it took if it was found full.
        source: how most of the readings came.
        covered: the share of the time that they tell of, 0..1; in the rest the last value was held.
        battery: whether there is a home battery, whose power is in neither production nor household.
    """

    trace: Trace
    charger_w: Sequence[float]
    visits: tuple[Visit, ...]
    source: Source
    covered: float
    battery: bool

    def chart(self) -> Chart:
        """Return what a picture of it needs; a home battery is left out, the grid balances the rest."""
        trace, chart = self.trace, Chart()
        for number, (pv_w, charger_w) in enumerate(zip(trace.pv_means_w, self.charger_w, strict=True)):
            at = trace.start + number * trace.step
            load_w = trace.load_w(at)
            chart.at.append(at)
            chart.pv_w.append(pv_w)
            chart.load_w.append(load_w)
            chart.charger_w.append(charger_w)
            chart.grid_w.append(load_w + charger_w - pv_w)
        return chart


def recorded_house(reader: Reader, start: datetime, end: datetime, step: timedelta = STEP) -> RecordedHouse:
    """Make a house of what was recorded in a range, as far as there are readings before and after.

    An instant holds until the next one, a mean over its interval. Where several sources tell of the same
    time, the one with the finest readings is believed. Both ends are moved out to whole steps.

    Args:
        reader: of the store.
        start: UTC-aware.
        end: UTC-aware.
        step: of the trace, in whole seconds.

    Raises:
        NothingRecordedError: there is no reading, or none while the charger was heard.
    """
    first, last = _kept(reader) or (end, end)
    grid = _Grid.over(max(start, first), min(end, last + step), step)
    charger, readings = _Charger(grid), _Readings(grid)
    for event in _seen(reader, grid.start - AROUND, grid.end + AROUND):
        if isinstance(event, ChargerStatus):
            charger.take(event)
        else:
            readings.take(event, charger)
    made = readings.finish()
    if made is None:
        raise NothingRecordedError("there is no reading of the grid, or none while the charger was heard")
    trace = Trace(grid.start, step, made.pv_w, made.load_w)
    visits = charger.finish()
    return RecordedHouse(trace, charger.power_w, visits, made.source, made.covered, readings.battery)


def _kept(reader: Reader) -> tuple[datetime, datetime] | None:
    """Return when the first reading that the store has begins, and when the last one ends."""
    first = next(_flows(reader, 0), None)
    if first is None:
        return None
    last_end, back = None, NUMBERS
    while last_end is None:
        last_end = max((flow.end for flow in _flows(reader, reader.last_seq() - back)), default=None)
        back *= 2
    return first.start, last_end


def _flows(reader: Reader, first_seq: int) -> Iterator[PowerFlow]:
    for _, event in reader.events(first_seq, kinds=[PowerFlow]):
        if isinstance(event, PowerFlow):
            yield event


def _seen(reader: Reader, start: datetime, end: datetime) -> Iterator[PowerFlow | ChargerStatus]:
    for _, event in reader.events(reader.seq_at(start), kinds=[PowerFlow, ChargerStatus]):
        if not isinstance(event, PowerFlow | ChargerStatus) or _seen_at(event) >= end:
            return
        yield event


def _seen_at(event: PowerFlow | ChargerStatus) -> datetime:
    return event.end if isinstance(event, PowerFlow) else event.at


class _Grid:
    """The steps of a range, in seconds of the epoch."""

    def __init__(self, start_s: int, step_s: int, steps: int) -> None:
        self.start_s = start_s
        self.step_s = step_s
        self.steps = steps
        self.start, self.end = (
            datetime.fromtimestamp(start_s + number * step_s, UTC) for number in (0, steps)
        )

    @classmethod
    def over(cls, start: datetime, end: datetime, step: timedelta) -> "_Grid":
        """Return the whole steps that touch a range."""
        step_s = step // timedelta(seconds=1)
        first = int(start.timestamp() // step_s)
        return cls(first * step_s, step_s, max(0, ceil(end.timestamp() / step_s) - first))

    def zeros(self) -> "array[float]":
        return array("d", bytes(8 * self.steps))

    def pieces(self, from_s: float, to_s: float) -> Iterator[tuple[int, float]]:
        """Yield for each step that an interval touches its number, and for how many seconds it does."""
        number = max(0, int((from_s - self.start_s) // self.step_s))
        begin_s = self.start_s + number * self.step_s
        while begin_s < to_s and number < self.steps:
            end_s = begin_s + self.step_s
            yield number, min(to_s, end_s) - max(from_s, begin_s)
            number, begin_s = number + 1, end_s


class _Charger:
    """Follows the charger: its power at any time, its power by steps, and the cars that came and went.

    Attributes:
        power_w: means over the steps, as far as they are known.
    """

    def __init__(self, grid: _Grid) -> None:
        self.power_w = grid.zeros()
        self._grid = grid
        self._log = ChargerPowerLog()
        self._last: ChargerStatus | None = None
        self._visits: list[Visit] = []
        self._came: datetime | None = None
        self._took_ws = 0.0  # the car that is there, within the range
        self._idle_since: datetime | None = None
        self._full = False

    def take(self, status: ChargerStatus) -> None:
        """Take a status into account; one older than the last is ignored."""
        last = self._last
        if last is not None:
            if status.at <= last.at:
                return
            self._hold(last, (status.at - last.at).total_seconds())
        self._log.add(status.at.timestamp(), status.power_w)
        self._last = status
        if status.state.plugged and self._came is None:
            self._came, self._took_ws, self._idle_since, self._full = status.at, 0.0, None, False
        elif status.state is ChargerState.DISCONNECTED:
            self._leave(status.at)
        self._look_whether_full(status)

    def mean_w(self, flow: PowerFlow) -> float | None:
        """Return what the charger drew in a reading's interval, None if that is not known."""
        return self._log.mean_w(flow.start.timestamp(), flow.end.timestamp())

    def finish(self) -> tuple[Visit, ...]:
        """Return all visits, as far as they fall into the range."""
        if self._last is not None:
            self._hold(self._last, UNHEARD_S)
        self._leave(self._grid.end)
        return tuple(self._visits)

    def _hold(self, status: ChargerStatus, seconds: float) -> None:
        at_s = status.at.timestamp()
        for number, part_s in self._grid.pieces(at_s, at_s + min(seconds, UNHEARD_S)):
            self.power_w[number] += status.power_w * part_s / self._grid.step_s
            self._took_ws += status.power_w * part_s

    def _look_whether_full(self, status: ChargerStatus) -> None:
        may = status.setpoint is not None and status.setpoint.charges
        if not (may and status.state is ChargerState.COMPLETE and status.power_w < IDLE_W):
            self._idle_since = None
            return
        self._idle_since = self._idle_since or status.at
        self._full = self._full or (status.at - self._idle_since).total_seconds() >= FULL_S

    def _leave(self, at: datetime) -> None:
        if self._came is None:
            return
        start, end = max(self._came, self._grid.start), min(at, self._grid.end)
        if start < end:
            wanted_wh = max(LEAST_WANTED_WH, self._took_ws / 3600) if self._full else None
            self._visits.append(Visit(start, end, wanted_wh))
        self._came = None


class _Layer:
    """What one source says, by steps: energies, and of how many seconds.

    Instants wait here for the next one.
    """

    def __init__(self, grid: _Grid, *, means: bool) -> None:
        self._grid = grid
        self._means = means
        self.pv_ws, self.load_ws, self.covered_s = grid.zeros(), grid.zeros(), grid.zeros()
        self._last: tuple[float, Powers] | None = None
        self._pauses_s: deque[float] = deque(maxlen=9)
        self._readings = 0
        self._stood_for_s = 0.0

    @property
    def span_s(self) -> float:
        """The time that a reading stands for, on the average."""
        return self._stood_for_s / max(1, self._readings)

    @property
    def source(self) -> Source:
        """The kind of access that has such readings."""
        if self._means:
            return Source.QUARTER
        return Source.MODBUS if self.span_s <= IN_THE_HOUSE_S else Source.LIVE

    def take(self, flow: PowerFlow, powers: Powers) -> None:
        """Take a reading into account; what it tells of a time already told of is ignored."""
        start_s, end_s = flow.start.timestamp(), flow.end.timestamp()
        last_s = self._last[0] if self._last else None
        if last_s is not None and end_s <= last_s:
            return
        if self._means:
            self._add(start_s if last_s is None else max(start_s, last_s), end_s, powers)
        elif last_s is not None:
            self._hold_last(end_s)
            if end_s - last_s <= LONGEST_PAUSE_S:
                self._pauses_s.append(end_s - last_s)
        self._last = end_s, powers

    def finish(self) -> None:
        """Let the last instant stand for a while."""
        if not self._means:
            self._hold_last(self._grid.end.timestamp())

    def _hold_last(self, until_s: float) -> None:
        if self._last is None:
            return
        at_s, powers = self._last
        usual_s = median(self._pauses_s) if self._pauses_s else 0.0
        self._add(at_s, min(until_s, at_s + max(HOLD_S, HOLD_PAUSES * usual_s)), powers)

    def _add(self, from_s: float, to_s: float, powers: Powers) -> None:
        pv_w, load_w = powers
        self._readings += 1
        self._stood_for_s += to_s - from_s
        for number, part_s in self._grid.pieces(from_s, to_s):
            self.pv_ws[number] += pv_w * part_s
            self.load_ws[number] += load_w * part_s
            self.covered_s[number] += part_s


@dataclass(frozen=True, slots=True)
class _Made:
    """What came of all sources together."""

    pv_w: "array[float]"
    load_w: "array[float]"
    source: Source
    covered: float


class _Readings:
    """Gathers the readings of all sources.

    Attributes:
        battery: whether any tells of a home battery.
    """

    def __init__(self, grid: _Grid) -> None:
        self.battery = False
        self._grid = grid
        self._layers: dict[tuple[str, bool], _Layer] = {}

    def take(self, flow: PowerFlow, charger: _Charger) -> None:
        """Take a reading into account; it tells nothing without what the car drew, and the battery."""
        charger_w = charger.mean_w(flow)
        if charger_w is None or (self.battery and flow.battery_w is None):
            return
        self.battery = self.battery or flow.battery_w is not None
        powers = _powers(flow, charger_w)
        if powers is not None:
            key = flow.source, flow.start < flow.end
            if key not in self._layers:
                self._layers[key] = _Layer(self._grid, means=flow.start < flow.end)
            self._layers[key].take(flow, powers)

    def finish(self) -> _Made | None:
        """Take each step from the finest source that tells of half of it, else from whoever tells most."""
        for layer in self._layers.values():
            layer.finish()
        layers = sorted(self._layers.values(), key=lambda it: it.span_s)
        grid, pv_w, load_w = self._grid, self._grid.zeros(), self._grid.zeros()
        first, covered_s, sources = None, 0.0, Counter[Source]()
        for number in range(grid.steps):
            best = _best(layers, number, grid.step_s / 2)
            if best is not None:
                seconds = best.covered_s[number]
                pv_w[number], load_w[number] = best.pv_ws[number] / seconds, best.load_ws[number] / seconds
                first = number if first is None else first
                covered_s += max(layer.covered_s[number] for layer in layers)
                sources[best.source] += 1
            elif number:
                pv_w[number], load_w[number] = pv_w[number - 1], load_w[number - 1]
        if first is None:
            return None
        for number in range(first):
            pv_w[number], load_w[number] = pv_w[first], load_w[first]
        (source, _), *_ = sources.most_common(1)
        return _Made(pv_w, load_w, source, covered_s / (grid.steps * grid.step_s))


def _best(layers: list[_Layer], number: int, enough_s: float) -> _Layer | None:
    best, best_s = None, 0.0
    for layer in layers:
        seconds = layer.covered_s[number]
        if seconds >= enough_s:
            return layer
        if seconds > best_s:
            best, best_s = layer, seconds
    return best


def _powers(flow: PowerFlow, charger_w: float) -> Powers | None:
    """Return production and household; without production, what of them is seen at the grid."""
    if flow.grid_w is not None:
        net_w = flow.grid_w - (flow.battery_w or 0.0) - charger_w
    elif flow.load_w is not None and flow.pv_w is not None:
        net_w = flow.load_w - charger_w - flow.pv_w
    else:
        return None
    pv_w = max(0.0, -net_w if flow.pv_w is None else flow.pv_w)
    return pv_w, max(0.0, net_w + pv_w)
