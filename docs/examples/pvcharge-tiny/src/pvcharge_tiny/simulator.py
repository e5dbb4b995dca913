"""Pretends to be both devices, with a roof that gives 6 kW: python -m pvcharge_tiny.simulator [PORT]."""

import sys
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

VOLTAGE_V = 230.0
HOUSE_W = 400.0


@dataclass(slots=True)
class TinyHouse:
    """What the devices would measure.

    Attributes:
        pv_w: production.
        car: as the charger says it.
        phases: that the charger is set to.
        amps: that the charger is set to, per phase.
        max_amps: that it allows.
        deaf: whether it answers a write as if it had obeyed, and does not.
        count: readings made.
        writes: setpoints that came in.
    """

    pv_w: float = 6000.0
    car: str = "charging"
    phases: int = 0
    amps: int = 0
    max_amps: int = 16
    deaf: bool = False
    count: int = 1
    writes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def charger_w(self) -> float:
        """What the car draws."""
        return self.phases * self.amps * VOLTAGE_V if self.car == "charging" else 0.0

    def app(self) -> web.Application:
        """Return the server."""
        app = web.Application()
        app.router.add_get("/power", self._power)
        app.router.add_get("/status", self._status)
        app.router.add_put("/setpoint", self._set)
        return app

    async def _power(self, _request: web.Request) -> web.Response:
        grid_w = HOUSE_W + self.charger_w - self.pv_w
        return web.json_response({"count": self.count, "age_s": 0.5, "pv_w": self.pv_w, "grid_w": grid_w})

    async def _status(self, _request: web.Request) -> web.Response:
        self.count += 1
        status = {
            "car": self.car,
            "power_w": self.charger_w,
            "phases": self.phases,
            "amps": float(self.amps),
            "set_phases": self.phases,
            "set_amps": self.amps,
            "max_amps": self.max_amps,
        }
        return web.json_response(status)

    async def _set(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        self.writes.append((body["phases"], body["amps"]))
        if not self.deaf:
            self.phases, self.amps = body["phases"], body["amps"]
        return web.json_response({"ok": True})


if __name__ == "__main__":
    port = int(sys.argv[1]) if sys.argv[1:] else 8091
    web.run_app(TinyHouse().app(), host="127.0.0.1", port=port)
