"""Finds secrets in texts of others, in whatever form these have written them, and masks them.

What is hidden here is masked in everything that is logged, by whomever and in whatever words.
"""

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST_ALONE = 6  # letters of a secret from which on it is found within words, too
MOST_HIDDEN = 100  # of those that pass: a login is renewed every two hours
SHORTEST_HIDDEN = 8  # letters; a shorter one is a word that would be missed in many sentences

_LIKE_ASCII = str.maketrans(
    {"\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}": "i", "\N{LATIN SMALL LETTER DOTLESS I}": "i"}
)
_hidden: OrderedDict[str, None] = OrderedDict()
_hidden_for_good: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """Have these masked from now on, but for short ones; of too many, the first are forgotten."""
    for secret in secrets:
        if len(secret) >= SHORTEST_HIDDEN:
            _hidden[secret] = None
            _hidden.move_to_end(secret)
    while len(_hidden) > MOST_HIDDEN:
        _hidden.popitem(last=False)


def hide_for_good(secrets: Iterable[str]) -> None:
    """Have these masked for as long as the process lives, but for short ones."""
    _hidden_for_good.update(secret for secret in secrets if len(secret) >= SHORTEST_HIDDEN)


def conceal_known(text: str) -> str:
    """Return a text in which all that was hidden is masked."""
    return conceal(text, (*_hidden_for_good, *_hidden))


def conceal(text: str, secrets: Iterable[str]) -> str:
    """Return a text in which every form of these secrets is masked."""
    # A pattern is slow and large, and `re` itself keeps it: one is made only of what seems to be there.
    holds = _folded(text).__contains__
    pattern = _pattern([secret for secret in secrets if any(map(holds, _folded_forms(secret)))])
    return pattern.sub(MASK, text) if pattern else text


def _folded(text: str) -> str:
    """Return a text in which all is equal that a pattern without regard to case takes for equal."""
    return text.lower() if text.isascii() else text.translate(_LIKE_ASCII).casefold()


@lru_cache(maxsize=2 * MOST_HIDDEN)
def _folded_forms(secret: str) -> tuple[str, ...]:
    return tuple(map(_folded, forms_of(secret)))


def forms_of(secret: str) -> set[str]:
    """Return a secret as it is, as in a URL, in JSON, in Python, and as its bytes are dumped."""
    try:
        raw = secret.encode(errors="surrogateescape")  # as it came from the environment
    except UnicodeEncodeError:
        raw = secret.encode(errors="backslashreplace")
    plain = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    in_url = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    return {form for form in (*plain, *in_url, raw.hex(), *_in_base64(raw)) if form}


def find_form(form: str) -> str:
    """Return the pattern of a form: a short one counts only as a word of its own, since it may be in many."""
    found = re.escape(form)
    return found if len(form) >= SHORTEST_ALONE else rf"(?<!\w){found}(?!\w)"


def _in_base64(raw: bytes) -> Iterator[str]:
    """Yield what is sure to be there, wherever within other bytes these begin: what touches them varies."""
    for before in range(3):
        whole = (before + len(raw)) // 3 * 4
        letters = base64.b64encode(bytes(before) + raw).decode()[(before * 8 + 5) // 6 : whole]
        if len(letters) >= SHORTEST_ALONE:
            yield from (letters, letters.translate(str.maketrans("+/", "-_")))


def _pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets for form in forms_of(secret)}
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(find_form, longest_first)), re.IGNORECASE) if forms else None
