"""The dashboards that we ship ask for what we send, and a real server answers them."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from history.influx_process import SITE
from history.influx_rig import writing
from history.test_influx_victoria import NOON, ONE_OF_EACH
from pvcharge.history.influx.codes import CODES
from pvcharge.history.influx.points import SCHEMA, Kind
from pvcharge.history.rows import Event
from pvcharge.model import PowerFlow, Session
from support.docs import DOCS
from support.victoria import Victoria, running_victoria

GRAFANA = DOCS / "grafana"
INFLUX, VICTORIA = "pvcharge-influxdb", "pvcharge-victoriametrics"
TYPES = {INFLUX: "influxdb", VICTORIA: "prometheus"}
FIELDS = {of.name: {field.name for field in of.fields} for of in SCHEMA}
METRICS = {f"{of.name}_{field.name}" for of in SCHEMA for field in of.fields if field.kind is not Kind.TEXT}
each_dashboard = pytest.mark.parametrize("name", TYPES)


def dashboard(name: str) -> dict[str, Any]:
    """Return a dashboard."""
    document: dict[str, Any] = json.loads((GRAFANA / f"{name}.json").read_text(encoding="utf-8"))
    return document


def targets(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the queries of a dashboard, with the titles of their panels."""
    for panel in dashboard(name)["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target


@each_dashboard
def test_data_source_is_chosen_by_the_user(name: str) -> None:
    """Each panel takes the one that is chosen above, of the right type; none knows a name of ours."""
    chosen = {"type": TYPES[name], "uid": "${ds}"}
    source, site = dashboard(name)["templating"]["list"][:2]
    assert (source["name"], source["type"], source["query"]) == ("ds", "datasource", TYPES[name])
    assert (site["name"], site["datasource"]) == ("site", chosen)
    assert all(panel["datasource"] == chosen for panel in dashboard(name)["panels"])
    assert all(target["datasource"] == chosen for _, target in targets(name))


@each_dashboard
def test_file_can_be_provisioned(name: str) -> None:
    """With an identity of its own, and nothing that only an import by hand fills in."""
    document = dashboard(name)
    assert (document["uid"], document["id"], document["schemaVersion"]) == (name, None, 39)
    assert not {"__inputs", "__requires"} & document.keys()


@each_dashboard
def test_panels_lie_side_by_side(name: str) -> None:
    """Each has a number of its own, and 24 columns hold them without overlap."""
    panels = dashboard(name)["panels"]
    places = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) == 23


def test_both_show_the_same() -> None:
    """Whoever changes one changes the other."""
    assert [panel["title"] for panel in dashboard(INFLUX)["panels"]] == [
        panel["title"] for panel in dashboard(VICTORIA)["panels"]
    ]


def test_influxql_names_what_the_table_has() -> None:
    """Measurements, fields and tags; each measurement is shown somewhere."""
    shown = set()
    for title, target in targets(INFLUX):
        parts = re.fullmatch(r'SELECT (.*) FROM "(\w+)" WHERE (.*)', target["query"])
        assert parts, title
        values, measurement, rest = parts.groups()
        shown.add(measurement)
        fields = re.findall(r'"(\w+)"', re.sub(r' AS "[^"]*"', "", values))
        assert fields, title
        assert set(fields) <= FIELDS[measurement], title
        assert set(re.findall(r'"(\w+)"', rest)) <= {"site", "device"}, title
        assert "$timeFilter" in rest, title
    assert shown == set(FIELDS)


def test_promql_names_what_the_table_has() -> None:
    """And no text, which is a 0 in VictoriaMetrics."""
    shown = set()
    for title, target in targets(VICTORIA):
        metrics = set(re.findall(r"\b([a-z_0-9]+)\{", target["expr"]))
        assert metrics, title
        assert metrics <= METRICS, title
        shown |= {metric.partition("_")[0] for metric in metrics}
    assert shown == set(FIELDS)


def test_sites_are_looked_up_where_they_are() -> None:
    """By the measurement that every site has."""
    influxql, promql = (dashboard(name)["templating"]["list"][1]["definition"] for name in (INFLUX, VICTORIA))
    assert influxql == 'SHOW TAG VALUES FROM "control" WITH KEY = "site"'
    assert promql == "label_values(control_mode_code, site)"
    assert "control_mode_code" in METRICS


@pytest.mark.parametrize(
    ("title", "codes"), [("Reason", "reason_code"), ("Mode", "mode_code"), ("Car", "state_code")]
)
def test_every_code_has_a_text(title: str, codes: str) -> None:
    """A new reason shows up as a word, not as a number."""
    mappings = {
        name: next(panel for panel in dashboard(name)["panels"] if panel["title"] == title)["fieldConfig"][
            "defaults"
        ]["mappings"][0]["options"]
        for name in TYPES
    }
    words = {word.value: word.value.replace("_", " ") for word in CODES[codes]}
    numbers = {str(number): words[word.value] for word, number in CODES[codes].items()}
    assert {key: option["text"] for key, option in mappings[INFLUX].items()} == words
    assert {key: option["text"] for key, option in mappings[VICTORIA].items()} == numbers


def test_provisioned_data_sources_are_of_the_types_that_dashboards_take() -> None:
    """And none holds a secret."""
    text = (GRAFANA / "provisioning/datasources/pvcharge.yaml").read_text(encoding="utf-8")
    assert re.findall(r"^    uid: (.*)\n    type: (.*)$", text, re.MULTILINE) == list(TYPES.items())
    assert re.findall(r"Token (.*)", text) == ["$PVCHARGE_INFLUX_TOKEN"]
    assert "dbName: pvcharge_raw" in text


def moved(event: Any, at: datetime) -> Event:
    """Return an event of noon as if it had been at another time."""
    names = {PowerFlow: ("start", "end"), Session: ("started_at", "ended_at")}.get(type(event), ("at",))
    shifted: Event = replace(event, **{name: getattr(event, name) - NOON + at for name in names})
    return shifted


@pytest.fixture
async def victoria(tmp_path: Path) -> AsyncIterator[Victoria]:
    """Run a server."""
    async with running_victoria(tmp_path) as server:
        yield server


async def test_every_panel_shows_something(tmp_path: Path, victoria: Victoria) -> None:
    """Each of its queries, asked of a real VictoriaMetrics as Grafana does."""
    now = datetime.now(UTC)
    events = [
        moved(event, now - timedelta(days=days, seconds=20 - number))
        for days in (1, 0)
        for number, event in enumerate(ONE_OF_EACH)
    ]
    async with writing(tmp_path, victoria.url, *events) as rig:
        await rig.until_sent()
    for title, target in targets(VICTORIA):
        step = target.get("interval", "10s")
        expression = target["expr"].replace("$__interval", step).replace("$site", SITE)
        span = {"start": f"{now.timestamp() - 600:.0f}", "end": f"{now.timestamp():.0f}", "step": step}
        result = await victoria.query(expression, **span)
        assert len(result) == 1, f"{title}: {expression}"
        if "{{device}}" in target["legendFormat"]:
            assert result[0]["metric"]["device"], title
