"""SolarEdge inverters in the local network as an inverter: Modbus TCP, reading only."""

from pvcharge.drivers.base import INVERTERS, Driver
from pvcharge.drivers.solaredge_modbus.inverter import SolarEdgeModbusInverter
from pvcharge.drivers.solaredge_modbus.settings import Endpoint, SolarEdgeModbusSettings

DRIVER = Driver(
    name="solaredge_modbus",
    kind=INVERTERS,
    settings=SolarEdgeModbusSettings,
    create=SolarEdgeModbusInverter,
)

__all__ = ["DRIVER", "Endpoint", "SolarEdgeModbusInverter", "SolarEdgeModbusSettings"]
