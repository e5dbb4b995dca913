"""`pvcharge export`: what is remembered, for spreadsheets, scripts, and `simulate`."""

import csv
import gzip
import json
import stat
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cli.runner import Result, Run, WriteConfig, start
from history.recording import MORNING, record
from pvcharge.history.rows import Event
from pvcharge.history.store import Batch, Energies, Store
from pvcharge.model import (
    ChargerState,
    ChargerStatus,
    Decision,
    Mode,
    PowerFlow,
    Reason,
    Session,
    Setpoint,
)

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
HOLIDAY = ("--from", "2026-06-15", "--to", "2026-06-16")

WHAT = ("sessions", "readings", "statuses", "decisions", "energy")


def session(began_after: timedelta) -> Session:
    """Return a charge of an hour."""
    began = MORNING + began_after
    figures = (7000.0, 5600.5, 1.25, 0.85, 3000.0, 2, 1)
    return Session(began, began + timedelta(hours=1), *figures, {"too_little": 600.0})


def events(after: timedelta) -> list[Event]:
    """Return what is seen within a minute."""
    at = MORNING + after
    status = ChargerStatus(at, ChargerState.CHARGING, 3600.0, 1, 15.7, Setpoint(1, 16), changed_by_hand_at=at)
    asleep = ChargerStatus(at + MINUTE, ChargerState.READY, 0.0, fault='"none", they say')
    decision = Decision(at, Setpoint(3, 10), Reason.FOLLOWING, Mode.SURPLUS, 6900.25, waits_until=at + MINUTE)
    return [PowerFlow(at, at, 4000.0, -1234.5, source="roof"), status, decision, asleep]


def energies(pv_wh: float) -> Energies:
    """Return energies of some interval."""
    return pv_wh, 10.0, 20.0, 0.0, 0.0, 30.0, 300.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store of two days, a month apart, where the configuration has it."""
    path = tmp_path / "state" / "history.db"
    store = Store.open(path)
    for day, after in enumerate((timedelta(0), timedelta(0.25), 30 * DAY)):
        at = MORNING + after
        seen = [*events(after), session(after)]
        five_minutes = {at: energies(100.0), at + 5 * MINUTE: energies(101.0)}
        store.write(Batch(at, seen, five_minutes, filled=day == 1))
    store.close()
    return path


def rows(result: Result) -> list[dict[str, str]]:
    """Return the rows of a CSV that was printed."""
    assert (result.code, result.err) == (0, "")
    return list(csv.DictReader(result.out.splitlines()))


def array(result: Result) -> list[dict[str, Any]]:
    """Return the objects of a JSON array that was printed."""
    assert (result.code, result.err) == (0, "")
    objects = json.loads(result.out)
    assert isinstance(objects, list)
    return objects


# --- what ---


def test_sessions_have_a_row_each(pvcharge: Run, path: Path) -> None:
    """In the words and units of the model; reasons of pauses as JSON in a cell."""
    told = rows(pvcharge("export", "sessions", "--store", path))
    assert len(told) == 3
    assert told[0] == {
        "started_at": "2026-06-15T06:00:00+00:00",
        "ended_at": "2026-06-15T07:00:00+00:00",
        "energy_wh": "7000.0",
        "solar_wh": "5600.5",
        "cost": "1.25",
        "saved": "0.85",
        "charging_s": "3000.0",
        "starts": "2",
        "phase_switches": "1",
        "pauses_s": '{"too_little": 600.0}',
    }
    objects = array(pvcharge("export", "sessions", "--format", "json", "--store", path))
    assert objects[0]["pauses_s"] == {"too_little": 600.0}
    assert objects[0]["energy_wh"] == 7000.0


def test_readings_are_as_they_were_seen(pvcharge: Run, path: Path) -> None:
    """What a device did not say is an empty cell, or null."""
    told = rows(pvcharge("export", "readings", "--store", path))[0]
    assert (told["start"], told["pv_w"], told["grid_w"]) == ("2026-06-15T06:00:00+00:00", "4000.0", "-1234.5")
    assert (told["battery_w"], told["source"]) == ("", "roof")
    assert array(pvcharge("export", "readings", "--format", "json", "--store", path))[0]["battery_w"] is None


def test_a_setpoint_takes_two_columns(pvcharge: Run, path: Path) -> None:
    """Of a status, which may have none, and of a decision."""
    told = rows(pvcharge("export", "statuses", "--store", path))
    assert (told[0]["setpoint_phases"], told[0]["setpoint_current_a"], told[0]["state"]) == (
        "1",
        "16",
        "charging",
    )
    assert told[0]["changed_by_hand_at"] == "2026-06-15T06:00:00+00:00"
    assert (told[1]["setpoint_phases"], told[1]["fault"]) == ("", '"none", they say')
    decision = array(pvcharge("export", "decisions", "--format", "json", "--store", path))[0]
    assert (decision["setpoint_phases"], decision["setpoint_current_a"]) == (3, 10)
    assert (decision["reason"], decision["surplus_w"]) == ("following", 6900.25)
    assert (decision["waits_until"], decision["boost_until"]) == ("2026-06-15T06:01:00+00:00", None)


def test_energy_is_summed_by_day_unless_told_otherwise(pvcharge: Run, path: Path) -> None:
    """By the site's days; what was filled in afterwards is marked."""
    told = rows(pvcharge("export", "energy", "--store", path))
    assert [(row["start"], row["pv_wh"], row["filled"]) for row in told] == [
        ("2026-06-15", "402.0", "true"),
        ("2026-07-15", "201.0", "false"),
    ]
    assert told == rows(pvcharge("export", "energy", "--by", "day", "--store", path))


def test_energy_by_month_is_that_of_its_days(pvcharge: Run, path: Path) -> None:
    """Of those in the range."""
    store = Store.open(path)
    store.write(Batch(MORNING, five_minutes={MORNING + 5 * DAY: energies(500.0)}))
    store.close()
    told = array(pvcharge("export", "energy", "--by", "month", "--format", "json", "--store", path))
    assert [(row["start"], row["pv_wh"], row["filled"]) for row in told] == [
        ("2026-06", 902.0, True),
        ("2026-07", 201.0, False),
    ]
    since = ("--from", "2026-06-16", "--store", path)
    assert (
        array(pvcharge("export", "energy", "--by", "month", "--format", "json", *since))[0]["pv_wh"] == 500.0
    )


def test_energy_by_five_minutes(pvcharge: Run, path: Path) -> None:
    """Those that begin in the range, whether it has bounds or not."""
    by = ("export", "energy", "--by", "five-minutes", "--store", path)
    assert len(rows(pvcharge(*by))) == 6
    told = rows(pvcharge(*by, "--from", "2026-06-15T06:05", "--to", "2026-06-15T12:05"))
    assert [row["start"][11:16] for row in told] == ["06:05", "12:00"]
    assert [row["pv_wh"] for row in told] == ["101.0", "100.0"]


# --- when ---


def test_times_are_the_sites_own(pvcharge: Run, path: Path, write_config: WriteConfig) -> None:
    """With their offset; a copy of a store is told in the zone of a configuration, if one is given."""
    config = write_config()
    expected = "2026-06-15T08:00:00+02:00"
    assert rows(pvcharge("export", "readings", "-c", config))[0]["start"] == expected
    copy = path.rename(path.with_name("copy.db"))
    assert rows(pvcharge("export", "readings", "-c", config, "--store", copy))[0]["start"] == expected


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ((), 3),
        (("--from", "2026-06-15T08:00"), 3),
        (("--from", "2026-06-15T08:00:01"), 2),
        (("--from", "2026-06-15T06:00:00Z", "--to", "2026-06-15T06:00:01+00:00"), 1),
        (("--to", "2026-06-15T08:00"), 0),
        (("--to", "2026-06-15 14:00"), 1),
        (("--from", "2026-06-15", "--to", "2026-06-15"), 2),
        (("--from", "2026-06-16"), 1),
        (("--from", "2026-07-15", "--to", "9999-12-30"), 1),
        (("--from", "yesterday"), 0),
    ],
)
@pytest.mark.parametrize("what", ["sessions", "readings", "decisions"])
def test_a_range_has_local_bounds(
    pvcharge: Run, path: Path, write_config: WriteConfig, what: str, bounds: tuple[str, ...], found: int
) -> None:
    """The end is not in it, but a day as the end is."""
    assert path.exists()
    assert len(rows(pvcharge("export", what, "-c", write_config(), *bounds))) == found


def test_a_reading_that_came_late_is_found(pvcharge: Run, path: Path) -> None:
    """Behind others that are newer than the range."""
    store = Store.open(path)
    begin, quarter = MORNING + 31 * DAY, timedelta(minutes=15)
    newer = PowerFlow(begin + 20 * MINUTE, begin + 20 * MINUTE, 1.0, 1.0, source="roof")
    late = PowerFlow(begin, begin + quarter, 2.0, 2.0, source="cloud")
    store.write(Batch(begin + 21 * MINUTE, [newer, late]))
    store.close()
    told = rows(
        pvcharge("export", "readings", "--store", path, "--from", "2026-07-16", "--to", "2026-07-16T06:15")
    )
    assert [row["source"] for row in told] == ["cloud"]


@pytest.mark.parametrize("bad", ["tomorrow", "2026-13-01", "2026-06-15T25:00", "9999-12-31", "12:00", ""])
def test_a_time_that_cannot_be_understood(pvcharge: Run, path: Path, bad: str) -> None:
    """Is refused, with examples of what can."""
    result = pvcharge("export", "readings", "--store", path, "--to", bad)
    assert (result.code, result.out) == (2, "")
    assert "write it like today, yesterday, 2026-06-15 or 2026-06-15T12:00" in result.err


def test_a_range_goes_forward(pvcharge: Run, path: Path) -> None:
    """Else it is a mistake."""
    result = pvcharge("export", "energy", "--store", path, "--from", "2026-06-16", "--to", "2026-06-15")
    assert (result.code, result.out) == (2, "")
    assert "--from 2026-06-16 00:00:00 is not before --to 2026-06-16 00:00:00" in result.err


@pytest.mark.parametrize("what", WHAT)
def test_nothing_found_is_no_fault(pvcharge: Run, path: Path, what: str) -> None:
    """CSV has its header all the same, JSON is an empty array."""
    nothing = ("export", what, "--store", path, "--to", "2026-06-01")
    result = pvcharge(*nothing)
    assert (result.code, result.out.count("\n")) == (0, 1)
    assert result.out.startswith(("start", "at,"))
    assert pvcharge(*nothing, "--format", "json").out == "[]\n"


# --- where to ---


def test_a_file_is_written_whole_and_for_its_owner(pvcharge: Run, path: Path, tmp_path: Path) -> None:
    """It tells when somebody is at home."""
    out = tmp_path / "readings.csv"
    result = pvcharge("export", "readings", "--store", path, "-o", out)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert out.read_text() == pvcharge("export", "readings", "--store", path).out
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    packed = tmp_path / "readings.json.gz"
    pvcharge("export", "readings", "--format", "json", "--store", path, "-o", packed)
    assert len(json.loads(gzip.decompress(packed.read_bytes()))) == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["readings.csv", "readings.json.gz", "state"]


def test_a_file_that_is_there_is_kept(pvcharge: Run, path: Path, tmp_path: Path) -> None:
    """Unless it is to be replaced; what is no file never is."""
    out = tmp_path / "mine.csv"
    out.write_text("precious")
    refused = pvcharge("export", "sessions", "--store", path, "-o", out)
    assert (refused.code, refused.err) == (2, f"pvcharge: -o {out}: is there already; --force replaces it\n")
    assert out.read_text() == "precious"
    assert pvcharge("export", "sessions", "--store", path, "-o", out, "--force").code == 0
    assert out.read_text().startswith("started_at,")
    folder = pvcharge("export", "sessions", "--store", path, "-o", tmp_path, "--force")
    assert (folder.code, folder.err) == (2, f"pvcharge: -o {tmp_path}: is no ordinary file\n")


def test_a_file_that_fails_leaves_nothing_behind(pvcharge: Run, path: Path, tmp_path: Path) -> None:
    """Neither a half one nor a temporary one; nor is the old one touched."""
    out = tmp_path / "trace.csv"
    out.write_text("old")
    store = Store.open(path)
    store.write(Batch(MORNING + 31 * DAY, [PowerFlow(MORNING + 31 * DAY, MORNING + 31 * DAY, 1.0, 1.0)]))
    store.close()
    nothing = pvcharge("export", "trace", "--store", path, "--from", "2026-07-16", "-o", out, "--force")
    assert nothing.code == 2
    assert "export trace: there is no reading of the grid" in nothing.err
    assert out.read_text() == "old"
    nowhere = pvcharge("export", "sessions", "--store", path, "-o", tmp_path / "absent" / "x.csv")
    assert (nowhere.code, nowhere.out) == (2, "")
    assert "x.csv: cannot be written: No such file or directory" in nowhere.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["state", "trace.csv"]


def test_a_reader_that_has_gone_is_no_crash(path: Path) -> None:
    """`pvcharge export readings | head -1` ends well, without a traceback."""
    store = Store.open(path)
    store.write(Batch(MORNING + DAY, [event for _ in range(3000) for event in events(DAY)]))
    store.close()
    with start("export", "statuses", "--store", path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("at,")
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(20) == 0
    assert errors == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("sessions", "--by", "day"), "export sessions: --by goes with energy"),
        (("trace", "--format", "json"), "export trace: a trace is CSV"),
        (("secrets",), "invalid choice: 'secrets'"),
    ],
)
def test_options_that_do_not_go_together(
    pvcharge: Run, path: Path, options: tuple[str, ...], message: str
) -> None:
    """Are refused."""
    result = pvcharge("export", *options, "--store", path)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


# --- where from ---


@pytest.mark.parametrize("command", [("export", "energy"), ("replay",)])
def test_a_store_that_is_not_there_is_named(
    pvcharge: Run, tmp_path: Path, write_config: WriteConfig, command: tuple[str, ...]
) -> None:
    """With who would write it; none is made."""
    result = pvcharge(*command, "-c", write_config())
    missing = tmp_path / "state" / "history.db"
    assert (result.code, result.out) == (2, "")
    assert f"{missing}: there is no such file; the daemon (pvcharge run) writes it" in result.err
    assert not missing.parent.exists()


def test_a_file_that_is_no_store_is_refused(pvcharge: Run, tmp_path: Path) -> None:
    """Whatever it is."""
    path = tmp_path / "days.csv"
    path.write_text("timestamp,pv_w\n" * 500)
    result = pvcharge("export", "energy", "--store", path)
    assert (result.code, result.out) == (2, "")
    assert f"pvcharge: {path}: file is not a database" in result.err
    assert "cannot be read: Is a directory" in pvcharge("export", "energy", "--store", tmp_path).err


def test_a_damaged_store_is_told(pvcharge: Run, path: Path) -> None:
    """In the middle of it too."""
    store = Store.open(path)
    store.write(Batch(MORNING + DAY, [event for _ in range(5000) for event in events(DAY)]))
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\xaa" * (size // 2))
    result = pvcharge("export", "statuses", "--store", path)
    assert result.code == 2
    assert result.err.startswith(f"pvcharge: {path}: ")


# --- a trace ---


def test_a_trace_is_the_house_and_nothing_of_whose_it_is(pvcharge: Run, tmp_path: Path) -> None:
    """Minutes of production and household in UTC, which `simulate` takes."""
    store = tmp_path / "history.db"
    record(store, MORNING, 2.0, lambda house: {0.2: house.charger.plug_in})
    trace = tmp_path / "days.csv.gz"
    result = pvcharge("export", "trace", "--store", store, "-o", trace)
    assert (result.code, result.out, result.err) == (0, "", "a trace of 0.08 days\n")
    packed = trace.read_bytes()
    assert packed[3:8] == bytes(5)  # neither name nor time of a file
    head, *lines = gzip.decompress(packed).decode().splitlines()
    assert head == "timestamp,pv_w,load_w"
    assert lines[0].startswith("2026-06-15T06:00:00Z,")
    assert {len(line.split(",")) for line in lines} == {3}
    assert all(before < after for before, after in pairwise(lines))
    simulated = pvcharge("simulate", "--json", "--trace", trace)
    assert simulated.code == 0
    assert json.loads(simulated.out)["pv_kwh"] > 1
    printed = pvcharge("export", "trace", "--store", store, *HOLIDAY)
    assert printed.out.splitlines() == [head, *lines]


def test_a_trace_tells_what_was_not_recorded(pvcharge: Run, tmp_path: Path) -> None:
    """So that nobody takes held values for measured ones."""
    path = tmp_path / "history.db"
    store = Store.open(path)
    statuses = [ChargerStatus(MORNING + k * MINUTE, ChargerState.DISCONNECTED, 0.0) for k in range(21)]
    flows = [PowerFlow(at, at, 1000.0, 0.0) for at in (MORNING, MORNING + 20 * MINUTE)]
    store.write(Batch(MORNING, [*statuses, *flows]))
    store.close()
    result = pvcharge("export", "trace", "--store", path)
    assert result.code == 0
    assert result.err == "a trace of 0.01 days, 71 % of it without readings: there the last value is held\n"
    assert result.out.splitlines()[10] == "2026-06-15T06:09:00Z,1000.0,1000.0"
