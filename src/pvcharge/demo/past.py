"""The days before a demo: what its daemon would have recorded, had it run in this house for a week.

The real controller decides in virtual time, and what it sees and decides goes through the same accounting as
that of a daemon, but in steps of a minute, and into the file within a second or two of real time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random

from pvcharge import __version__
from pvcharge.control import Controller, ControlSettings
from pvcharge.demo.options import DemoOptions
from pvcharge.demo.scene import PAST_S, Scene
from pvcharge.history.archive import FILE
from pvcharge.history.belief import Belief
from pvcharge.history.buckets import Buckets
from pvcharge.history.energy import EnergyMeter
from pvcharge.history.rows import Event
from pvcharge.history.sessions import Prices, SessionTracker
from pvcharge.history.store import Batch, Store
from pvcharge.model import Decision, Mode, ModeCommand, PowerFlow
from pvcharge.sim.chargepoint import ChargePoint
from pvcharge.sim.feed import Feed, Source
from pvcharge.sim.house import House
from pvcharge.sim.invented import ZONE
from pvcharge.sim.trace import Trace

DAYS = 7
STEP = timedelta(seconds=90)  # so coarse that all of it takes no longer than a new user is patient
WRITE_EVERY = timedelta(hours=1)
NOISE_W = 5.0  # without it, equal values of a whole night would rightly be taken for old ones
KEEP_S = 3600.0  # of the house's past; no source is slower than 36 minutes
# The names that the drivers give to what they read.
CLOUD, IN_THE_HOUSE = "solaredge", "solaredge-modbus"


@dataclass(frozen=True, slots=True)
class _Visit:
    """A car at the cable: how many days before the demo, local hours, beyond 24 on the next day."""

    days_before: int
    from_h: float
    until_h: float
    wanted_wh: float
    boost_at_h: float | None = None  # for an hour


DIARY = (
    _Visit(7, 12.5, 31.0, 16_000),
    _Visit(6, 13.0, 31.5, 11_000),
    # The fifth day before, it is away.
    _Visit(4, 10.0, 31.0, 24_000, boost_at_h=18.5),
    _Visit(3, 14.0, 33.0, 9_000),
    _Visit(2, 10.5, 18.0, 14_000),
    _Visit(1, 9.0, 22.0, 20_000),
)


@dataclass(frozen=True, slots=True)
class _Moment:
    """Something that happens to the charger, or to the controller."""

    at: datetime
    plugs_in_wh: float | None = None
    unplugs: bool = False
    command: ModeCommand | None = None


def write_past(options: DemoOptions, state_dir: Path) -> None:
    """Write the days before a demo into the store of its daemon. Blocks, and needs no event loop.

    Of a recorded trace there are but the hours between its beginning and that of the demo.

    Args:
        options: of the demo.
        state_dir: the folder where the daemon keeps its store.
    """
    scene = Scene.of(options)
    local = scene.start.astimezone(ZONE)
    midnight = datetime.combine(local.date() - timedelta(days=DAYS), time(), ZONE)
    begin = midnight.astimezone(UTC)
    if isinstance(scene.profile, Trace):
        begin = max(begin, scene.profile.start)
    if begin + STEP > scene.start:
        return
    store = Store.open(state_dir / FILE)
    try:
        _Days(scene, options, begin, store).run()
    finally:
        store.close()


class _Days:
    """House, charger and controller, and the accounts of them.

    Args:
        scene: the house, and when its past ends.
        options: of the demo.
        begin: when the past begins.
        store: where it goes.
    """

    def __init__(self, scene: Scene, options: DemoOptions, begin: datetime, store: Store) -> None:
        settings = ControlSettings()
        self._now, self._end = begin, scene.start
        self._source = options.source
        self._charger = ChargePoint()
        step_s = STEP.total_seconds()
        self._house = House(
            scene.profile, start=begin, charger_w=lambda: self._charger.power_w, step_s=step_s, keep_s=KEEP_S
        )
        self._feed = Feed(options.source, self._house, start=begin, seed=options.seed)
        self._random = Random(options.seed)  # noqa: S311 - noise
        self._moments = list(_moments(begin, scene.start))[::-1]  # the next one last
        self._controller = Controller(settings)
        self._accounts = _Accounts(store, Prices(settings.import_price, settings.feed_in_price))
        store.begin_run(begin, __version__, settings.model_dump_json())

    def run(self) -> None:
        """Live through all of it."""
        written = self._now
        while self._now + STEP <= self._end:
            self._step()
            if self._now - written >= WRITE_EVERY:
                self._accounts.write(self._now)
                written = self._now
        self._accounts.close(self._now)

    def _step(self) -> None:
        charger = self._charger
        while self._moments and self._moments[-1].at <= self._now:
            self._happen(self._moments.pop())
        charger.step(STEP.total_seconds())
        self._now += STEP
        self._house.advance(self._now)
        self._observe()
        decision = self._controller.decide(self._now)
        self._accounts.take(decision)
        if decision.binding:
            charger.command(decision.setpoint.phases, decision.setpoint.current_a)

    def _happen(self, moment: _Moment) -> None:
        if moment.unplugs:
            self._charger.unplug()
        if moment.plugs_in_wh is not None:
            self._charger.plug_in(moment.plugs_in_wh)
        if moment.command is not None:
            self._controller.set_mode(moment.command.mode, moment.command.until)
            self._accounts.take(moment.command)

    def _observe(self) -> None:
        status = self._charger.status(self._now)
        self._controller.observe(status)
        self._accounts.take(status)
        for reading in self._readings():
            heard = self._with_noise(reading)
            self._controller.observe(heard)
            self._accounts.take(heard)

    def _readings(self) -> Iterator[PowerFlow]:
        """Yield what the inverter has just told: in the house, of the step that has ended."""
        if self._source is not Source.MODBUS:
            for reading in self._feed.due(self._now):
                yield replace(reading, source=CLOUD)
            return
        mean = self._house.mean(self._now - STEP, self._now)
        if mean is not None:
            powers_w = mean.pv_w, mean.grid_w, mean.battery_w, mean.load_w
            yield PowerFlow(mean.at, self._now, *powers_w, source=IN_THE_HOUSE)

    def _with_noise(self, told: PowerFlow) -> PowerFlow:
        """Return what a meter makes of it, which is never as still as an invented house at night."""
        if told.grid_w is None or told.load_w is None:
            return told
        noise_w = self._random.uniform(-NOISE_W, NOISE_W)
        return replace(told, grid_w=told.grid_w + noise_w, load_w=max(0.0, told.load_w + noise_w))


class _Accounts:
    """Counts and keeps what it is told, by the parts of the daemon's recorder."""

    def __init__(self, store: Store, prices: Prices) -> None:
        self._store = store
        self._belief = Belief()
        self._meter = EnergyMeter()
        self._sessions = SessionTracker(prices)
        self._buckets = Buckets()
        self._waiting: list[Event] = []

    def take(self, event: Event) -> None:
        """Take an event into account."""
        self._waiting.append(event)
        if isinstance(event, Decision):
            self._belief.take(event)
        if isinstance(event, PowerFlow) and not self._belief.counts(event):
            return
        for increment in self._meter.take(event):
            self._buckets.add(increment)
        ended = self._sessions.take(event)
        if ended is not None:
            self._waiting.append(ended)

    def write(self, now: datetime) -> None:
        """Write what has come since the last time."""
        self._store.write(Batch(now, self._waiting, self._buckets.take(), ZONE))
        self._waiting = []

    def close(self, now: datetime) -> None:
        """Write what is left, and from what the daemon goes on counting."""
        states = {"energy": self._meter.state(), "session": self._sessions.state()}
        self._store.write(Batch(now, self._waiting, self._buckets.take(), ZONE, states))


def _moments(begin: datetime, end: datetime) -> Iterator[_Moment]:
    """Yield what happens in this time, in order; the car has left before the demo's own house begins."""
    midnight = datetime.combine(end.astimezone(ZONE).date(), time(), ZONE)
    gone = end - timedelta(seconds=PAST_S)
    for visit in DIARY:
        day = midnight - timedelta(days=visit.days_before)

        def at(hour: float, day: datetime = day) -> datetime:
            return (day + timedelta(hours=hour)).astimezone(UTC)

        comes, leaves = at(visit.from_h), min(at(visit.until_h), gone)
        if comes < begin or comes >= leaves:
            continue
        yield _Moment(comes, plugs_in_wh=visit.wanted_wh)
        if visit.boost_at_h is not None:
            boost = ModeCommand(Mode.BOOST, at(visit.boost_at_h + 1))
            yield _Moment(at(visit.boost_at_h), command=boost)
        yield _Moment(leaves, unplugs=True)
