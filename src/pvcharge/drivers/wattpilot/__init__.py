"""The Fronius Wattpilot (old boxes and Flex) by its WebSocket interface in the local network.

The maker publishes no description of it. From the wire up: `messages` and `auth` know the words,
`session` their order, `codes` and `reading` the box's properties, `status` and `words` what they mean,
`plug` and `hand` what happened, `plan` what to write. `box` holds that state together, `link` alone owns
a socket, and `driver` is the charger that the daemon sees.
"""

from pvcharge.drivers.base import CHARGERS, Driver
from pvcharge.drivers.wattpilot.driver import WattpilotCharger
from pvcharge.drivers.wattpilot.settings import WattpilotSettings

DRIVER = Driver(name="wattpilot", kind=CHARGERS, settings=WattpilotSettings, create=WattpilotCharger)

__all__ = ["DRIVER", "WattpilotCharger", "WattpilotSettings"]
