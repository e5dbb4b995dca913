"""The parsers under test, by name."""

from targets import config, history, kept, modbus, mqtt, solaredge, trace, wattpilot, web, web_line
from targets.base import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        wattpilot.TARGET,
        solaredge.TARGET,
        modbus.REGISTERS,
        modbus.FRAMES,
        mqtt.PAYLOADS,
        mqtt.HOUSE,
        config.TOML,
        config.ENVIRONMENT,
        trace.TARGET,
        web.BODIES,
        web.ADDRESSES,
        web_line.TARGET,
        kept.TARGET,
        history.TARGET,
    )
}
