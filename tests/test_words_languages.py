"""The two languages: one table each, with the same keys, and nothing in them that nobody says."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import pvcharge
from pvcharge.control.settings import BatteryPolicy, Objective, OnStale
from pvcharge.model import NO_CHARGE, ChargerState, Decision, Distrust, Mode, Reason, Setpoint
from pvcharge.tasks.charger_task import OnSilence
from pvcharge.words import LANGUAGES, duration, explain, explain_source, kilowatts, level, table, text

SRC = Path(pvcharge.__file__).parent
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
VIENNA = ZoneInfo("Europe/Vienna")
WAITING = Decision(
    NOON,
    NO_CHARGE,
    Reason.TOO_LITTLE,
    Mode.SURPLUS,
    surplus_w=900.0,
    needed_w=1380.0,
    reading_age_s=540.0,
    source="SolarEdge",
)
HELD = replace(WAITING, reason=Reason.STALE_HOLD, setpoint=Setpoint(3, 8))


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        (
            WAITING,
            "Wartet: Überschuss 0,9 kW, lädt ab 1,4 kW. Die Messwerte von SolarEdge sind 9 min alt.",
        ),
        (HELD, "Bleibt bei 8 A dreiphasig: Die neuesten Messwerte stammen von vor 9 min."),
        (
            replace(HELD, reason=Reason.STALE_STOP, reading_age_s=None),
            "Lädt nicht: seit langer Zeit keine brauchbaren Messwerte.",
        ),
        (
            replace(HELD, reason=Reason.STALE_STOP, distrust=Distrust.BACKWARDS),
            "Lädt nicht: SolarEdge meldet die Netzleistung mit falschem Vorzeichen.",
        ),
        (
            replace(WAITING, reason=Reason.MIN_OFF_TIME, waits_until=NOON, reading_age_s=None),
            "Überschuss 0,9 kW: lädt, sobald die Mindestpause endet (um 14:00:00).",
        ),
        (
            replace(WAITING, reason=Reason.BOOST, boost_until=NOON),
            "Boost: volle Leistung bis 14:00:00.",
        ),
    ],
    ids=str,
)
def test_german_sentences_as_they_are_read(decision: Decision, sentence: str) -> None:
    """With a comma in the numbers, and times of the house."""
    assert explain(decision, VIENNA, "de") == sentence


def test_german_sources_as_they_are_read() -> None:
    """A doubt fits after a name as well as after a pronoun."""
    doubtful = replace(WAITING, distrust=Distrust.SILENT)
    assert explain_source(WAITING, "roof", "de") == "Gesteuert wird nach SolarEdge."
    assert explain_source(doubtful, "roof", "de") == "Gesteuert wird nach SolarEdge, denn roof schweigt."
    assert (
        explain_source(doubtful, "SolarEdge", "de")
        == "Gesteuert wird nach SolarEdge, doch diese Quelle schweigt."
    )


def test_german_pieces() -> None:
    """The parts of sentences by themselves."""
    assert [kilowatts(900.0, "de"), kilowatts(None, "de")] == ["0,9 kW", "unbekannt"]
    assert [duration(5.0, "de"), duration(600.0, "de")] == ["5 s", "10 min"]
    assert [level(setpoint, "de") for setpoint in (None, NO_CHARGE, Setpoint(1, 6))] == [
        "unbekannt",
        "aus",
        "6 A einphasig",
    ]


def test_a_language_that_nobody_speaks_is_refused() -> None:
    """Rather than answered in another one."""
    with pytest.raises(KeyError):
        text("state.ready", "fr")


def names_in(words: str) -> list[str]:
    """Return the {names} in a text."""
    return sorted(re.findall(r"\{(\w*)\}", words))


def test_both_languages_say_the_same() -> None:
    """The same keys in the same order, and the same {names} in each text."""
    english, german = table("en"), table("de")
    assert list(english) == list(german)
    for key, words in english.items():
        assert set(names_in(words)) == set(names_in(german[key])), key


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_is_empty_or_written_twice(lang: str) -> None:
    """A key that stands twice in JSON hides the first one; braces are for {names} only."""
    lines = (files("pvcharge.words") / f"{lang}.json").read_text(encoding="utf-8").splitlines()
    keys = [match[1] for line in lines if (match := re.match(r'\s*"([^"]+)":', line))]
    assert keys == list(table(lang))
    for key, words in table(lang).items():
        assert words.strip(), key
        assert not re.search(r"[{}]", re.sub(r"\{\w+\}", "", words)), key


FAMILIES: dict[str, type[StrEnum]] = {
    "state": ChargerState,
    "reason": Reason,
    "distrust": Distrust,
    "page.reason": Reason,
    "page.charger.state": ChargerState,
    "page.charger.short": ChargerState,
    "page.mode": Mode,
    "page.setting.control.objective": Objective,
    "page.setting.control.battery": BatteryPolicy,
    "page.setting.control.on_stale": OnStale,
    "page.setting.edge.on_silence": OnSilence,
}
# What the page says besides, where there is no member or for all of them.
BESIDES = {"none", "edge", "unknown", "title", "help"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_member_has_its_words(family: str) -> None:
    """An enum that grows needs words, and words of what is gone are gone too."""
    said = {key.removeprefix(f"{family}.").split(".")[0] for key in table() if key.startswith(f"{family}.")}
    members = {member.value for member in FAMILIES[family]}
    assert said - BESIDES == members - BESIDES


# A text's key in a source, with what is filled into it as `${…}` in JavaScript and `{…}` in Python.
KEY = re.compile(r"""["'`]([a-z_]+(?:\.(?:[\w]|\$?\{[^}`]*\})+)+)(?=["'`])""")
HOLE = re.compile(r"\$?\{[^}]*\}")
PAGE = SRC / "web" / "static"


def keys_in(sources: Iterable[Path]) -> set[str]:
    """Return whatever may be a key in some sources, a hole in it written as `*`."""
    found = {key for path in sources for key in KEY.findall(path.read_text(encoding="utf-8"))}
    return {HOLE.sub("*", key) for key in found}


def fits(key: str, pattern: str) -> bool:
    """Whether a key may be meant by what stands in a source."""
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", r"[\w.]+"), key))


# The page leaves the beginning of its keys out. What is no key there, though it looks like one:
NO_KEYS = {"page.page.*", "page.*.*", "page.pvcharge.*", "page.pvcharge.theme"}


def keys_of_the_page() -> set[str]:
    """Return whatever may be a key of some parts in the page."""
    return {f"page.{key}" for key in keys_in(PAGE.rglob("*.js"))} - NO_KEYS


def words_of_the_page() -> set[str]:
    """Return whatever may be a key of a single part in the page, and those of rows of radio buttons."""
    words = (re.findall(r'"([a-z_]+)"', path.read_text(encoding="utf-8")) for path in PAGE.rglob("*.js"))
    return {f"page.{word}" for found in words for word in found} | {"page.theme.*", "page.span.*"}


def test_every_text_is_used() -> None:
    """By the page, or by the functions that make sentences."""
    used = keys_of_the_page() | words_of_the_page() | keys_in((SRC / "words").glob("*.py"))
    # What an error is about becomes the end of an advice's key.
    used |= {"advice.*", "reason.*"}
    unused = {key for key in table() if not any(fits(key, pattern) for pattern in used)}
    assert unused == set()


def test_whatever_the_page_says_has_a_text() -> None:
    """It shows a key that it does not find."""
    wanted = keys_of_the_page() - {"page.fact.*.*"}  # a fact that is a word of its own may have a text
    assert len(wanted) > 100
    missing = {pattern for pattern in wanted if not any(fits(key, pattern) for key in table())}
    assert missing == set()
