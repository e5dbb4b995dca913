"""How the box checks a login and a signed message: PBKDF2 on older boxes, bcrypt on the Flex."""

import base64
import hashlib
import hmac
from enum import StrEnum

import bcrypt

_BCRYPT_ALPHABET = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE64_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_BCRYPT = bytes.maketrans(_BASE64_ALPHABET, _BCRYPT_ALPHABET)
_SALT_CHARS = 22
_SALT_BYTES = 16
_PBKDF2_ROUNDS = 100_000
_PBKDF2_BYTES = 24  # the key is 32 characters of base64, which are 24 bytes; the box derives more and cuts


class Algorithm(StrEnum):
    """How the key is derived from the password; the values of `hash` in `authRequired`."""

    PBKDF2 = "pbkdf2"
    BCRYPT = "bcrypt"


def derive_key(password: str, serial: str, algorithm: Algorithm) -> bytes:
    """Return the key of a password on the box with this serial number; takes some ten milliseconds.

    Raises:
        ValueError: bcrypt with a serial number that has other characters than 16 digits at most.
    """
    if algorithm is Algorithm.PBKDF2:
        raw = hashlib.pbkdf2_hmac("sha512", password.encode(), serial.encode(), _PBKDF2_ROUNDS, _PBKDF2_BYTES)
        return base64.b64encode(raw)
    salt = bytes(int(digit) for digit in serial).rjust(_SALT_BYTES, b"\0")
    salt64 = base64.b64encode(salt).translate(_TO_BCRYPT)[:_SALT_CHARS]
    settings = b"$2a$08$" + salt64
    secret = hashlib.sha256(password.encode()).hexdigest()
    return bcrypt.hashpw(secret.encode(), settings)[len(settings) :]


def login_hash(key: bytes, token1: str, token2: str, token3: str) -> str:
    """Return the `hash` that a client with this key puts into `auth`; token3 is the client's own."""
    inner = hashlib.sha256(token1.encode() + key).hexdigest()
    return hashlib.sha256((token3 + token2 + inner).encode()).hexdigest()


def signature(key: bytes, data: str) -> str:
    """Return the `hmac` over exactly the string that a `securedMsg` carries."""
    return hmac.new(key, data.encode(), hashlib.sha256).hexdigest()


def same(given: object, expected: str) -> bool:
    """Compare what a client sent without telling by the time taken where it differs."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())
