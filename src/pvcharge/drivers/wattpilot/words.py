"""The box's numbers in words."""

_ERRORS = {
    1: "residual current, AC",
    2: "residual current, DC",
    3: "phase fault",
    4: "overvoltage",
    5: "overcurrent",
    6: "diode fault in the car",
    7: "cable coding invalid",
    8: "no protective earth",
    9: "contactor stuck",
    10: "contactor missing",
    11: "residual current, unknown",
    12: "unknown fault",
    13: "too hot",
    14: "no internal communication",
    15: "lock stuck open",
    16: "lock stuck locked",
}

_MODEL_STATUS = {
    0: "no data from the charge controller",
    1: "too hot",
    2: "waits for a card or the app",
    3: "charges: forced on",
    4: "does not charge: forced off",
    5: "does not charge: timetable",
    6: "energy limit reached",
    7: "charges: low price",
    8: "charges: next trip",
    9: "charges: next trip",
    10: "charges: next trip",
    11: "charges: next trip",
    12: "charges: own PV surplus logic",
    13: "charges: default",
    14: "charges: timetable",
    15: "charges: default",
    16: "does not charge: price",
    17: "does not charge: Eco mode waits",
    18: "does not charge: next trip waits",
    19: "charges: keeps the car awake",
    20: "charges: pauses are not allowed",
    22: "does not charge: simulates an unplug",
    23: "does not charge: phase switch",
    24: "does not charge: least pause",
    26: "fault",
    27: "does not charge: load management",
    28: "does not charge: OCPP",
    29: "does not charge: delay after reconnect",
    30: "does not charge: adapter",
    31: "does not charge: low mains frequency",
    32: "does not charge: unbalanced load",
    33: "charges: from the house battery",
    34: "does not charge: grid monitoring",
    35: "does not charge: OCPP fallback",
}


def error_words(code: int) -> str:
    """Return the meaning of the property `err`."""
    return _ERRORS.get(code, f"fault {code}")


def model_status_words(code: int) -> str:
    """Return why the box does or does not charge, from the property `modelStatus`."""
    return _MODEL_STATUS.get(code, f"model status {code}")
