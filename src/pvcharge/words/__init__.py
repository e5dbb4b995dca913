"""Decisions in plain words: what is done, why, and what would have to change.

All words of every surface stand in one flat table per language: `en.json`, `de.json`. Both have the same
keys, and the same {names} in their texts.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from importlib.resources import files

from pvcharge.model import (
    SINGLE_PHASE,
    UNTRUE,
    ChargerState,
    Decision,
    Distrust,
    Mode,
    PowerFlow,
    Reason,
    Setpoint,
)

LANGUAGES = ("en", "de")
LONGEST_NAME = 60  # of a source; two of them fit into a sentence of 255 characters
OLD_S = 120.0  # from this age on, readings may have little to do with what the sky looks like
LONG_S = 7200.0


def _read(lang: str) -> Mapping[str, str]:
    table: dict[str, str] = json.loads((files(__name__) / f"{lang}.json").read_text(encoding="utf-8"))
    return table


_TABLES = {lang: _read(lang) for lang in LANGUAGES}

STATES = {state: _TABLES["en"][f"state.{state.value}"] for state in ChargerState}

# What is done without readings because they cannot be true, though they come.
_UNTRUE_STOPS = (Reason.STALE_MINIMUM, Reason.STALE_STOP)
# What is said of the surplus stands and falls with the age of what it comes from.
_BY_SURPLUS = frozenset(
    {
        Reason.FOLLOWING,
        Reason.MINIMUM,
        Reason.TOO_LITTLE,
        Reason.NOT_WORTH_IT,
        Reason.MIN_ON_TIME,
        Reason.MIN_OFF_TIME,
        Reason.SWITCH_LIMIT,
    }
)


def table(lang: str = "en") -> Mapping[str, str]:
    """Return all texts of a language by key.

    Raises:
        KeyError: the language is none of `LANGUAGES`.
    """
    return _TABLES[lang]


def text(key: str, lang: str = "en", **values: str) -> str:
    """Return one text, with values in the place of its {names}.

    Raises:
        KeyError: there is no such language, key, or value for a name.
    """
    return _TABLES[lang][key].format_map(values)


def explain(decision: Decision, timezone: tzinfo = UTC, lang: str = "en") -> str:
    """Return a sentence or two, at most 255 characters, that say why a decision is as it is.

    Args:
        decision: to be explained.
        timezone: of the house, for times of day.
        lang: one of `LANGUAGES`.
    """
    doubt, source = decision.distrust, decision.source
    if decision.reason in _UNTRUE_STOPS and doubt in UNTRUE and source is not None:
        return text(f"untrue.{decision.reason}", lang, source=_name(source, lang), doubt=_doubt(doubt, lang))
    end = decision.boost_until if decision.reason is Reason.BOOST else decision.waits_until
    needed = kilowatts(decision.needed_w, lang)
    stops = decision.mode is Mode.SURPLUS and decision.needed_w is not None
    sentence = text(
        f"reason.{decision.reason}{_variant(decision)}",
        lang,
        surplus=kilowatts(decision.surplus_w, lang),
        needed=needed,
        below=text("part.below", lang, needed=needed) if stops else "",
        age=duration(decision.reading_age_s, lang),
        setpoint=level(decision.setpoint, lang),
        at=_clock("part.at", end, timezone, lang),
        until=_clock("part.until", end, timezone, lang),
    )
    return sentence + _age(decision, lang)


def _variant(decision: Decision) -> str:
    """Return the end of the key where a reason means one thing while charging and another one while not."""
    charges = decision.setpoint.charges
    if decision.reason is Reason.NOT_WORTH_IT and charges:
        return ".charging"
    return ".off" if decision.reason is Reason.STALE_HOLD and not charges else ""


def _clock(key: str, at: datetime | None, timezone: tzinfo, lang: str) -> str:
    return "" if at is None else text(key, lang, clock=f"{at.astimezone(timezone):%H:%M:%S}")


def _age(decision: Decision, lang: str) -> str:
    """Return a sentence on the age of the readings behind the surplus, if they are old."""
    age_s, source = decision.reading_age_s, decision.source
    if decision.reason not in _BY_SURPLUS or age_s is None or age_s < OLD_S:
        return ""
    age = duration(age_s, lang)
    if not source:
        return text("part.age", lang, age=age)
    return text("part.age_of", lang, age=age, source=_name(source, lang))


def explain_source(decision: Decision, trusted: str | None, lang: str = "en") -> str | None:
    """Return one sentence that says whose readings are followed, and why not those that are trusted most.

    Args:
        decision: that is made by them.
        trusted: the name of the source that is trusted most, as far as one has been heard.
        lang: one of `LANGUAGES`.

    Returns:
        The sentence; None as long as there are no readings.
    """
    if decision.source is None:
        return None
    source = _name(decision.source, lang)
    if decision.distrust is None:
        return text("source.drives", lang, source=source)
    doubt = _doubt(decision.distrust, lang)
    if trusted is None or trusted == decision.source:
        return text("source.doubtful", lang, source=source, doubt=doubt)
    return text("source.instead", lang, source=source, trusted=_name(trusted, lang), doubt=doubt)


def _doubt(doubt: Distrust, lang: str) -> str:
    """Return what is wrong with a source of readings, to be put after its name."""
    return text(f"distrust.{doubt}", lang)


def _name(source: str, lang: str) -> str:
    if not source:
        return text("source.nameless", lang)
    return source if len(source) <= LONGEST_NAME else f"{source[: LONGEST_NAME - 1]}…"


def powers(flow: PowerFlow) -> list[str]:
    """Return each power that a reading tells."""
    told = {"PV": flow.pv_w, "grid": flow.grid_w, "load": flow.load_w, "battery": flow.battery_w}
    return [f"{name} {value:.0f} W" for name, value in told.items() if value is not None]


def level(setpoint: Setpoint | None, lang: str = "en") -> str:
    """Return what a charger is set to."""
    if setpoint is None:
        return text("level.unknown", lang)
    if not setpoint.charges:
        return text("level.off", lang)
    phases = "one_phase" if setpoint.phases == SINGLE_PHASE else "three_phases"
    return text(f"level.{phases}", lang, current_a=str(setpoint.current_a))


def kilowatts(power_w: float | None, lang: str = "en") -> str:
    """Return a power in kW with one decimal, written as the language does."""
    if power_w is None:
        return text("power.unknown", lang)
    shown = f"{round(power_w / 1000, 1) + 0.0:.1f}"  # which makes no minus zero
    return f"{shown.replace('.', text('power.point', lang))} kW"


def duration(seconds: float | None, lang: str = "en") -> str:
    """Return a duration in the unit that suits it."""
    if seconds is None:
        return text("duration.unknown", lang)
    if seconds < OLD_S:  # two minutes read better in seconds
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < LONG_S else f"{seconds / 3600:.0f} h"
