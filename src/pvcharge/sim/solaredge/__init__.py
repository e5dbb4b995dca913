"""Pretends to be the SolarEdge monitoring cloud: REST V2, its OAuth pages, and the retired V1."""

from pvcharge.sim.solaredge.faults import SolarEdgeFaults
from pvcharge.sim.solaredge.limits import SolarEdgeLimits
from pvcharge.sim.solaredge.server import SolarEdgeServer

__all__ = ["SolarEdgeFaults", "SolarEdgeLimits", "SolarEdgeServer"]
