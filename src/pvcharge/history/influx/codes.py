"""Numbers for what is a word elsewhere, as graphs and VictoriaMetrics want them. None is ever given anew."""

from collections.abc import Mapping
from typing import Any

from pvcharge.model import ChargerState, Distrust, Mode, Reason

STATE_CODES = {
    ChargerState.UNKNOWN: 0,
    ChargerState.DISCONNECTED: 1,
    ChargerState.READY: 2,
    ChargerState.CHARGING: 3,
    ChargerState.COMPLETE: 4,
    ChargerState.ERROR: 5,
}
MODE_CODES = {Mode.OFF: 0, Mode.SURPLUS: 1, Mode.MIN_SURPLUS: 2, Mode.BOOST: 3}
REASON_CODES = {
    Reason.NO_STATUS: 0,
    Reason.CHARGER_FAULT: 1,
    Reason.CHARGER_LIMIT: 2,
    Reason.NO_CAR: 3,
    Reason.SWITCHED_OFF: 4,
    Reason.BOOST: 5,
    Reason.BY_HAND: 6,
    Reason.NO_DATA: 7,
    Reason.STALE_HOLD: 8,
    Reason.STALE_MINIMUM: 9,
    Reason.STALE_STOP: 10,
    Reason.FOLLOWING: 11,
    Reason.MINIMUM: 12,
    Reason.TOO_LITTLE: 13,
    Reason.NOT_WORTH_IT: 14,
    Reason.MIN_ON_TIME: 15,
    Reason.MIN_OFF_TIME: 16,
    Reason.SWITCH_LIMIT: 17,
}
DISTRUST_CODES = {
    None: 0,
    Distrust.SILENT: 1,
    Distrust.FROZEN: 2,
    Distrust.INCOMPLETE: 3,
    Distrust.RETURNING: 4,
    Distrust.BACKWARDS: 5,
    Distrust.SCALED: 6,
    Distrust.OTHER_METER: 7,
    Distrust.CONTRADICTED: 8,
}
CODES: Mapping[str, Mapping[Any, int]] = {
    "state_code": STATE_CODES,
    "mode_code": MODE_CODES,
    "reason_code": REASON_CODES,
    "distrust_code": DISTRUST_CODES,
}
