"""The Fronius Wattpilot (old boxes and Flex) by its WebSocket interface in the local network.

The maker publishes no description of it. From the wire up: `messages` and `auth` know the words,
`session` the order of them, `reading` and `status` what they mean, `plug` and `hand` what happened
since, `plan` what to write; `box` holds the state together, and `driver` alone owns a socket.
"""

from pvcharge.drivers.base import CHARGERS, Driver
from pvcharge.drivers.wattpilot.driver import WattpilotCharger
from pvcharge.drivers.wattpilot.settings import WattpilotSettings

DRIVER = Driver(name="wattpilot", kind=CHARGERS, settings=WattpilotSettings, create=WattpilotCharger)

__all__ = ["DRIVER", "WattpilotCharger", "WattpilotSettings"]
