"""What to do about an error: each that our rooms tell leads to a text."""

import pytest

from pvcharge.words import advice, table

ERRORS = {
    ("charger", "wattpilot at 192.0.2.20: wrong password, says the box (no reason given); set …"): "login",
    ("charger", "wattpilot: no connection (refused); is the box on, and is the address right?"): (
        "unreachable.charger"
    ),
    ("charger", "wattpilot: silent for 60 s; restart the box if this goes on"): "restart",
    ("charger", "charger: the edge is offline or not heard; see whether it runs"): "edge",
    ("charger", "wattpilot: no login possible: which this version cannot do; look for a newer pvcharge"): (
        "update"
    ),
    ("inverter", "192.0.2.10:1502: no connection within 5 s; is it on, and in this network?"): (
        "unreachable.inverter"
    ),
    ("inverter", "192.0.2.10:1502: closes each connection; it accepts a single one"): "one_connection",
    ("inverter", "SolarEdge request budget: 0 of 2000 left, nothing to spend now; reads go on"): "requests",
    ("inverter", "no login for SolarEdge site 123456 yet; run pvcharge login"): "login",
    ("inverter", "roof: answers, but not as a SunSpec device; check host, port and units"): "answer",
    ("link", "wrong user or password; check username and password in [mqtt]"): "login",
    ("link", "its certificate is not to be trusted (expired); check ca_file and host"): "certificate",
    ("link", "the connection was lost"): "unreachable.link",
    ("service", "/var/lib/pvcharge/history.db: database or disk is full; see to disk and permissions"): (
        "disk"
    ),
    ("service", "no answer within 10 s"): "unreachable.service",
    ("service", "HTTP 422: partial write"): "other",
    ("something else", "no answer within 10 s"): "other",
}


@pytest.mark.parametrize(("kind", "error"), ERRORS)
def test_errors_lead_to_what_helps(kind: str, error: str) -> None:
    """Judged by the sentences that drivers, links and stores have today."""
    assert advice.advise(kind, error) == f"advice.{ERRORS[kind, error]}"


def test_every_advice_has_a_text_and_every_text_is_given() -> None:
    """The page shows a key that it does not find."""
    given = {advice.advise(kind, error) for kind, error in ERRORS}
    assert given == {key for key in table() if key.startswith("advice.")}
