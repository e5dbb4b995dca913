"""Changes inputs so that they stay near the shapes that parsers know: where mere bytes get no further."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

# Fragments of JSON that have broken parsers of somebody at some time.
NASTY = (
    *("null", "true", "false", "0", "-1", "-0.0", "1", "2", "3", "16", "99", "1e-320", "0.5", "1e7", "-1e9"),
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "1e12", "1e16", "2147483648"),
    *("9223372036854775808", "18446744073709551616", "1" * 400, "1" * 4300, "1" * 5000),
    *('""', '"0"', '"1"', '"1e999"', '"NaN"', '"\\ud800"', '"\\udcff"', '"\\u0000"', '"\\u001b[31m"'),
    *(
        '"\\r\\nX: y"',
        '"\\u202e"',
        '"ok\\ud83d\\ude00"',
        '"%s%n{0}"',
        '"../../etc/passwd"',
        '"' + "x" * 600 + '"',
    ),
    *('"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"', '"2026-02-30T00:00:00Z"'),
    *('"2026-06-15T12:00:00"', '"2026-06-15T12:00:00+23:59"', '"2026-06-15T12:00:00.1234567891Z"'),
    *('"99999-01-01T00:00:00Z"', '"0000-01-01T00:00:00Z"', "1781524800", "-62135596801", "253402300800"),
    *("[]", "{}", "[[]]", '{"a":{"a":1}}', "[null]", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"),
    *("[" * 1200 + "]" * 1200, '{"a":' * 1200 + "1" + "}" * 1200),
)
_MARK = "\ue000"  # stands where a fragment goes in
_DEEPEST = 50


def places(document: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield containers and keys of all parts of a document below its root."""
    if not isinstance(document, dict | list) or depth > _DEEPEST:
        return
    for key in list(document) if isinstance(document, dict) else range(len(document)):
        yield document, key
        yield from places(document[key], depth + 1)


def spoil_json(text: str, random: Random) -> str:
    """Return a JSON text with one to three of its parts replaced, dropped, doubled or renamed."""
    try:
        document = json.loads(text)
        fragments: list[str] = []
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            document = _spoil(document, random, fragments)
        spoilt = json.dumps(document)
    except (ValueError, RecursionError, OverflowError):
        return text
    for fragment in fragments:
        spoilt = spoilt.replace(json.dumps(_MARK), fragment, 1)
    if isinstance(document, dict) and document and random.random() < 0.1:  # a key that is there twice
        spoilt = f"{{{json.dumps(random.choice(list(document)))}: {random.choice(NASTY)}, {spoilt[1:]}"
    return spoilt


def _spoil(document: Any, random: Random, fragments: list[str]) -> Any:
    found = list(places(document))
    if not found:
        fragments.append(random.choice(NASTY))
        return _MARK
    inside, key = random.choice(found)
    what = random.randrange(8)
    if what == 0:
        del inside[key]
    elif what == 1 and isinstance(inside, list):
        inside.insert(key, inside[key])
    elif what == 1:
        inside[_letters(random)] = inside[key]
    elif what == 2 and isinstance(inside[key], int | float):
        inside[key] = inside[key] * random.choice((-1, 0, 10, 1000, 1e6, 0.001)) + random.choice((0, 1, -1))
    elif what == 3:
        other, its = random.choice(found)
        inside[key] = json.loads(json.dumps(other.get(its) if isinstance(other, dict) else _at(other, its)))
    else:
        fragments.append(random.choice(NASTY))
        inside[key] = _MARK
    return document


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _letters(random: Random) -> str:
    return "".join(chr(random.choice((random.randrange(97, 123), random.randrange(0x300)))) for _ in range(4))


def mutate_lines(data: bytes, random: Random) -> bytes:
    """Return lines of which one is changed: its JSON is spoilt, or it is dropped, doubled or moved.

    What stands before the first brace of a line, such as a topic, is left alone mostly.
    """
    lines = data.split(b"\n")
    number = random.randrange(len(lines))
    what = random.randrange(10)
    if what == 0:
        del lines[number]
    elif what == 1:
        lines.insert(random.randrange(len(lines) + 1), lines[number])
    elif what == 2:
        random.shuffle(lines)
    else:
        lines[number] = _spoil_line(lines[number], random)
    return b"\n".join(lines)


def _spoil_line(line: bytes, random: Random) -> bytes:
    starts = [at for at in (line.find(b"{"), line.find(b"[")) if at >= 0]
    if not starts:
        return line + random.choice(NASTY).encode("utf-8", "surrogatepass")
    head, body = line[: min(starts)], line[min(starts) :]
    with suppress(UnicodeDecodeError):
        body = spoil_json(body.decode(), random).encode("utf-8", "surrogatepass")
    return head + body


def mutate_by_words(*words: bytes) -> Callable[[bytes, Random], bytes]:
    """Return what puts one of these words somewhere into an input, or in the place of a part of it."""

    def mutate(data: bytes, random: Random) -> bytes:
        parts = data.split(b"\n") if random.random() < 0.2 else [data]
        if len(parts) > 1:
            random.shuffle(parts)
            return b"\n".join(parts)
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.choice((0, 0, 1, 4, 16)))
        return data[:start] + random.choice(words) + data[end:]

    return mutate
