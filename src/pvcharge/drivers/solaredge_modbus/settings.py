"""The `[[inverter]]` table of the driver for SolarEdge inverters in the local network."""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pvcharge.hosts import Host

MOST_IDLE_S = 110.0  # an inverter closes a connection that was silent for two minutes


def _distinct(units: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse a unit that would be counted twice."""
    twice = [str(unit) for unit, times in Counter(units).items() if times > 1]
    if twice:
        raise ValueError(f"unit {', '.join(twice)} is given twice; its power would be counted twice")
    return units


Port = Annotated[int, Field(ge=1, le=65535)]
Units = Annotated[
    tuple[Annotated[int, Field(ge=1, le=247)], ...], Field(min_length=1), AfterValidator(_distinct)
]


class Endpoint(BaseModel):
    """An inverter with a network connection of its own, and those behind it.

    Attributes:
        host: name or IP address.
        port: 1502 at inverters that are set up by SetApp, 502 at those with a display.
        units: Modbus unit ids behind that socket: the leader first, then its RS485 followers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Host
    port: Port = 1502
    units: Units = (1,)


class SolarEdgeModbusSettings(BaseModel):
    """Which inverters are read, and how often.

    Attributes:
        name: the source that readings and pages name.
        host: name or IP address of the inverter at which the grid meter is connected.
        port: 1502 at inverters that are set up by SetApp, 502 at those with a display.
        units: Modbus unit ids behind that socket: the leader first, then its RS485 followers.
        further_inverters: inverters of this house with an address of their own; all are summed up.
        interval_s: distance of reads while a car waits for surplus.
        request_timeout_s: how long one answer may take, in real seconds.
        invert_meter: the meter's current transformers are mounted backwards, so it counts export as import.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["solaredge_modbus"] = "solaredge_modbus"
    name: str = "solaredge-modbus"
    host: Host
    port: Port = 1502
    units: Units = (1,)
    further_inverters: tuple[Endpoint, ...] = ()
    interval_s: float = Field(default=5.0, ge=1.0, le=MOST_IDLE_S)
    request_timeout_s: float = Field(default=3.0, ge=0.1, le=30.0)
    invert_meter: bool = False

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All sockets to read from, that of `host` first."""
        return (Endpoint(host=self.host, port=self.port, units=self.units), *self.further_inverters)

    @model_validator(mode="after")
    def _no_socket_twice(self) -> Self:
        sockets = [(self.host.casefold(), self.port)]
        sockets += [(further.host.casefold(), further.port) for further in self.further_inverters]
        for (host, port), times in Counter(sockets).items():
            if times > 1:
                raise ValueError(
                    f"{host}:{port} is given twice, but an inverter accepts one connection: "
                    "name all unit ids behind it in one `units`"
                )
        return self
