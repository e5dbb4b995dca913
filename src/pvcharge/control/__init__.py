"""Decides. Pure: no I/O, no asyncio, no clock, no logging."""

from pvcharge.control.controller import Controller
from pvcharge.control.settings import BatteryPolicy, ControlSettings, Objective, OnStale

__all__ = ["BatteryPolicy", "ControlSettings", "Controller", "Objective", "OnStale"]
