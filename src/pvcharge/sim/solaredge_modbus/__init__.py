"""Pretends to be SolarEdge inverters with Modbus TCP, fed by the simulated house."""

from pvcharge.sim.solaredge_modbus.faults import ModbusFaults
from pvcharge.sim.solaredge_modbus.hardware import Inverter, ModbusHardware
from pvcharge.sim.solaredge_modbus.server import ModbusServer

__all__ = ["Inverter", "ModbusFaults", "ModbusHardware", "ModbusServer"]
