"""A simulated Fronius Wattpilot: the box, its WebSocket server, and what can go wrong with them."""

from pvcharge.sim.wattpilot.box import WattpilotBox
from pvcharge.sim.wattpilot.faults import WattpilotFaults
from pvcharge.sim.wattpilot.server import WattpilotServer

__all__ = ["WattpilotBox", "WattpilotFaults", "WattpilotServer"]
