"""What the controller has learned, in words for the terminal."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

from pvcharge.words import duration, kilowatts, text

Document = Mapping[str, Any]
Tell = Callable[[Document], str | None]


def learned_lines(learned: Document, zone: tzinfo) -> Iterator[str]:
    """Yield what was learned of each source of readings, line by line.

    Args:
        learned: as the API tells it.
        zone: of the house, for times of day.
    """
    sources = learned.get("sources") or []
    if not sources:
        yield f"{_word('title')}: {_word('nothing').lower()}"
    for source in sources:
        yield f"{_word('title')} of {source['name']}:"
        told = [(_word(key), tell(source)) for key, tell in _rows(zone)]
        known = [(label, words) for label, words in told if words is not None]
        width = max(len(label) for label, _ in known)
        for label, words in known:
            yield f"  {label:<{width}}  {words}"


def _rows(zone: tzinfo) -> Iterator[tuple[str, Tell]]:
    """Yield the words' keys, and what tells of a source; None where nothing is known."""
    yield "heard", lambda it: f"{datetime.fromisoformat(it['heard_at']).astimezone(zone):%Y-%m-%d %H:%M}"
    yield "pause", lambda it: _told(it["usual_pause_s"], duration)
    yield "age", _age
    yield "gain", lambda it: _told(it["gain"], lambda gain: f"{gain['gain']:.2f}")
    yield "clear_days", lambda it: _told(_clear_day(it), lambda day: f"{day['seen_days']:.1f}")
    yield "clear_most", lambda it: _told(_clear_day(it), lambda day: _told(day["greatest_w"], kilowatts))
    yield "clearness", lambda it: _told(_forecast(it, "usual_clearness"), lambda share: f"{share:.0%}")
    yield "rest", _rest


def _age(source: Document) -> str | None:
    ages = source["ages"]
    if ages is None:
        return _told(source["usual_age_s"], duration)
    return f"{duration(ages['mean_s'])} +/- {duration(ages['spread_s'])}"


def _rest(source: Document) -> str | None:
    # Without the roof's own readings the rest is not the house alone, and "what it takes" would be wrong.
    if _forecast(source, "usual_clearness") is None:
        return None
    return _told(_forecast(source, "usual_rest_w"), kilowatts)


def _clear_day(source: Document) -> Any:
    return _forecast(source, "clear_day")


def _forecast(source: Document, key: str) -> Any:
    return None if source["forecast"] is None else source["forecast"][key]


def _told(value: Any, tell: Callable[[Any], str | None]) -> str | None:
    return None if value is None else tell(value)


def _word(key: str) -> str:
    return text(f"page.learned.{key}")
