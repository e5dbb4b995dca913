"""The SolarEdge monitoring cloud as an inverter: REST V2, and V1 for those who still have a server of it."""

from pvcharge.drivers.base import INVERTERS, Driver
from pvcharge.drivers.solaredge.inverter import SolarEdgeInverter
from pvcharge.drivers.solaredge.login import exchange
from pvcharge.drivers.solaredge.oauth import authorize_url
from pvcharge.drivers.solaredge.settings import SolarEdgeSettings

DRIVER = Driver(name="solaredge", kind=INVERTERS, settings=SolarEdgeSettings, create=SolarEdgeInverter)

__all__ = ["DRIVER", "SolarEdgeInverter", "SolarEdgeSettings", "authorize_url", "exchange"]
