"""The whole thing without hardware: simulated devices on loopback, real daemons beside them."""

from pvcharge.demo.broker import BrokerError
from pvcharge.demo.latest import Latest
from pvcharge.demo.options import DemoOptions, Summary
from pvcharge.demo.pages import PortError, choose_ports, until_shown
from pvcharge.demo.past import write_past
from pvcharge.demo.split import SplitDemo, SplitError
from pvcharge.demo.stage import Stage
from pvcharge.demo.standalone import Demo

__all__ = [
    "BrokerError",
    "Demo",
    "DemoOptions",
    "Latest",
    "PortError",
    "SplitDemo",
    "SplitError",
    "Stage",
    "Summary",
    "choose_ports",
    "until_shown",
    "write_past",
]
