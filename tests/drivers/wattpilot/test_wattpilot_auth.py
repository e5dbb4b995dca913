"""The login's cryptography against values that other programs have computed."""

from dataclasses import dataclass

import pytest

from pvcharge.drivers.wattpilot.auth import (
    BCRYPT,
    PBKDF2,
    bcrypt_salt,
    choose_algorithm,
    derive_key,
    login_proof,
    sign,
)


@dataclass(frozen=True)
class Login:
    """What a client and a box know in one login."""

    serial: str
    password: str
    token1: str
    token2: str
    token3: str


LOGINS = {
    "short": Login(
        "10000001",
        "wattpilot",
        "YJXAL4PsUsV9iQAUhW4rWShhMNKebqjS",
        "fTHFDHiwQUBlmQfmUKgtBK00lMpJIdoz",
        "0123456789abcdef0123456789abcdef",
    ),
    "signs": Login("91234567", "Pa$$w0rd!2026", "A" * 32, "B" * 32, "c" * 32),
    "unicode": Login(
        "00123456",
        "grün☀Strom-Überschuss",
        "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "f9e8d7c6b5a493827160f5e4d3c2b1a0",
        "deadbeef" * 4,
    ),
    "long": Login("32453543", "x" * 80, "token-one", "token-two", "0" * 32),
    "published": Login(
        "10000001", "example-password", "token-one", "token-two", "000102030405060708090a0b0c0d0e0f"
    ),
}

PROOFS = [
    (
        "short",
        PBKDF2,
        "BzBKdcHBVFgLL3VWlI0rpeIWCbQxxJnH",
        "c37bd639d21847179aaf1dedc46a3391b08788b50431a99e3d268b9f29725ff6",
    ),
    (
        "signs",
        PBKDF2,
        "svLwRCcRS2elj34OBSJoxXHc1XncJwgh",
        "82163db9e08909fa788e58f802b8bfa1c66da1430b149b5a641a9f7bec2a9ca3",
    ),
    (
        "unicode",
        PBKDF2,
        "oWZRUgPI7TnyiCh1skC2jOMvf3L3TxMd",
        "916c9a7ab1e25e618ed0096b78a2d806466d51c84ecd895c6fb00fefff0689fd",
    ),
    (
        "long",
        PBKDF2,
        "1X9sVnY1ORT4COU0ip7R/EDurXeKpChh",
        "fa9dfa6ac43a826b135f46ba69fdf8080d3107a3b6e61853b82d4ce1804f5db9",
    ),
    (
        "published",
        PBKDF2,
        "M0EStldQZDSYxD81d70Y7fa1P0dHS7ph",
        "cb0e8d966f518ac5d3c488757b361fa0c5fd7cbf27753584e9f02760c9ec5696",
    ),
    (
        "short",
        BCRYPT,
        "bhBfi29l7pxiRp2vUOconxHbscakDzy",
        "e6bb09b0d848e3936b8855fc14ceafae1bf01022b934fd7bf4a3447b8fcdc82d",
    ),
    (
        "signs",
        BCRYPT,
        "kEupNLtV.ogge0R2sl9kW.Mr1ay4xeS",
        "39343241455c191f8b9ff2e2588a57b75de02eaef75ed0a0b638d0ca31dec713",
    ),
    (
        "unicode",
        BCRYPT,
        "BZBiSREq8Iolk6ghxxnnth9ppmygvlC",
        "8a0fb8e7aef86cac59fd84073098e38d28f2440ca405e9eb24f2bd4202d1f5f5",
    ),
    (
        "long",
        BCRYPT,
        "3mqqi6MvBptWiF/pdGRx5OtIq/269Nq",
        "2ad1ac7c1614cbf1161ecb3c19e28ee3c75b63e995742aa530c4c95179991919",
    ),
    (
        "published",
        BCRYPT,
        "w18liQdhm0/A6.DVaTEbjhenCxPaa62",
        "72d3fa7c9ca063e6a8d1f35d0da8321fc04b66f63950e1eb8dd345ea3ccd7655",
    ),
]

SALTS = [
    ("10000001", "$2a$08$.........../.........O"),
    ("91234567", "$2a$08$...........H.OGB/.SE/u"),
    ("00123456", "$2a$08$..............CA.uOD/e"),
    ("32453543", "$2a$08$...........B.eOD.uSC.u"),
]

KEY_SHORT = {PBKDF2: "BzBKdcHBVFgLL3VWlI0rpeIWCbQxxJnH", BCRYPT: "bhBfi29l7pxiRp2vUOconxHbscakDzy"}
KEY_PUBLISHED = {PBKDF2: "M0EStldQZDSYxD81d70Y7fa1P0dHS7ph", BCRYPT: "w18liQdhm0/A6.DVaTEbjhenCxPaa62"}
SIGNED = [
    (
        KEY_SHORT,
        '{"type": "setValue", "requestId": 1, "key": "amp", "value": 16}',
        "f4084c4e12a06366bd5641d7e7f3f757049ad2d06b971a59a8c2c39821dc09f6",
        "18dd39e93a183fae210c96b5a980bdae65032da0e2dcafb5dae26356c62bb5da",
    ),
    (
        KEY_SHORT,
        '{"type": "setValue", "requestId": 2, "key": "frc", "value": 1}',
        "b38e228ed2c4cb572dbdafe9934796f547b2ac722e646b73d6d4387a7872f87e",
        "ee25e1f9258d942970d51ea5956ea236f85a0bd785c9466772a46b2e49fce9df",
    ),
    (
        KEY_SHORT,
        '{"type": "setValue", "requestId": 3, "key": "fup", "value": false}',
        "7dd0b6634a9cdb4577f392ea0aec058ed16d2613dd6884da8424f64a6e178e54",
        "955ec243d5e58856eab9f438448bef833e68a1b2c53c8fb3fcb0e79ee1aca5c9",
    ),
    (
        KEY_SHORT,
        '{"type": "setValue", "requestId": 5, "key": "dwo", "value": null}',
        "b0f2bcf9128e8343163b96ec8c0b321314e303fa55c525393527123ef864d82d",
        "868ddf2f766032b215a4fb8af2909b7d74f3247544114f2e625848dd3a61ab49",
    ),
    (
        KEY_SHORT,
        '{"type":"setValue","requestId":1,"key":"amp","value":16}',
        "80dc7f73db5958b70bdf1a3407a7b465673d3a67bb8f6c58c59b3c9334711889",
        "738018e4a0fb685134f9e245cb5f1c0882a71d6bf34af9fd35afe4298782e112",
    ),
    (
        KEY_PUBLISHED,
        '{"key":"amp","requestId":1,"type":"setValue","value":16}',
        "dff32bc1c702a2a4e4ae63f991f48eb0af25bc5128b4f431c1155c07e637c119",
        "944725b1fcb0716719c0c71f38d661a504bd395aa06b47cba7e34977fac43e69",
    ),
]


@pytest.mark.parametrize(("login", "algorithm", "key", "proof"), PROOFS)
def test_login_agrees_with_other_programs(login: str, algorithm: str, key: str, proof: str) -> None:
    """Key and proof are those that independent implementations come to."""
    known = LOGINS[login]
    derived = derive_key(algorithm, known.password, known.serial)
    assert derived.decode() == key
    assert login_proof(derived, known.token1, known.token2, known.token3) == proof


@pytest.mark.parametrize(("serial", "salt"), SALTS)
def test_salt_is_made_of_the_digits(serial: str, salt: str) -> None:
    """Each digit of the serial number is one byte of the salt."""
    assert bcrypt_salt(serial) == salt


@pytest.mark.parametrize("serial", ["", "1234567a", "12345678901234567", "\u0661\u0662"])
def test_bcrypt_needs_a_number_of_digits(serial: str) -> None:
    """Where other programs disagree about the salt, we do not guess."""
    with pytest.raises(ValueError, match="decimal digits"):
        derive_key(BCRYPT, "wattpilot", serial)


@pytest.mark.parametrize(("keys", "data", "by_pbkdf2", "by_bcrypt"), SIGNED)
def test_signature_agrees_with_other_programs(
    keys: dict[str, str], data: str, by_pbkdf2: str, by_bcrypt: str
) -> None:
    """The HMAC is over exactly the text that is sent."""
    assert sign(keys[PBKDF2].encode(), data) == by_pbkdf2
    assert sign(keys[BCRYPT].encode(), data) == by_bcrypt


@pytest.mark.parametrize(
    ("announced", "device_type", "algorithm"),
    [
        (None, "wattpilot", PBKDF2),
        (None, "wattpilot_V2", PBKDF2),
        (None, "wattpilot_flex", BCRYPT),
        ("pbkdf2", "wattpilot_flex", PBKDF2),
        ("bcrypt", "wattpilot", BCRYPT),
    ],
)
def test_the_box_chooses_the_algorithm(announced: str | None, device_type: str, algorithm: str) -> None:
    """What the box asks for wins over what its kind usually does."""
    assert choose_algorithm(announced, device_type) == algorithm


def test_unknown_algorithm_is_refused() -> None:
    """A guess would only burn login attempts."""
    with pytest.raises(ValueError, match="neither"):
        choose_algorithm("argon2", "wattpilot_flex")
