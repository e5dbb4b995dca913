"""A secret is found in whatever form somebody has written it."""

import base64
import json
import re
from collections import OrderedDict
from functools import cache
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge import concealed
from pvcharge.concealed import (
    MASK,
    MOST_HIDDEN,
    conceal,
    conceal_known,
    find_form,
    forms_of,
    hide,
    hide_for_good,
)

SECRET = "pl4nted/+ä&' \\=="
OTHERS = [chr(code) for code in range(0x2200)] + ["\ufb05", "\ufb06"]
secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40)


@pytest.mark.parametrize(
    "form",
    [
        *(SECRET, SECRET.upper(), quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET)),
        *(json.dumps(SECRET), repr(SECRET), SECRET.encode().hex()),
    ],
)
def test_every_form_is_masked(form: str) -> None:
    """And nothing around it."""
    masked = conceal(f"before {form} after", [SECRET])
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert MASK in masked
    assert "pl4nted" not in masked.lower()


@given(secrets, st.binary(max_size=20), st.binary(max_size=20))
def test_base64_is_masked_wherever_it_begins(secret: str, before: bytes, after: bytes) -> None:
    """Of what is left, too little to be of use: the letters at both ends."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        masked = conceal(encode(before + secret.encode() + after).decode(), [secret])
        assert MASK in masked


def test_a_short_one_is_masked_as_a_word_only() -> None:
    """It may be part of many."""
    assert conceal("pin 123, not 1234", ["123"]) == f"pin {MASK}, not 1234"


@given(st.text(max_size=50), st.lists(st.text(max_size=10), max_size=3))
def test_nothing_is_left(text: str, planted: list[str]) -> None:
    """Whatever text and secrets are; an empty one is none."""
    masked = conceal(text, planted)
    for secret in planted:
        assert len(secret) < concealed.SHORTEST_ALONE or secret not in masked.replace(MASK, "\0")
    assert "" not in forms_of("")
    assert conceal(text, [""]) == text


def test_what_was_hidden_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of them, as many as are kept."""
    monkeypatch.setattr(concealed, "_hidden", OrderedDict())
    hide(f"hidden-{number}-end" for number in range(MOST_HIDDEN + 1))
    assert conceal_known("hidden-1-end") == MASK
    assert conceal_known("hidden-0-end") == "hidden-0-end"
    hide(["access", ""])
    assert conceal_known("no access") == "no access"


@given(st.text(st.characters(exclude_characters="*"), min_size=6, max_size=20))
def test_no_secret_is_too_odd(secret: str) -> None:
    """Halves of characters, as JSON can hold them, or the environment."""
    assert conceal(f"!{secret}!", [secret]) == f"!{MASK}!"


def test_what_was_hidden_for_good_outlasts_all_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the configuration are not among the first that are forgotten."""
    monkeypatch.setattr(concealed, "_hidden", OrderedDict())
    monkeypatch.setattr(concealed, "_hidden_for_good", set())
    hide_for_good(["of-the-configuration", "short"])
    hide(f"token-number-{number}" for number in range(2 * MOST_HIDDEN))
    assert conceal_known("of-the-configuration, short") == f"{MASK}, short"


@cache
def alike(letter: str) -> list[str]:
    """Return all letters that a pattern without regard to case takes for this one."""
    it = re.compile(re.escape(letter), re.IGNORECASE)
    return [other for other in OTHERS if it.fullmatch(other)] or [letter]


@given(
    st.sampled_from([SECRET, "kiss-\u0130\u0131\u017f\u212a-K", "\u0390\u03c3\u03c2\u00b5-\ufb06-\u00df"]),
    st.data(),
)
def test_no_glance_misses_what_a_pattern_finds(secret: str, data: st.DataObject) -> None:
    """In whatever case, and with letters that are as good as others."""
    written = "".join(data.draw(st.sampled_from(alike(letter))) for letter in secret)
    pattern = re.compile("|".join(map(find_form, forms_of(secret))), re.IGNORECASE)
    assert (conceal(written, [secret]) == written) is (pattern.search(written) is None)
