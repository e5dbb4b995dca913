"""Keys, login hashes and signatures."""

import json
from pathlib import Path

import pytest

from pvcharge.sim.wattpilot.auth import Algorithm, derive_key, login_hash, same, signature

VECTORS = Path(__file__).parents[3] / "../shared/facts/samples/wattpilot/auth_vectors.json"


@pytest.mark.skipif(not VECTORS.exists(), reason="the collected vectors are not part of the project")
def test_published_login_vectors() -> None:
    """Key and hash agree with the vectors that other implementations were checked with."""
    for vector in json.loads(VECTORS.read_text())["auth"]:
        key = derive_key(vector["password"], vector["serial"], Algorithm(vector["algo"]))
        assert key.decode() == vector["hashed"]
        assert login_hash(key, vector["token1"], vector["token2"], vector["token3"]) == vector["hash"]


@pytest.mark.skipif(not VECTORS.exists(), reason="the collected vectors are not part of the project")
def test_published_signature_vectors() -> None:
    """The hmac covers exactly the bytes of the data string, whatever their layout."""
    for vector in json.loads(VECTORS.read_text())["secured"]:
        assert signature(vector["key"].encode(), vector["frame"]["data"]) == vector["frame"]["hmac"]


@pytest.mark.parametrize(
    ("algorithm", "key", "login", "signed"),
    [
        (
            Algorithm.PBKDF2,
            "APt3lSjSxcClDd8OAJpxww0ky6zgrb3p",
            "4b1a5de34e0a6292ac8c28558a3280f522a0c777198f2cfd119eb82e8830b331",
            "2fd5c39370290234c42de3e1808cd3d99b31935191b629ee73eeb7d1d191f8d6",
        ),
        (
            Algorithm.BCRYPT,
            "999b2QJQ4l8h/R0r92hq6ykoTWGp7LC",
            "679ba7ba7a97b356b87640996f6dba10a44471530d08ccd7aa935fc92bbf0067",
            "af5958b871d87525bb4a0ddcc588af7e0dec6ee82acd9a2795a12a83b5197af2",
        ),
    ],
)
def test_own_vectors(algorithm: Algorithm, key: str, login: str, signed: str) -> None:
    """What was right once stays as it is."""
    derived = derive_key("sun & wind", "20406080", algorithm)
    assert derived.decode() == key
    assert login_hash(derived, "one", "two", "three") == login
    assert signature(derived, '{"key":"amp"}') == signed


def test_bcrypt_needs_a_serial_of_digits() -> None:
    """A serial number with letters cannot be salted with; it is not guessed how."""
    with pytest.raises(ValueError, match="invalid literal"):
        derive_key("secret", "12A", Algorithm.BCRYPT)


@pytest.mark.parametrize(
    ("given", "fits"), [("ab", True), ("AB", False), (None, False), (3, False), ("ä", False)]
)
def test_comparison_takes_anything(given: object, fits: bool) -> None:  # noqa: FBT001 - a table's column
    """A client may send any JSON for a hash; only the right string fits."""
    assert same(given, "ab") is fits
