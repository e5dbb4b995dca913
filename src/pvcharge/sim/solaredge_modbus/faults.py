"""What can be wrong with inverter, meter, battery and network: knobs that may be turned while it runs."""

from dataclasses import dataclass
from datetime import datetime


@dataclass
class ModbusFaults:
    """The knobs; all off by default. Each acts from the next request or connection on.

    Attributes:
        refuse: drop every connection at once, those that are open at their next request.
        second_client_wins: a second client is let in and the first is dropped, as some firmware does.
        refuse_after_close_s: refuse connections for that long of the clock's time after one was closed.
        silent_unknown_units: let requests to unknown units run into a time-out, instead of exception 0x0B.
        hang: accept connections and requests, and never answer: half-dead.
        slow_s: wait this many real seconds before each answer.
        drop: close the connection in the middle of each answer.
        garbage: answer with bytes that are no Modbus.
        wrong_transaction: answer with the transaction id of another request.
        wrong_unit: answer in the name of another unit.
        exception_code: answer everything with this exception (1..255).
        frozen_at: all values stand still since then.
        meter_backwards: the current transformers of the meters at the grid are mounted the wrong way.
        meter_scale: the meters at the grid show this many times the power, as with a wrong transformer.
        meter_missing: the registers of the meters at the grid are not there.
        battery_nan: the battery's values are NaN.
        battery_nan_s: they are so for this many seconds of the clock's time after each start.
    """

    refuse: bool = False
    second_client_wins: bool = False
    refuse_after_close_s: float = 0.0
    silent_unknown_units: bool = False
    hang: bool = False
    slow_s: float = 0.0
    drop: bool = False
    garbage: bool = False
    wrong_transaction: bool = False
    wrong_unit: bool = False
    exception_code: int | None = None
    frozen_at: datetime | None = None
    meter_backwards: bool = False
    meter_scale: float = 1.0
    meter_missing: bool = False
    battery_nan: bool = False
    battery_nan_s: float = 0.0
