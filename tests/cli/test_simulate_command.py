"""`pvcharge simulate`: figures, table and picture of recorded days."""

import gzip
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path
from typing import Any

import pytest

from cli.runner import Run, WriteConfig

START = datetime(2026, 6, 15, 6, tzinfo=UTC)
HOURS = 6
KEYS = {
    "grid_exchange_kwh",
    "import_kwh",
    "export_kwh",
    "charged_kwh",
    "solar_share_pct",
    "starts",
    "phase_switches",
    "writes",
}


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Return six hours of sun with a dip, in minutes."""
    rows = ["timestamp,pv_w,load_w"]
    for minute in range(HOURS * 60):
        pv_w = 6500 * sin(pi * minute / (HOURS * 60)) * (0.3 if 200 < minute < 230 else 1.0)
        at = START + timedelta(minutes=minute)
        rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{pv_w:.0f},{400 + 10 * (minute % 30)}")
    path = tmp_path / "days.csv"
    path.write_text("\n".join(rows))
    return path


def figures(pvcharge: Run, *arguments: object) -> dict[str, Any]:
    """Return the JSON object that a simulation prints."""
    result = pvcharge("simulate", "--json", *arguments)
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("source", ["modbus", "live", "quarter"])
def test_json_has_all_figures(pvcharge: Run, trace: Path, source: str) -> None:
    """For each way of reading the inverter, in kWh and percent; nothing else is printed."""
    got = figures(pvcharge, "--trace", trace, "--source", source)
    assert set(got) >= KEYS
    assert (got["source"], got["days"], got["steps"]) == (source, 0.25, 4320)
    assert got["grid_exchange_kwh"] == pytest.approx(got["import_kwh"] + got["export_kwh"], abs=0.002)
    assert 5 < got["charged_kwh"] < got["pv_kwh"]
    assert 50 < got["solar_share_pct"] <= 100
    assert isinstance(got["starts"], int)
    assert got["starts"] >= 1
    assert got["steps_per_s"] > 0


def test_the_same_command_gives_the_same_figures(pvcharge: Run, trace: Path) -> None:
    """But for the time that it took; another seed gives others."""
    runs = [figures(pvcharge, "--trace", trace, "--source", "live", "--seed", seed) for seed in (3, 3, 4)]
    for run in runs:
        del run["steps_per_s"]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_days_are_skipped_and_counted(pvcharge: Run, trace: Path) -> None:
    """In parts of days too; more days than there are means all that are left."""
    assert figures(pvcharge, "--trace", trace, "--days", "0.125")["steps"] == 2160
    assert figures(pvcharge, "--trace", trace, "--skip-days", "0.125", "--days", "9")["steps"] == 2160
    early = figures(pvcharge, "--trace", trace, "--days", "0.05")
    late = figures(pvcharge, "--trace", trace, "--days", "0.05", "--skip-days", "0.1")
    assert early["steps"] == late["steps"]
    assert early["pv_kwh"] < late["pv_kwh"]


def test_the_configurations_control_table_is_used(
    pvcharge: Run, trace: Path, write_config: WriteConfig
) -> None:
    """Its limits and its mode; a bad configuration exits 78 as everywhere."""
    path = write_config(rest='[control]\nmode = "off"\n')
    assert figures(pvcharge, "--trace", trace, "-c", path)["charged_kwh"] == 0
    assert pvcharge("simulate", "--trace", trace, "-c", write_config(rest="[control]\nx = 1\n")).code == 78


def test_the_table_is_for_people(pvcharge: Run, trace: Path) -> None:
    """What happened in all and per day, with units."""
    result = pvcharge("simulate", "--trace", trace, "--source", "quarter")
    assert (result.code, result.err) == (0, "")
    rows = {line.split("  ")[0].strip(): line for line in result.out.splitlines() if line.strip()}
    assert "0.25 days, read as quarter" in result.out
    assert rows["charged"].split()[2] == "kWh"
    assert rows["starts"].split()[1].isdigit()
    assert any("steps per second" in row for row in rows)
    total, per_day = (float(rows["charged"].split()[k]) for k in (1, 3))
    assert per_day == pytest.approx(total / 0.25, abs=0.3)


def test_a_png_is_drawn(pvcharge: Run, trace: Path, tmp_path: Path) -> None:
    """A real picture, named on stderr so that stdout stays JSON."""
    picture = tmp_path / "days.PNG"
    result = pvcharge("simulate", "--json", "--trace", trace, "--plot", picture)
    assert (result.code, result.err) == (0, f"picture: {picture}\n")
    assert json.loads(result.out)["steps"] == 4320
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert b"IEND" in content[-12:]


def test_an_svg_is_drawn_with_a_panel_a_day(pvcharge: Run, trace: Path, tmp_path: Path) -> None:
    """With production, house, car and what was bought and sold in each."""
    hours = (START + timedelta(hours=hour) for hour in range(40))
    trace.write_text("timestamp,pv_w\n" + "\n".join(f"{at.isoformat()},{at.hour * 300}" for at in hours))
    picture = tmp_path / "days.svg"
    assert pvcharge("simulate", "--trace", trace, "--plot", picture).code == 0
    root = ET.fromstring(picture.read_text())  # noqa: S314 - drawn a moment ago
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    comments = picture.read_text()
    for text in (
        "Monday 15 June 2026",
        "Tuesday 16 June 2026",
        "production",
        "house",
        "car",
        "sold",
        "bought",
    ):
        assert text in comments


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("days.pdf", "the file name must end in .png or .svg"),
        ("days", "the file name must end in .png or .svg"),
        ("absent/days.png", "there is no folder"),
    ],
)
def test_a_picture_that_cannot_be_is_refused_before_the_run(
    pvcharge: Run, trace: Path, tmp_path: Path, name: str, message: str
) -> None:
    """Nobody waits a minute to hear of a typing error."""
    result = pvcharge("simulate", "--json", "--trace", trace, "--plot", tmp_path / name)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_picture_needs_matplotlib(pvcharge: Run, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is not installed unless wanted; the message says how."""
    monkeypatch.setattr("pvcharge.cli.picture.find_spec", lambda _: None)
    result = pvcharge("simulate", "--trace", trace, "--plot", "days.png")
    assert (result.code, result.err) == (
        2,
        "pvcharge: --plot needs matplotlib: pip install 'pvcharge[plot]'\n",
    )


def test_figures_survive_a_picture_that_cannot_be_written(pvcharge: Run, trace: Path, tmp_path: Path) -> None:
    """They are printed before it is drawn."""
    (tmp_path / "days.png").mkdir()
    result = pvcharge("simulate", "--json", "--trace", trace, "--plot", tmp_path / "days.png")
    assert result.code == 2
    assert "cannot be written: Is a directory" in result.err
    assert json.loads(result.out)["steps"] == 4320


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"time,power\n", "no column timestamp"),
        (b"timestamp,pv_w\n2026-06-15T06:00:00Z,lots\n", "pv_w is 'lots'"),
        (b"timestamp,pv_w\n2026-06-15T06:00:00Z,1\n", "a trace needs two or more"),
        (b"\x1f\x8b nothing", "not a text file"),
        (
            b"timestamp,pv_w\n2026-06-15T06:00:00Z,1\n2026-06-15T06:00:01Z,1\n",
            "nothing to simulate: less than one step of 5 s",
        ),
    ],
)
def test_a_bad_trace_exits_2_with_its_own_message(
    pvcharge: Run, tmp_path: Path, content: bytes | None, message: str
) -> None:
    """And no traceback."""
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    result = pvcharge("simulate", "--trace", path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("pvcharge: ")
    assert message in result.err


def test_a_compressed_trace_is_read(pvcharge: Run, trace: Path) -> None:
    """And one that is only called so is refused."""
    packed = trace.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(trace.read_bytes()))
    assert figures(pvcharge, "--trace", packed)["steps"] == 4320
    packed.write_bytes(trace.read_bytes())
    assert "not a whole gzip file" in pvcharge("simulate", "--trace", packed).err


@pytest.mark.parametrize("skip_days", ["0.25", "3", "1e300"])
def test_skipping_everything_is_refused(pvcharge: Run, trace: Path, skip_days: str) -> None:
    """The message says how many days there are."""
    result = pvcharge("simulate", "--trace", trace, "--skip-days", skip_days)
    assert result.code == 2
    assert result.err.endswith(f"{trace} has 0.25 days only\n")


def test_other_rules_are_compared_in_energy_and_money(pvcharge: Run, trace: Path) -> None:
    """Ours first, and exactly as alone; what the car got counts at what it would cost later."""
    alone = figures(pvcharge, "--trace", trace, "--source", "live")
    got = figures(pvcharge, "--trace", trace, "--source", "live", "--compare")
    others = got.pop("others")
    assert {key: value for key, value in got.items() if key != "steps_per_s"} == {
        key: value for key, value in alone.items() if key != "steps_per_s"
    }
    assert set(others) == {"literal rule", "thresholds and timers"}
    for rule in (got, *others.values()):
        of_house = rule["house_import_kwh"] * 0.30 - rule["house_export_kwh"] * 0.08
        assert rule["cost"] == pytest.approx(of_house, abs=0.002)
        assert rule["net_cost"] == pytest.approx(of_house - 0.19 * rule["charged_kwh"], abs=0.002)
        assert got["grid_exchange_kwh"] <= rule["grid_exchange_kwh"]


def test_the_comparison_is_a_table_and_a_picture(pvcharge: Run, trace: Path, tmp_path: Path) -> None:
    """A column and a panel for each rule."""
    picture = tmp_path / "days.svg"
    result = pvcharge("simulate", "--trace", trace, "--compare", "--plot", picture)
    assert result.code == 0
    for words in ("literal rule", "thresholds and timers", "less 0.19 for a kWh charged"):
        assert words in result.out
    assert ET.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - our own
