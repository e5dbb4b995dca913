"""`pvcharge replay`: a recorded day decision by decision, and what other settings would have made of it."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.runner import Result, Run, WriteConfig
from history.recording import MORNING, eventful, recorded_events
from pvcharge import __version__
from pvcharge.control import Controller, ControlSettings, Objective
from pvcharge.history.reading import Reader
from pvcharge.history.store import Batch, Store
from pvcharge.model import Decision, DeviceHealth
from pvcharge.recorded import recorded_house
from pvcharge.simulation import Outcome, Simulation

DAY = ("--from", "2026-06-15", "--to", "2026-06-15")
EVENING = MORNING + timedelta(hours=12)
LINE = re.compile(r"2026-06-15 (\d\d:\d\d:\d\d)  (off|\d+ A on \d phases?) +([A-Z].*\.)")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a day on which much happens."""
    path = tmp_path_factory.mktemp("day") / "history.db"
    eventful(path)
    return path


@pytest.fixture
def day(recorded: Path, tmp_path: Path) -> Path:
    """Return a copy of that store where the configuration has it."""
    path = tmp_path / "state" / "history.db"
    path.parent.mkdir()
    shutil.copy(recorded, path)
    return path


@pytest.fixture
def reader(recorded: Path) -> Iterator[Reader]:
    """Return that store, to be read."""
    opened = Reader.open(recorded)
    yield opened
    opened.close()


class Otherwise(Controller):
    """A controller of another version: a start costs it nothing."""

    def __init__(self, settings: ControlSettings) -> None:
        super().__init__(settings.model_copy(update={"start_cost_wh": 1.0}))


class Minutely(Controller):
    """A controller whose decisions read the same, but are not."""

    def decide(self, now: datetime) -> Decision:
        """Decide with a little more need."""
        decision = super().decide(now)
        return replace(decision, needed_w=(decision.needed_w or 0.0) + 0.5)


# --- exactly ---


def test_a_day_is_told_change_by_change(
    pvcharge: Run, day: Path, write_config: WriteConfig, reader: Reader
) -> None:
    """In the site's own time, a sentence each, with each start of the daemon, and what it comes to."""
    assert day.exists()
    result = pvcharge("replay", "-c", write_config(), *DAY)
    assert (result.code, result.err) == (0, "")
    *lines, last = result.out.splitlines()
    starts = [line for line in lines if line.endswith(f"pvcharge {__version__} starts")]
    assert starts == [
        f"2026-06-15 {clock}  pvcharge {__version__} starts" for clock in ("08:00:00", "12:30:00")
    ]
    told = [match.groups() for line in lines if (match := LINE.fullmatch(line))]
    assert len(told) + len(starts) == len(lines)
    assert ("15:00:00", "16 A on 3 phases", "Boost: full power until 15:24:00.") in told
    decisions = recorded_events(reader, Decision)
    assert 30 < len(told) < len(decisions) / 10
    span = "from 2026-06-15 00:00:00 to 2026-06-16 00:00:00"
    assert last == f"{len(decisions):,} decisions {span}, all the same today."


def test_every_decision_is_told_if_wanted(pvcharge: Run, recorded: Path, reader: Reader) -> None:
    """A line each; from a store alone times are UTC."""
    result = pvcharge("replay", "--store", recorded, *DAY, "--all")
    told = [match.groups() for line in result.out.splitlines() if (match := LINE.fullmatch(line))]
    assert [clock for clock, _, _ in told] == [
        f"{it.at:%H:%M:%S}" for it in recorded_events(reader, Decision)
    ]


def document(result: Result) -> Any:
    """Return the JSON that a command has printed."""
    return json.loads(result.out)


def test_json_has_the_whole_decision(pvcharge: Run, recorded: Path, reader: Reader) -> None:
    """With all its figures, in a list that grows as they come."""
    result = pvcharge("replay", "--store", recorded, *DAY, "--json", "--all")
    told, decisions = document(result), recorded_events(reader, Decision)
    assert (told["from"], told["to"]) == ("2026-06-15T00:00:00+00:00", "2026-06-16T00:00:00+00:00")
    assert (told["decided"], told["differ"], told["pvcharge"]) == (len(decisions), 0, __version__)
    assert [(run["beginning_kept"], run["lost"]) for run in told["runs"]] == [(True, 0)] * 2
    assert len(told["decisions"]) == len(decisions)
    for one, decision in zip(told["decisions"][::50], decisions[::50], strict=True):
        assert datetime.fromisoformat(one["at"]) == decision.at
        assert (one["setpoint_phases"], one["reason"]) == (decision.setpoint.phases, decision.reason)
        assert (one["surplus_w"], one["same"]) == (decision.surplus_w, True)
    assert len(document(pvcharge("replay", "--store", recorded, *DAY, "--json"))["decisions"]) < 500


def test_without_a_range_it_is_the_last_24_hours(pvcharge: Run, recorded: Path) -> None:
    """In which this store has nothing, which is no fault."""
    result = pvcharge("replay", "--store", recorded)
    assert result.code == 0
    assert re.fullmatch(r"No decision is recorded from .* to .*\.\n", result.out)
    assert document(pvcharge("replay", "--store", recorded, "--json"))["decisions"] == []
    until = pvcharge("replay", "--store", recorded, "--to", "2026-06-15T10:00")
    assert "from 2026-06-14 10:00:00 to 2026-06-15 10:00:00, all" in until.out


def test_a_controller_that_decides_otherwise_is_told(
    pvcharge: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both decisions, both versions, and exit code 1 for scripts."""
    monkeypatch.setattr("pvcharge.replay.Controller", Otherwise)
    monkeypatch.setattr("pvcharge.cli.replay.__version__", "7.7")
    result = pvcharge("replay", "--store", recorded, *DAY)
    assert result.code == 1
    lines = result.out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("       now instead:"))
    assert "starts if it stays above" in lines[first - 1]
    assert re.fullmatch(r" {7}now instead:  \d+ A on \d phases? +Following the surplus of .*", lines[first])
    verdict = rf"[0-9,]+ of them not the same today\. .*this pvcharge 7\.7 .* than that of {__version__},"
    assert re.search(verdict, lines[-1])
    told = document(pvcharge("replay", "--store", recorded, *DAY, "--json"))
    other = [one for one in told["decisions"] if not one["same"]]
    assert told["differ"] >= len(other) > 0
    assert other[0]["replayed"]["reason"] == "following"
    assert "replayed" not in told["decisions"][0]


def test_a_difference_is_told_also_if_it_reads_the_same(
    pvcharge: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figure that is another one."""
    monkeypatch.setattr("pvcharge.replay.Controller", Minutely)
    result = pvcharge("replay", "--store", recorded, *DAY)
    assert result.code == 1
    assert "now instead:  needed_w 690.5 and not 690.0" in result.out


def test_what_is_not_kept_is_told(pvcharge: Run, day: Path) -> None:
    """A difference then says nothing about the version."""
    store = Store.open(day)
    failing = DeviceHealth(
        "history", MORNING, ok=False, since=MORNING, error="disk full", facts={"dropped": 7}
    )
    store.write(Batch(MORNING + timedelta(hours=8), [failing]))
    while store.prune(MORNING + timedelta(hours=7), MORNING):
        pass
    store.close()
    result = pvcharge("replay", "--store", day, *DAY)
    assert "Of the run that began at 2026-06-15 10:30:00, the beginning is no longer kept" in result.out
    assert "Of the run that began at 2026-06-15 10:30:00, 7 events never got to the disk" in result.out
    assert "decides differently" not in result.out
    (run,) = document(pvcharge("replay", "--store", day, *DAY, "--json"))["runs"]
    assert (run["beginning_kept"], run["lost"]) == (False, 7)


def test_settings_of_another_version_are_no_crash(pvcharge: Run, tmp_path: Path) -> None:
    """Exit code 2, and the setting that is not understood."""
    path = tmp_path / "other.db"
    store = Store.open(path)
    store.begin_run(MORNING, "9.9", '{"future_key": 1}')
    store.write(Batch(MORNING, [Controller(ControlSettings()).decide(MORNING)]))
    store.close()
    for more in ((), ("--set", "control.min_on_s=1")):
        result = pvcharge("replay", "--store", path, *DAY, *more)
        assert (result.code, result.out) == (2, "")
        assert "was pvcharge 9.9" in result.err
        assert "future_key" in result.err


# --- what if ---

COST = ("--set", "control.objective=cost", "--set", "control.car_energy_price=0.12")


def rounded(outcome: Outcome) -> dict[str, Any]:
    """Return the figures as JSON shows them."""
    return {name: round(value, 3) for name, value in asdict(outcome).items() if name not in ("days", "steps")}


def test_what_if_is_what_the_simulation_says(pvcharge: Run, recorded: Path, reader: Reader) -> None:
    """For the settings then, and for the changed ones, over the recorded house with its own car."""
    told = document(pvcharge("replay", "--store", recorded, *DAY, *COST, "--json"))
    house = recorded_house(reader, MORNING, EVENING)
    trace = house.trace
    for name, settings in (
        ("simulated", ControlSettings()),
        ("changed", ControlSettings(objective=Objective.COST, car_energy_price=0.12)),
    ):
        days = Simulation(trace, trace.start, trace.days, house.source, settings, plugged=house.visits)
        outcome = days.run()
        cost = outcome.house_import_kwh * 0.30 - outcome.house_export_kwh * 0.08
        assert told[name] == {**rounded(outcome), "cost": pytest.approx(cost, abs=0.001)}
    assert told["simulated"] != told["changed"]
    assert (told["source"], told["covered"]) == ("modbus", round(house.covered, 3))
    assert told["from"] == "2026-06-15T06:00:00+00:00"


def test_what_really_happened_stands_beside_it(pvcharge: Run, recorded: Path, reader: Reader) -> None:
    """As the energies have it, as far as they do."""
    told = document(pvcharge("replay", "--store", recorded, *DAY, *COST, "--json"))["as_it_was"]
    rows = reader.five_minutes(MORNING, EVENING)
    assert told["charged_kwh"] == pytest.approx(sum(row.charger_wh for row in rows) / 1000, abs=0.001)
    imported, exported = (
        sum(getattr(row, name) for row in rows) / 1000 for name in ("import_wh", "export_wh")
    )
    assert told["cost"] == pytest.approx(imported * 0.30 - exported * 0.08, abs=0.001)
    assert told["import_kwh"] <= told["house_import_kwh"] == pytest.approx(imported, abs=0.001)
    assert 0 < told["solar_share_pct"] < 100
    assert told["writes"] is None


def test_the_table_has_a_column_for_each_course(pvcharge: Run, recorded: Path) -> None:
    """With what has to be known to read it."""
    prices = ("--set", "control.import_price=0.4", "--set", "control.phases=[1]")
    result = pvcharge("replay", "--store", recorded, *DAY, *prices)
    assert (result.code, result.err) == (0, "")
    assert "as it was" in result.out
    assert "import_price=0.4" in result.out
    assert "phases=1" in result.out
    row = next(line for line in result.out.splitlines() if line.strip().startswith("charged"))
    assert row.count("kWh") == 3
    for note in (
        "Cost: 0.4 for a kWh bought, 0.08 earned for one sold.",
        "Readings tell of 95 % of the time",
        "not found full",
        "were changed 5 times",
    ):
        assert note in result.out


def test_a_picture_shows_them_side_by_side(
    pvcharge: Run, day: Path, write_config: WriteConfig, tmp_path: Path
) -> None:
    """A column each, in local time."""
    assert day.exists()
    drawn = tmp_path / "days.svg"
    result = pvcharge("replay", "-c", write_config(), *DAY, *COST, "--plot", drawn, "--json")
    assert (result.code, result.err) == (0, f"picture: {drawn}\n")
    content = drawn.read_text()
    assert content.count("Monday 15 June 2026, Europe/Vienna") == 3
    for text in ("as it was", "simulated", "simulated with objective=cost, car_energy_price=0.12", "8:00"):
        assert f"<!-- {text} -->" in content
    assert content.count("<!-- charged ") == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("control.objectiv=cost", "--set: [control] objectiv: unknown key; did you mean objective?"),
        ("control.objective=fame", "--set: [control] objective: must be 'balance', 'no_import' or 'cost'"),
        ("control.min_current_a=3", "--set: [control] min_current_a: must be at least 6"),
        ("control.import_price=0.01", "prices must rise"),
        ("control.mode=boost", "boost is a command"),
        ("edge.lease_s=30", "--set edge.lease_s=30: only what is in [control] can be changed afterwards"),
        ("objective=cost", "write it like control.objective=cost"),
        ("control.objective", "write it like control.objective=cost"),
    ],
)
def test_a_change_that_cannot_be_is_refused(pvcharge: Run, recorded: Path, change: str, message: str) -> None:
    """In the words of the configuration."""
    result = pvcharge("replay", "--store", recorded, *DAY, "--set", change)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--plot", "days.png"), "--plot goes with --set"),
        ((*COST, "--plot", "days.pdf"), "the file name must end in .png or .svg"),
        ((*COST, "--all"), "--all does not go with --set"),
        ((*COST, "--to", "2026-06-01"), "no decision is recorded"),
    ],
)
def test_options_that_do_not_go_together(
    pvcharge: Run, recorded: Path, options: tuple[str, ...], message: str
) -> None:
    """Are refused before anything is computed."""
    result = pvcharge("replay", "--store", recorded, *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_decisions_without_readings_make_no_house(pvcharge: Run, tmp_path: Path) -> None:
    """What would have happened cannot be told then."""
    path = tmp_path / "bare.db"
    store = Store.open(path)
    store.begin_run(MORNING, "1.0", ControlSettings().model_dump_json())
    store.write(Batch(MORNING, [Controller(ControlSettings()).decide(MORNING)]))
    store.close()
    result = pvcharge("replay", "--store", path, *DAY, *COST)
    assert (result.code, result.out) == (2, "")
    assert "from 2026-06-15 00:00:00 to 2026-06-16 00:00:00 there is no reading of the grid" in result.err
