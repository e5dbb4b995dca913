"""What goes wrong at a broker, in words that say what to do about it."""

import ssl

from aiomqtt import MqttCodeError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from pvcharge.texts import printable

_UNSPECIFIED = 128  # what paho calls a connection that broke without a word
# MQTT v5 reason codes by which a broker turns us away for good, as far as it is up to us.
_REFUSALS = {
    132: "it does not speak MQTT v5; update it",
    133: "it does not like our client identifier",
    134: "wrong user or password; check username and password in [mqtt]",
    135: "wrong user or password, or not allowed in; check username and password in [mqtt]",
    138: "it has banned us; see its configuration",
    140: "it wants another way of logging in",
    142: "another client logged in under our name; does a second pvcharge run for this site?",
}


class LinkError(Exception):
    """The connection failed; the message says how and what to do.

    Attributes:
        refused: whether trying again soon is of no use.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


def explain(error: Exception) -> LinkError:
    """Put an error of aiomqtt, a socket or TLS into words."""
    for each in _chain(error):
        if isinstance(each, MqttCodeError) and isinstance(each.rc, ReasonCode):
            return _told(each.rc)
        if isinstance(each, ssl.SSLCertVerificationError):
            reason = f"its certificate is not to be trusted ({each.verify_message})"
            return LinkError(f"{reason}; check ca_file and host in [mqtt]", refused=True)
        if isinstance(each, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionResetError):
            return LinkError("it hung up on us; is tls in [mqtt] right for this port?")
        if isinstance(each, ssl.SSLError):
            reason = (getattr(each, "reason", None) or "no reason given").lower().replace("_", " ")
            hint = "check tls, port, cert_file and key_file in [mqtt]"
            return LinkError(f"no agreement on TLS ({reason}); {hint}", refused=True)
    return LinkError(_plain(error) or type(error).__name__)


def _told(reason: ReasonCode) -> LinkError:
    if reason.value == _UNSPECIFIED and reason.packetType == PacketTypes.DISCONNECT:
        return LinkError("the connection was lost")
    words = _REFUSALS.get(reason.value)
    return LinkError(words or f"{reason}".lower(), refused=words is not None)


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and what it came from, its context included: aiomqtt raises `from None`."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and before not in chain:
        chain.append(before)
    return chain


def _plain(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return printable(text, " ")[:200]
