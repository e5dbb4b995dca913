"""Energies, integrated once over time."""

from pvcharge.history.energy.meter import EnergyMeter, Increment, Quantity

__all__ = ["EnergyMeter", "Increment", "Quantity"]
