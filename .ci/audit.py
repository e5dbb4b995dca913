#!/usr/bin/env python3
"""Is anything that pvcharge needs known to be vulnerable, or of a licence that does not go with ours?

    .venv/bin/python .ci/audit.py pvcharge

Looks at what is installed beside the interpreter that runs this: a package and all that it needs. PyPI tells
of every release what is known against it. Ends with 1 if something is found. Where PyPI does not answer, or
does not tell of a release, that is said and no failure: its answer is not ours.
"""
# ruff: noqa: T201 - it prints

import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from os import environ
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

INDEX = environ.get("PVCHARGE_AUDIT_INDEX", "https://pypi.org/pypi")
PATIENCE_S = 10.0
NOT_FOUND = 404
# Identifiers of what was looked into and does not touch us, each with why and until when to believe that.
ACCEPTED: dict[str, str] = {}
# What may go along with a program under the MIT licence without binding who passes it on.
FREE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|Unlicense|Zlib|0BSD|EPL|EDL|Eclipse"
    r"|Public Domain|CC0",
    re.IGNORECASE,
)
BINDING = re.compile(r"(?<!L)(?:A?GPL|GNU (?:Affero )?General Public)", re.IGNORECASE)


def needed(name: str, seen: dict[str, Distribution]) -> None:
    """Collect a package and what it needs here, by name; what an extra alone needs is left out."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return
    try:
        seen[key] = found = distribution(name)
    except PackageNotFoundError:
        return  # for another system or Python
    for line in found.requires or ():
        requirement = re.match(r"[\w.-]+", line)
        if requirement is not None and "extra ==" not in line:
            needed(requirement[0], seen)


def known(name: str, version: str) -> list[dict[str, Any]] | None:
    """Return what is known against a release, None if PyPI does not tell.

    Raises:
        OSError: it does not answer.
    """
    try:
        return list(_ask(f"{INDEX}/{name}/{version}/json")["vulnerabilities"])
    except HTTPError as error:
        if error.code != NOT_FOUND:
            raise
    # Some mirrors tell of the newest release only.
    newest = _ask(f"{INDEX}/{name}/json")
    return list(newest["vulnerabilities"]) if newest["info"]["version"] == version else None


def _ask(url: str) -> Any:
    with urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - ours, see INDEX
        return json.load(answer)


def answer(name: str, version: str) -> list[dict[str, Any]] | str:
    """Return what is known against a release, or why nobody knows."""
    try:
        told = known(name, version)
    except (OSError, ValueError, KeyError) as error:
        return f"no answer ({error})"
    return "the index tells nothing of this release" if told is None else told


def complaints(name: str, version: str, told: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with a release, each vulnerability once by all its names."""
    seen: set[str] = set()
    for each in told:
        names = {each["id"], *each.get("aliases", ())}
        if each.get("withdrawn") or names & (seen | ACCEPTED.keys()):
            continue
        seen |= names
        fixed = ", ".join(each.get("fixed_in") or ()) or "no release yet"
        yield f"{name} {version}: {', '.join(sorted(names))}; mended in {fixed}; {each.get('link', '')}"


def licence(found: Distribution) -> str:
    """Return what a package says of its licence, as far as it does."""
    told = [found.metadata.get(key) or "" for key in ("License-Expression", "License")]
    classifiers = [it for it in found.metadata.get_all("Classifier") or () if it.startswith("License ::")]
    return told[0] or "; ".join(classifiers) or told[1][:100]


def main(roots: list[str]) -> int:
    """Look at packages and all that they need, print what is wrong, and return the exit code."""
    seen: dict[str, Distribution] = {}
    for root in roots:
        needed(root, seen)
    ours = {re.sub(r"[-_.]+", "-", root).lower() for root in roots if root == "pvcharge"}
    others = {name: found for name, found in sorted(seen.items()) if name not in ours}
    if not others:
        print(f"audit: nothing of {', '.join(roots)} is installed here", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(others, pool.map(lambda it: answer(it, others[it].version), others), strict=True))
    wrong: list[str] = []
    for name, told in answers.items():
        if isinstance(told, str):
            print(f"WARNING: {name} {others[name].version} not audited: {told}")
        else:
            wrong += complaints(name, others[name].version, told)
        text = licence(others[name])
        if BINDING.search(text) and not FREE.search(text):
            wrong.append(f"{name}: its licence ({text}) does not go with ours")
        elif not FREE.search(text):
            print(f"WARNING: {name}: what licence is this? {text or 'it says nothing'}")
    for line in wrong:
        print(f"WRONG: {line}")
    audited = sum(not isinstance(told, str) for told in answers.values())
    print(f"audit: {audited} of {len(others)} packages audited, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["pvcharge"]))
