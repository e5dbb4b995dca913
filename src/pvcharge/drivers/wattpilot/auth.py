"""Login of the Wattpilot: from password and serial number to a key, from the key to proofs.

The password never crosses the wire. Both sides derive the same key from it; the client proves that it
knows the key when it logs in, and again with every write.
"""

import base64
import hashlib
import hmac

import bcrypt

PBKDF2 = "pbkdf2"
BCRYPT = "bcrypt"

_FLEX = "wattpilot_flex"
_PBKDF2_ROUNDS = 100_000
_PBKDF2_BYTES = 24  # the box derives 256, but uses the first 32 base64 characters only, which are these
_BCRYPT_PREFIX = "$2a$08$"
_BCRYPT_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BCRYPT_HEADER = 29  # characters of prefix and salt before the hash proper
_SALT_BYTES = 16
_SIX_BITS = 63


def choose_algorithm(announced: str | None, device_type: str) -> str:
    """Return `PBKDF2` or `BCRYPT`: what the box asks for, else what its kind is known to use.

    Raises:
        ValueError: the box asks for something else; a guess would only burn login attempts.
    """
    if announced is None:
        return BCRYPT if device_type == _FLEX else PBKDF2
    if announced not in (PBKDF2, BCRYPT):
        raise ValueError("neither pbkdf2 nor bcrypt")
    return announced


def derive_key(algorithm: str, password: str, serial: str) -> bytes:
    """Return the key shared with the box, as ASCII. Takes up to 0.1 s of computing.

    Raises:
        ValueError: bcrypt with a serial number that is not 1 to 16 decimal digits.
    """
    if algorithm == PBKDF2:
        raw = hashlib.pbkdf2_hmac("sha512", password.encode(), serial.encode(), _PBKDF2_ROUNDS, _PBKDF2_BYTES)
        return base64.b64encode(raw)
    digest = hashlib.sha256(password.encode()).hexdigest()
    return bcrypt.hashpw(digest.encode(), bcrypt_salt(serial).encode())[_BCRYPT_HEADER:]


def bcrypt_salt(serial: str) -> str:
    """Return the salt that the box makes of its serial number: a byte per digit, zeros in front.

    Raises:
        ValueError: not 1 to 16 decimal digits.
    """
    if not (serial.isascii() and serial.isdigit() and len(serial) <= _SALT_BYTES):
        raise ValueError("the serial number is not 1 to 16 decimal digits")
    salt = bytes(int(digit) for digit in serial).rjust(_SALT_BYTES, b"\0")
    bits = int.from_bytes(salt, "big") << 4  # 128 bits filled up to 132, which are 22 characters of 6
    return _BCRYPT_PREFIX + "".join(
        _BCRYPT_ALPHABET[bits >> shift & _SIX_BITS] for shift in range(126, -1, -6)
    )


def login_proof(key: bytes, token1: str, token2: str, token3: str) -> str:
    """Return the hash that answers the box's two tokens, with our own `token3` mixed in."""
    first = hashlib.sha256(token1.encode() + key).hexdigest()
    return hashlib.sha256(f"{token3}{token2}{first}".encode()).hexdigest()


def sign(key: bytes, data: str) -> str:
    """Return the HMAC of exactly this text, in lower-case hex."""
    return hmac.new(key, data.encode(), hashlib.sha256).hexdigest()
