"""What to do about an error of a device or service, as the key of a text of the table.

Errors are sentences of drivers, servers and libraries; what they are about is told by words within them.
"""

import re

_OTHER = "advice.other"
# The first that is found in an error counts.
_ABOUT: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (f"advice.{name}", re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("update", r"newer pvcharge|update pvcharge|does not speak MQTT v5"),
        ("certificate", r"certificate|\bTLS\b"),
        ("requests", r"request budget|no more requests|too many requests|requests of this site"),
        ("disk", r"\bdisk\b|permission|read-?only|see to its folder|set aside|cannot (?:read|write) /"),
        ("login", r"password|\blogin\b|\btoken|granted no access|refuses us|not allowed in|HTTP 40[13]"),
        ("edge", r"edge is offline"),
        ("one_connection", r"closes each connection|one connection|another client"),
        (
            "answer",
            r"SunSpec|is no SolarEdge|check host, port|unit \d+: refuses|no InfluxDB|is this a Wattpilot",
        ),
        ("restart", r"restart the box|did not take|silent for"),
    )
)
_UNREACHABLE = re.compile(
    r"connection|not connected|no answer|not answered|timed? ?out|unreachable|no route|name or service"
    r"|hung up",
    re.IGNORECASE,
)
_KINDS = ("inverter", "charger", "link", "service")


def advise(kind: str, error: str) -> str:
    """Return the key of the text that says what to do.

    Args:
        kind: of what fails: "inverter", "charger", "link" or "service".
        error: its last words.
    """
    for key, pattern in _ABOUT:
        if pattern.search(error):
            return key
    if kind in _KINDS and _UNREACHABLE.search(error):
        return f"advice.unreachable.{kind}"
    return _OTHER
