"""Secrets that occur nowhere else, and every form in which one of them could be told."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

# With letters that every encoding writes differently; where a key must be one word of ASCII, it is.
BOX = "pl4nted box/+ä&'"
BOX_WRONG = "pl4nted wrong box"
API_KEY = "PL4NTEDFLEETKEY"
V1_KEY = "PL4NTEDV1KEY"
CLIENT_SECRET = "pl4nted-client/+="
ACCESS, REFRESH = "pl4nted-access", "pl4nted-refresh"
CODE = "pl4ntedcode"
MQTT, MQTT_WRONG = "pl4nted+mqtt/%", "pl4nted-wrong-mqtt"
INFLUX = "pl4nted-influx+/=="
PAGE, PAGE_WRONG = "pl4nted page/+", "pl4nted wrong page"
STRAY = "pl4nted-stray"  # put where no secret belongs
USERS = ("controller",)  # with whom a password may stand in a login by HTTP

SECRETS = (
    *(BOX, BOX_WRONG, API_KEY, V1_KEY, CLIENT_SECRET, ACCESS, REFRESH, CODE),
    *(MQTT, MQTT_WRONG, INFLUX, PAGE, PAGE_WRONG, STRAY),
)


def forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as it would stand in a URL, in JSON, in a header or in a dump of bytes."""
    raw = secret.encode()
    yield secret
    yield json.dumps(secret)[1:-1]
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield repr(secret)[1:-1]
    yield raw.hex()
    for login in (raw, *(f"{user}:{secret}".encode() for user in USERS)):
        # What stands before it shifts the letters of base64; the end may be cut off.
        yield from (base64.b64encode(login).decode().rstrip("="), base64.urlsafe_b64encode(login).decode())


def found(text: bytes, secrets: Iterable[str]) -> list[str]:
    """Return the forms of secrets that are in a text, in whatever case."""
    lower = text.lower()
    wanted = {form for secret in secrets for form in forms(secret)}
    return sorted(form for form in wanted if form.lower().encode() in lower)


def leaks(outputs: Mapping[str, bytes], secrets: Iterable[str]) -> dict[str, list[str]]:
    """Return by output which forms are in it, without outputs that hold none."""
    told = {name: found(content, secrets) for name, content in outputs.items()}
    return {name: some for name, some in told.items() if some}
