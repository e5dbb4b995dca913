"""The parts of the documentation that are made from the source.

To write them anew: `PYTHONPATH=tests python -m support.docs`
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from pvcharge.history.influx.points import SCHEMA
from pvcharge.history.schema import migrate
from pvcharge.mqtt.acl import acl
from pvcharge.mqtt.topics import TOPICS, Namespace, Party
from pvcharge.values import Kind, values_for
from pvcharge.web.catalogue import CATALOGUE
from support import reference, reliability, routes

DOCS = Path(__file__).parents[2] / "docs"
TINY = "src/pvcharge_tiny"
EXAMPLES = ("pyproject.toml", *(f"{TINY}/{name}.py" for name in ("meter", "charger", "device")))
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


def measurements_table() -> str:
    """Return the table of InfluxDB's measurements."""
    rows = (
        (
            f"`{measurement.name}`",
            ", ".join(f"`{tag}`" for tag in measurement.tags),
            f"`{field.name}`",
            field.kind.value,
            field.unit,
            field.meaning,
        )
        for measurement in SCHEMA
        for field in measurement.fields
    )
    return table(("measurement", "tags", "field", "type", "unit", "what"), rows)


def metrics_table() -> str:
    """Return the table of Prometheus' metrics."""
    rows = (
        (
            f"`{entry.name}`",
            ", ".join(f"`{label}`" for label in entry.labels),
            entry.type.value,
            entry.what,
        )
        for entry in CATALOGUE
    )
    return table(("metric", "labels", "type", "what"), rows)


def store_table() -> str:
    """Return the tables of the store with their columns, as SQLite has them."""
    connection = sqlite3.connect(":memory:")
    migrate(connection)
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
    ).fetchall()
    rows = []
    for (name,) in names:
        columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
        rows.append((f"`{name}`", ", ".join(f"`{column[1]}`" for column in columns)))
    connection.close()
    return table(("table", "columns"), rows)


def settings_tables() -> dict[str, Callable[[], str]]:
    """Return by its name what makes the table of keys of each table of the configuration."""

    def of(rows: Callable[[], Iterable[Sequence[str]]]) -> Callable[[], str]:
        return lambda: table(reference.HEAD, rows())

    tables = {name: of(partial(reference.rows, one)) for name, one in reference.tables().items()}
    return {reference.TOP: of(reference.top_rows), **tables}


def example(name: str) -> str:
    """Return a file of the example of drivers as a block of code."""
    code = (DOCS / "examples" / "pvcharge-tiny" / name).read_text(encoding="utf-8")
    return f"```{'toml' if name.endswith('toml') else 'python'}\n{code}```"


def with_tables(text: str) -> str:
    """Return a page with each of its tables made anew."""
    tables: dict[str, Callable[[], str]] = {
        "topics": topics_table,
        "values": values_table,
        "measurements": measurements_table,
        "metrics": metrics_table,
        "store": store_table,
        "faults": partial(reliability.overview, table),
        **reliability.component_tables(table),
        "routes": lambda: table(routes.HEAD, routes.rows()),
        **{f"example {name}": partial(example, name) for name in EXAMPLES},
        **{f"config {name}": make for name, make in settings_tables().items()},
    }
    for name, make in tables.items():
        if f"<!-- {name} -->" not in text:
            continue
        content = make()
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
    names = ("mqtt", "data", "reliability", "configuration", "api", "drivers")
    pages = [DOCS / f"{name}.md" for name in names]
    return {
        **{page: with_tables(page.read_text(encoding="utf-8")) for page in pages},
        DOCS / "mosquitto" / "acl": acl(SITE),
    }


if __name__ == "__main__":
    for path, content in generated().items():
        path.write_text(content, encoding="utf-8")
