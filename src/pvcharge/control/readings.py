"""What the sources of readings tell: which of them drives, the surplus for the car, and how old that is.

Sources stand in an order of trust. The one that drives is followed until it is stale or cannot be true; then
the next takes over, and hands back when one that is trusted more has proved to be there again. Neither is a
jump: the surplus known last stays until there is a newer reading.
"""

from datetime import timedelta
from math import inf
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pvcharge.control.align import ChargerPowerLog, after_battery
from pvcharge.control.clear_day import SEASON_S
from pvcharge.control.freshness import Age, Freshness
from pvcharge.control.learned import Kept, Moment
from pvcharge.control.settings import ControlSettings
from pvcharge.control.source import KeptSource, Source
from pvcharge.model import Distrust, PowerFlow

MOST_SOURCES = 8  # the one that is trusted least is forgotten, of several the one heard longest ago
FORGOTTEN_S = 86_400.0  # a source that is silent for so long is none any more

Told = tuple[float, float]  # surplus in W, and for how many seconds it was that


class KeptReadings(Kept):
    """All that is learned of sources: some 4 kB for each. `at` is for the reader only."""

    v: Literal[1]
    at: Moment | None
    sources: Annotated[tuple[KeptSource, ...], Field(max_length=MOST_SOURCES)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len({source.name for source in self.sources}) < len(self.sources):
            raise ValueError("sources have the same name")
        return self


class Readings:
    """Follows all sources.

    Args:
        settings: how a home battery counts.
        power: the charger's recent power.
    """

    def __init__(self, settings: ControlSettings, power: ChargerPowerLog) -> None:
        self._settings = settings
        self._power = power
        self._sources: list[Source] = []  # most trusted first
        self._driving: Source | None = None
        self._followed: Source | None = None  # whose reading the surplus comes from
        self._followed_end_s = -inf
        self._unknown = Freshness()  # of nothing, before the first reading
        self._battery_seen = False
        self._decided_w = 0.0
        self._kept: dict[str, KeptSource] = {}  # of sources that have not been heard in this run

    # --- what is kept ---

    def learned(self) -> KeptReadings:
        """Return all that is learned."""
        heard = (it for source in self._sources if (it := source.learned()))
        by_name: dict[str, KeptSource] = {}
        for source in (*heard, *self._kept.values()):
            by_name.setdefault(source.name, source)  # among equal names, the one trusted more
        newest = max((it.heard_at for it in by_name.values()), default=None)
        season = timedelta(seconds=SEASON_S)
        of_late = (it for it in by_name.values() if newest and newest - it.heard_at <= season)
        kept = tuple(of_late)[:MOST_SOURCES]
        at = max((it.heard_at for it in kept), default=None)
        return KeptReadings(v=1, at=at, sources=kept)

    def recall(self, kept: KeptReadings) -> None:
        """Go on from what was kept in place of what is learned; sources are known by their names."""
        self.forget()
        self._kept = {source.name: source for source in kept.sources}
        for source in self._sources:
            self._awake(source, source.heard_s)

    def forget(self) -> None:
        """Begin to learn anew; what was told last stays."""
        self._kept.clear()
        for source in self._sources:
            source.forget()

    def _awake(self, source: Source, now_s: float) -> None:
        """Let a source that is heard recall what is kept of it."""
        kept = self._kept.pop(source.name, None)
        if kept is not None:
            source.recall(kept, now_s)

    # --- inputs ---

    def configure(self, settings: ControlSettings) -> None:
        """Let a home battery count by other settings from the next reading on."""
        self._settings = settings

    def observe(self, flow: PowerFlow) -> Told | None:
        """Take a reading into account; return what it tells if it is to be followed and is news."""
        start_s, end_s = flow.start.timestamp(), flow.end.timestamp()
        source = self._source(flow)
        if end_s <= source.heard_s:
            return None
        source.heard_s = end_s
        source.incomplete = self._is_incomplete(flow)
        if flow.grid_w is None or source.incomplete:
            return None
        source.end_s = end_s
        source.count(flow)
        charger_w = self._charger_w(source, flow, start_s, end_s)
        source.freshness.observe(flow, end_s, charger_w)
        self._judge(source, start_s, end_s, flow.grid_w, charger_w)
        if source.freshness.frozen:
            return None
        if charger_w is None:
            # The last one is outdated, and this one cannot be told.
            source.measure(flow, start_s, end_s, None)
        else:
            source.measure(flow, start_s, end_s, self._measured_w(flow, charger_w - flow.grid_w))
            source.hidden.observe(end_s, limited=flow.limited)
        return self._follow(source, start_s, end_s)

    def decided(self, now_s: float, power_w: float) -> None:
        """Take into account what the charger is set to from now on."""
        if power_w != self._decided_w:
            self._decided_w = power_w
            self._power.tell(now_s, power_w)
        for source in self._sources:
            source.hidden.decided(now_s, power_w)

    def _charger_w(self, source: Source, flow: PowerFlow, start_s: float, end_s: float) -> float | None:
        """Return what the charger drew in a reading; an instant may be older than its stamp."""
        if start_s < end_s or flow.grid_w is None:
            return self._power.mean_w(start_s, end_s)
        supply_w = None if flow.pv_w is None else flow.pv_w - (flow.battery_w or 0.0)
        charger_w = source.response.observe(end_s, flow.grid_w, self._power, supply_w)
        if charger_w is None or source.response.age_s:
            return charger_w
        return source.steady_w(end_s, flow.grid_w + (supply_w or 0.0), charger_w, self._power.range_w(end_s))

    def _measured_w(self, flow: PowerFlow, surplus_w: float) -> float:
        settings = self._settings
        return after_battery(surplus_w, flow, settings.battery, settings.battery_min_soc_pct)

    def _source(self, flow: PowerFlow) -> Source:
        for source in self._sources:
            if (source.rank, source.name) == (flow.rank, flow.source):
                return source
        if len(self._sources) == MOST_SOURCES:
            others = (source for source in self._sources if source is not self._driving)
            self._forget(max(others, key=lambda it: (it.rank, -it.heard_s)))
        source = Source(flow.source, flow.rank)
        self._awake(source, flow.end.timestamp())
        self._sources.append(source)
        self._sources.sort(key=lambda it: it.rank)  # among equals, the one heard first
        return source

    def _forget(self, source: Source) -> None:
        self._sources.remove(source)
        if source is self._driving:
            self._driving = None

    def _is_incomplete(self, flow: PowerFlow) -> bool:
        if flow.grid_w is None:
            return True
        if flow.battery_w is not None:
            self._battery_seen = True
        # Without its power, a battery that feeds the car would look like surplus.
        return flow.battery_w is None and self._battery_seen

    def _judge(
        self, source: Source, start_s: float, end_s: float, grid_w: float, charger_w: float | None
    ) -> None:
        """See whether instants and means of the same time agree."""
        if start_s == end_s:
            source.plausibility.add(end_s, grid_w)
        elif charger_w is not None:
            for other in self._sources:
                if other is not source:
                    other.plausibility.compare(start_s, end_s, grid_w, charger_w)

    def _follow(self, source: Source, start_s: float, end_s: float) -> Told | None:
        if not source.usable:
            return None
        self._driving = self._driving or source
        if source is not self._driving or end_s <= self._followed_end_s:
            return None
        stands_for_s = source.stands_for_s(start_s, end_s, self._followed_end_s)
        self._followed, self._followed_end_s = source, end_s
        surplus_w = source.surplus_w
        return None if surplus_w is None else (surplus_w, stands_for_s)

    # --- outputs ---

    def look(self, now_s: float) -> Age:
        """Choose who drives, and return what its readings are good for now. Looking again changes nothing."""
        for source in [it for it in self._sources if now_s - it.heard_s > FORGOTTEN_S]:
            if len(self._sources) > 1:
                self._forget(source)
        ages = {source: source.age(now_s) for source in self._sources}
        driving = self._choose(ages)
        if driving is None:
            return self._unknown.state(now_s)
        if driving is not self._driving:
            self._hand_over(driving)
        return ages[driving] if driving.usable else Age.STALE

    def _choose(self, ages: dict[Source, Age]) -> Source | None:
        present = self._driving
        good = [source for source in self._sources if source.usable]
        if present in good and ages[present] is not Age.STALE:
            good = good[: good.index(present)]  # what is trusted less may wait
            returned = (source for source in good if ages[source] is Age.FRESH and source.is_back)
            return next(returned, present)
        for wanted in (Age.FRESH, Age.LATE):
            for source in good:
                if ages[source] is wanted:
                    return source
        return present or next(iter(self._sources), None)

    def _hand_over(self, driving: Source) -> None:
        """Follow another source; what the last one told stays until there is news, unless it is untrue."""
        last, self._driving = self._followed, driving
        if last is None or not last.usable or driving.end_s > self._followed_end_s:
            self._followed, self._followed_end_s = driving, driving.end_s

    @property
    def surplus_w(self) -> float | None:
        """The surplus for the car as expected now."""
        return self._followed.surplus_w if self._followed and self._followed.usable else None

    def likely_w(self, surplus_w: float) -> tuple[float, ...]:
        """Return what the surplus may be, where this much is expected; each as likely, in rising order."""
        return (surplus_w,) if self._followed is None else self._followed.spread.around(surplus_w)

    @property
    def source(self) -> str | None:
        """The name of the source that drives."""
        return self._driving.name if self._driving else None

    @property
    def doubts(self) -> dict[str, Distrust]:
        """Which sources tell what cannot be true, and the probable cause."""
        return {source.name: source.doubt for source in self._sources if source.doubt is not None}

    def age_s(self, now_s: float) -> float | None:
        """Return the age of the reading that is followed, None before the first one."""
        if self._driving is None or self._followed is None:
            return None
        if self._followed is self._driving:
            return self._driving.freshness.age_s(now_s)
        return now_s - self._followed_end_s

    def distrust(self, now_s: float) -> Distrust | None:
        """Return why the source that is trusted most does not drive or, alone, says nothing of use."""
        if not self._sources:
            return None
        first = self._sources[0]
        if not first.usable:
            return first.doubt
        age = first.age(now_s)
        if first is self._driving and age is not Age.STALE:
            return None
        if age is Age.FRESH:
            return Distrust.RETURNING
        if first.incomplete:
            return Distrust.INCOMPLETE
        return Distrust.FROZEN if first.freshness.frozen else Distrust.SILENT
