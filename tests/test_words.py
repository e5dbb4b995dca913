"""Every decision can be told to a person."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pvcharge.model import NO_CHARGE, ChargerState, Decision, Distrust, Mode, Reason, Setpoint
from pvcharge.words import LANGUAGES, duration, explain, explain_source, kilowatts, level, table

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
FULL = Decision(
    at=NOON,
    setpoint=Setpoint(1, 8),
    reason=Reason.FOLLOWING,
    mode=Mode.SURPLUS,
    surplus_w=1840.0,
    needed_w=690.0,
    reading_age_s=400.0,
    waits_until=NOON + timedelta(minutes=5),
    boost_until=NOON + timedelta(hours=1),
)


def because(reason: Reason, **known: Any) -> Decision:
    """Return a decision of which nothing is known but the reason and what is given."""
    return replace(Decision(NOON, NO_CHARGE, reason, Mode.SURPLUS), **known)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_whole_sentence(reason: Reason, lang: str) -> None:
    """With all that a decision may know, and with nothing but the reason; 255 characters are read."""
    widest = replace(FULL, reason=reason, source="ö" * 99, surplus_w=-123_456.0, needed_w=123_456.0)
    doubtful = replace(widest, distrust=Distrust.BACKWARDS)
    off = replace(FULL, reason=reason, setpoint=NO_CHARGE)
    for decision in (replace(FULL, reason=reason), because(reason), widest, doubtful, off):
        sentence = explain(decision, lang=lang)
        assert re.fullmatch(r"[A-ZÜ].*\.", sentence)
        assert not re.search(r"None|nan|[{}]|\.\.|  |_", sentence)
        assert len(sentence) <= 255


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_table_names_every_reason_and_state_once(lang: str) -> None:
    """No two reasons read the same, or nobody could tell them apart."""
    for kind, name in ((Reason, "reason"), (ChargerState, "state")):
        assert len({table(lang)[f"{name}.{member}"] for member in kind}) == len(kind)


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        (because(Reason.FOLLOWING, surplus_w=3440.0), "Following the surplus of 3.4 kW."),
        (
            because(Reason.FOLLOWING, surplus_w=3440.0, needed_w=690.0),
            "Following the surplus of 3.4 kW; stops below 0.7 kW.",
        ),
        (
            because(Reason.FOLLOWING, surplus_w=3440.0, needed_w=690.0, mode=Mode.MIN_SURPLUS),
            "Following the surplus of 3.4 kW.",
        ),
        (
            because(Reason.TOO_LITTLE, surplus_w=-250.0, needed_w=690.0, reading_age_s=119.0),
            "Waiting: surplus -0.2 kW, starts at 0.7 kW.",
        ),
        (
            because(
                Reason.TOO_LITTLE, surplus_w=900.0, needed_w=1380.0, reading_age_s=540.0, source="SolarEdge"
            ),
            "Waiting: surplus 0.9 kW, starts at 1.4 kW. SolarEdge data is 9 min old.",
        ),
        (
            because(Reason.MINIMUM, surplus_w=900.0, reading_age_s=540.0),
            "Charging at the minimum: the surplus of 0.9 kW is below it. The data is 9 min old.",
        ),
        (
            because(Reason.NOT_WORTH_IT, surplus_w=900.0, needed_w=690.0),
            "Surplus 0.9 kW: starts if it stays above 0.7 kW.",
        ),
        (
            because(Reason.NOT_WORTH_IT, surplus_w=200.0, needed_w=690.0, setpoint=Setpoint(1, 6)),
            "Surplus 0.2 kW: stops if it stays below 0.7 kW.",
        ),
        (
            because(Reason.STALE_HOLD, setpoint=Setpoint(3, 8), reading_age_s=1500.0),
            "Holding 8 A on 3 phases: the newest reading is 25 min old.",
        ),
        (
            because(Reason.STALE_HOLD, reading_age_s=1500.0),
            "Waiting for a new reading: the newest one is 25 min old.",
        ),
        (because(Reason.STALE_STOP), "Not charging: no usable reading for a long time."),
        (
            because(Reason.STALE_STOP, source="meter", distrust=Distrust.BACKWARDS, reading_age_s=2.0),
            "Not charging: meter tells grid power of the wrong sign.",
        ),
        (
            because(Reason.MIN_ON_TIME, surplus_w=0.0, waits_until=NOON),
            "Surplus 0.0 kW: will stop when the minimum charging time ends at 14:00:00.",
        ),
        (
            because(Reason.MIN_OFF_TIME, surplus_w=4000.0),
            "Surplus 4.0 kW: will start when the minimum pause ends.",
        ),
        (
            because(Reason.SWITCH_LIMIT, surplus_w=4000.0, waits_until=NOON),
            "Surplus 4.0 kW: no further start or phase switch until 14:00:00.",
        ),
        (because(Reason.BOOST), "Boost: full power."),
        (because(Reason.BOOST, boost_until=NOON), "Boost: full power until 14:00:00."),
    ],
    ids=str,
)
def test_sentences_as_they_are_read(decision: Decision, sentence: str) -> None:
    """Times are those of the house."""
    assert explain(decision, ZoneInfo("Europe/Vienna")) == sentence


@pytest.mark.parametrize(
    ("source", "distrust", "trusted", "sentence"),
    [
        (None, None, None, None),
        (None, Distrust.SILENT, "roof", None),
        ("roof", None, "roof", "roof drives."),
        ("portal", None, "roof", "portal drives."),
        ("portal", Distrust.SILENT, "roof", "portal drives, since roof has been silent."),
        ("roof", Distrust.FROZEN, "roof", "roof drives, but it tells the same values again and again."),
        ("roof", Distrust.SILENT, None, "roof drives, but it has been silent."),
        ("", None, "", "a source without a name drives."),
        ("", Distrust.SILENT, "roof", "a source without a name drives, since roof has been silent."),
        ("x" * 61, None, None, f"{'x' * 59}… drives."),
    ],
)
def test_sources_as_they_are_read(
    source: str | None, distrust: Distrust | None, trusted: str | None, sentence: str | None
) -> None:
    """Who drives, and why not somebody better."""
    decision = because(Reason.FOLLOWING, source=source, distrust=distrust)
    assert explain_source(decision, trusted) == sentence


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_doubt_has_words_of_its_own(lang: str) -> None:
    """No two read the same, and each goes on after a name."""
    doubts = {table(lang)[f"distrust.{doubt}"] for doubt in Distrust}
    assert len(doubts) == len(Distrust)
    assert all(re.fullmatch(r"[a-zäöüß][a-zäöüßA-Z, ]*[a-z]", words) for words in doubts)


@pytest.mark.parametrize(
    ("setpoint", "words"),
    [
        (None, "unknown"),
        (NO_CHARGE, "off"),
        (Setpoint(1, 6), "6 A on 1 phase"),
        (Setpoint(3, 16), "16 A on 3 phases"),
    ],
)
def test_setpoints(setpoint: Setpoint | None, words: str) -> None:
    """As somebody would say it who does not know our abbreviations."""
    assert level(setpoint) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "a long time"),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (86_400, "24 h"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    """In the unit that suits them."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("power_w", "words"), [(None, "unknown"), (0.0, "0.0 kW"), (-20.0, "0.0 kW"), (-1449.0, "-1.4 kW")]
)
def test_powers(power_w: float | None, words: str) -> None:
    """One decimal is what people can take in."""
    assert kilowatts(power_w) == words
