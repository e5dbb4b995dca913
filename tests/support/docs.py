"""The parts of the documentation that are made from the source.

To write them anew: `PYTHONPATH=tests python -m support.docs`
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pvcharge.mqtt.acl import acl
from pvcharge.mqtt.topics import TOPICS, Namespace, Party
from pvcharge.values import Kind, values_for

DOCS = Path(__file__).parents[2] / "docs"
SITE = Namespace("pvcharge", "home")
SPEAKERS = {Party.EDGE: "edge", Party.CLOUD: "cloud", Party.USER: "you"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def topics_table() -> str:
    """Return the table of topics."""

    def names(parties: frozenset[Party]) -> str:
        return ", ".join(name for party, name in SPEAKERS.items() if party in parties)

    rows = (
        (
            f"`{topic.name}`",
            names(topic.publishers),
            names(topic.readers),
            topic.what,
            "yes" if topic.retain else "",
        )
        for topic in TOPICS
    )
    return table(("topic", "written by", "read by", "payload", "retained"), rows)


def values_table() -> str:
    """Return the table of values, for a house with one inverter."""
    rows = (
        (
            f"`{value.key}`",
            value.label,
            value.unit or "",
            ", ".join(f"`{option}`" for option in value.options)
            or ("`true`, `false`" if value.kind is Kind.FLAG else value.kind.value),
        )
        for value in values_for(["solaredge"], "wattpilot")
    )
    return table(("key", "what", "unit", "value"), rows)


def with_tables(text: str) -> str:
    """Return a page with each of its tables made anew."""
    for name, content in {"topics": topics_table(), "values": values_table()}.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        text = re.sub(
            re.escape(begin) + ".*?" + re.escape(end),
            lambda _, made=f"{begin}{content}{end}": made,  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def generated() -> dict[Path, str]:
    """Return what must stand in each file."""
    page = DOCS / "mqtt.md"
    return {page: with_tables(page.read_text(encoding="utf-8")), DOCS / "mosquitto" / "acl": acl(SITE)}


if __name__ == "__main__":
    for path, content in generated().items():
        path.write_text(content, encoding="utf-8")
