"""The devices of the house: roof, box and car, cloud and inverter, which outlive the daemon."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from pvcharge.sim.car import Car
from pvcharge.sim.house import House
from pvcharge.sim.invented import invented
from pvcharge.sim.solaredge import SolarEdgeServer
from pvcharge.sim.solaredge_modbus import ModbusServer
from pvcharge.sim.wattpilot import WattpilotServer
from support.overheard_box import OverheardBox
from year.pace import ALONE, CHARGING, PLUGGED, Nudge, Pace, set_pace
from year.wall import TrueClock

Source = Literal["quarter", "live", "modbus"]

SITE_ID, CLIENT_ID, CLIENT_SECRET = 4711, "our-app", "our-app-secret"
PASSWORD = "box-password"
STEP_S = 20.0
PAST_S = 3 * 3600.0
KEPT_S = 16 * 3600.0  # of the house's past, which the cloud reads for its quarters
SECOND = timedelta(seconds=1)
BOOT_S = 40.0
STANDBY_W = 100.0
LOCAL_S = 60.0  # between two reads of the inverter in the house: a year has many
BRIGHT_W = 50.0
SILENCE_S = 240.0  # beyond the longest pause of a box that is simulated coarsely
DECIDE = ("frc", "psm", "amp", "lmo", "err", "trx", "acs", "dwo", "car")
SHOWN_AT_ONCE = ("car", "alw", "amp", "psm", "frc", "lmo", "err", "cbl", "cll")


class YearBox(OverheardBox):
    """A box that tells who watches of each write, and sleeps while nothing can happen to it."""

    def __init__(self, *, flex: bool) -> None:
        super().__init__(flex=flex, boot_s=BOOT_S, wh_noise=True, idle_while_switching=True)
        self._settings: tuple[Any, ...] = ()

    def tick(self, now: datetime) -> None:
        """Live up to `now`; while nothing can change, the last second tells all."""
        last, settings = self._ticked_at, tuple(self.properties[key] for key in DECIDE)
        if last is not None and settings == self._settings and self._rests and now - last > 2 * SECOND:
            skipped = (now - last) // SECOND - 1
            self._ticked_at = last + skipped * SECOND
            self._up += skipped * SECOND
            self._average_w = 0.0
        super().tick(now)
        self._settings = settings

    @property
    def _rests(self) -> bool:
        """Whether it would be the same for ever."""
        if not self.online or self._switching_s > 0 or self._simulates_unplug_s > 0:
            return False
        car = self.car
        return car is None or (car.power_w <= 0 and (car.full or car.asleep or not self.properties["alw"]))


class YearHouse:
    """All that stands in the house and in the cloud.

    Args:
        seed: of sun and household.
        clock: the true time.
        source: where the daemon gets its readings from.
        nudge: has the box tell at once what has happened to it.

    Attributes:
        watched: told after each step of the house.
        cable_a: what the cable that is plugged in can carry.
        starts: how often the daemon has started a charge.
        switches: how often it has switched phases.
        solar_wh: of what the cars got, not bought.
        bright_s: when the sun last shone.
        boosted_s: when a boost was last in force.
    """

    def __init__(self, seed: int, clock: TrueClock, source: Source, nudge: Nudge) -> None:
        self.clock, self.source = clock, source
        self._nudge = nudge
        self._shown: tuple[Any, ...] = ()
        self.box = YearBox(flex=seed % 3 == 0)
        self.profile = invented(seed)
        start = clock.now()
        self.house = House(
            self.profile, start=start, charger_w=lambda: self.box.power_w, step_s=STEP_S, keep_s=KEPT_S
        )
        self.house.prefill(PAST_S)
        self.cloud = SolarEdgeServer(
            self.house,
            site_id=SITE_ID,
            clock=clock,
            api_key="SITEKEY123",
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            tier="pro" if source == "live" else "basic",
        )
        self.server = WattpilotServer(self.box, password=PASSWORD, clock=clock)
        self.modbus = ModbusServer(self.house, clock=clock) if source == "modbus" else None
        self.watched: Callable[[], None] = lambda: None
        self.pace: Pace | None = None
        self.cable_a: int | None = None
        self.starts = self.switches = 0
        self.solar_wh = 0.0
        self.bright_s = self.boosted_s = float("-inf")

    @property
    def servers(self) -> list[SolarEdgeServer | WattpilotServer | ModbusServer]:
        """All that listens."""
        return [self.cloud, self.server, *([self.modbus] if self.modbus else [])]

    def inverters(self) -> list[dict[str, Any]]:
        """Return the `[[inverter]]` tables."""
        cloud = {
            "driver": "solaredge",
            "site_id": SITE_ID,
            "data": "live" if self.source == "live" else "quarter",
            "base_url": self.cloud.base_url,
            "authorize_url": f"{self.cloud.base_url}/authorize",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        if self.modbus is None:
            return [cloud]
        local = {"driver": "solaredge_modbus", "host": self.modbus.host, "port": self.modbus.port}
        return [{**local, "interval_s": LOCAL_S}, cloud]

    def charger(self) -> dict[str, Any]:
        """Return the `[charger]` table."""
        server = self.server
        address = {"host": server.host, "port": server.port}
        return {"driver": "wattpilot", **address, "password": PASSWORD, "silence_s": SILENCE_S}

    @property
    def charges(self) -> bool:
        """Whether the car draws power."""
        return self.box.power_w > STANDBY_W

    def surplus_w(self) -> float:
        """Return what the sun leaves for the car now."""
        now = self.clock.now()
        return self.profile.pv_w(now) - self.profile.load_w(now)

    async def live(self) -> None:
        """Let time pass in the house, at the pace that it is worth."""
        while True:
            now = self.clock.now()
            self.box.tick(now)
            self.house.advance(now)
            if self.profile.pv_w(now) > BRIGHT_W:
                self.bright_s = self.clock.seconds()
            pace = self._worth()
            if pace is not self.pace:
                self.pace = pace
                set_pace(pace)
            self._tell_changes()
            self.watched()
            self.solar_wh += min(self.box.power_w, max(0.0, self.surplus_w())) * pace.step_s / 3600
            await self.clock.sleep(pace.step_s)

    def plug(self, car: Car, cable_a: int) -> None:
        """Plug a car in."""
        self.box.tick(self.clock.now())
        self.box.plug(car, cable_a=cable_a)
        self.cable_a = cable_a
        self.box.tick(self.clock.now() + SECOND)
        self._tell_changes()

    def unplug(self) -> None:
        """Unplug the car."""
        self.box.tick(self.clock.now())
        self.box.unplug()
        self.cable_a = None
        self._tell_changes()

    def press(self, key: str, value: int) -> None:
        """Change a setting by hand."""
        self.box.tick(self.clock.now())
        self.box.press(key, value)
        self._tell_changes()

    def _tell_changes(self) -> None:
        shown = tuple(str(self.box.properties.get(key)) for key in SHOWN_AT_ONCE)
        if shown != self._shown:
            self._shown = shown
            self._nudge.now()

    def _worth(self) -> Pace:
        car = self.box.car
        if car is None:
            return ALONE
        if self.box.power_w > 0 or (self.box.properties["alw"] and not car.full):
            return CHARGING
        return PLUGGED if self.clock.seconds() - self.bright_s < PLUGGED.step_s else ALONE
