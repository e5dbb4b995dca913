"""The table of the configuration: what it takes, and how it refuses."""

import pytest
from pydantic import ValidationError

from pvcharge.drivers import base
from pvcharge.drivers.solaredge_modbus import DRIVER, SolarEdgeModbusSettings
from pvcharge.drivers.solaredge_modbus.settings import MOST_IDLE_S


def test_defaults() -> None:
    """A host is enough."""
    settings = SolarEdgeModbusSettings.model_validate({"host": "192.0.2.10"})
    assert (settings.name, settings.port, settings.units) == ("solaredge-modbus", 1502, (1,))
    assert (settings.interval_s, settings.request_timeout_s, settings.invert_meter) == (5.0, 3.0, False)
    assert MOST_IDLE_S < 120
    assert [endpoint.host for endpoint in settings.endpoints] == ["192.0.2.10"]


def test_as_toml_gives_it() -> None:
    """Lists and tables become units and further inverters; an IPv6 address is one too."""
    further = [{"host": "fe80::1", "units": [1, 2]}]
    table = {"driver": "solaredge_modbus", "host": "se.lan", "units": [1, 3], "further_inverters": further}
    settings = SolarEdgeModbusSettings.model_validate(table)
    assert [(each.host, each.port, each.units) for each in settings.endpoints] == [
        ("se.lan", 1502, (1, 3)),
        ("fe80::1", 1502, (1, 2)),
    ]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "host"),
        ({"host": ""}, "host"),
        ({"host": "http://se.lan"}, "host name"),
        ({"host": "se.lan:1502"}, "`port`"),
        ({"units": []}, "units"),
        ({"units": [0]}, "units"),
        ({"units": [248]}, "units"),
        ({"units": [1, 2, 1]}, "unit 1 is given twice"),
        ({"port": 0}, "port"),
        ({"interval_s": 0.5}, "interval_s"),
        ({"interval_s": 111}, "interval_s"),
        ({"request_timeout_s": 0}, "request_timeout_s"),
        ({"further_inverters": [{"host": "SE.lan"}]}, "se.lan:1502 is given twice"),
        ({"further_inverters": [{"port": 502}]}, "host"),
        ({"further_inverters": [{"host": "b", "unit": 3}]}, "unit"),
        ({"hots": "x"}, "hots"),
    ],
)
def test_refusals(table: dict[str, object], words: str) -> None:
    """Each refusal names the key, or says what is wrong."""
    with pytest.raises(ValidationError, match=words):
        SolarEdgeModbusSettings.model_validate(({"host": "se.lan"} if table else {}) | table)


def test_registry() -> None:
    """The name in the configuration leads here."""
    assert base.find(base.INVERTERS, "solaredge_modbus") is DRIVER
