"""Traces: reading, interpolation, cropping, and what is said about files that are no traces."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pvcharge.sim import trace as trace_module
from pvcharge.sim.household import Household
from pvcharge.sim.trace import Trace, TraceError

SHARED = Path(__file__).parents[2] / "../shared/data"
START = datetime(2026, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

SMALL = """timestamp,pv_w,load_w,note
2026-06-01T00:00:00Z,0,300,a
2026-06-01T00:01:00Z,600,400,b
2026-06-01T00:02:00Z,1200,500,c
"""


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    """A file of this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def of_days(days: int) -> Trace:
    """A trace whose production in watts is the number of the minute."""
    return Trace(START, MINUTE, [float(k) for k in range(days * 1440)], [300.0] * days * 1440)


def test_a_small_file_is_read(tmp_path: Path) -> None:
    """Start, step, end and length are those of the rows; other columns do not matter."""
    trace = Trace.load(written(tmp_path, SMALL))
    assert (trace.start, trace.end, trace.step_s) == (START, START + 3 * MINUTE, 60)
    assert trace.days == pytest.approx(3 / 1440)
    assert list(trace.pv_means_w) == [0, 600, 1200]
    assert trace.load_means_w is not None
    assert list(trace.load_means_w) == [300, 400, 500]


def test_a_compressed_file_is_the_same(tmp_path: Path) -> None:
    """.csv.gz reads like .csv, also with the byte order mark that spreadsheets write."""
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(SMALL.encode("utf-8-sig")))
    assert Trace.load(path) == Trace.load(written(tmp_path, SMALL))


def test_production_is_interpolated_and_consumption_held(tmp_path: Path) -> None:
    """A mean belongs to the middle of its minute; the ends hold their values."""
    trace = Trace.load(written(tmp_path, SMALL))

    def at(seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    assert [trace.pv_w(at(s)) for s in (-60, 0, 30, 60, 75, 90, 120, 150, 179, 999)] == pytest.approx(
        [0, 0, 0, 300, 450, 600, 900, 1200, 1200, 1200]
    )
    assert [trace.load_w(at(s)) for s in (-60, 0, 59, 60, 119, 120, 999)] == [
        300, 300, 300, 400, 400, 500, 500,
    ]  # fmt: skip


def test_without_consumption_nobody_or_a_household_consumes(tmp_path: Path) -> None:
    """A file of production alone gets 0 W, or what the given household draws."""
    path = written(tmp_path, "timestamp,pv_w\n2026-06-01T00:00:00Z,1\n2026-06-01T00:01:00Z,2\n")
    assert Trace.load(path).load_w(START) == 0
    household = Household(1, 3500, UTC)
    assert Trace.load(path, household).load_w(START) == household.load_w(START) > 0


def test_other_zones_and_blank_lines_are_understood(tmp_path: Path) -> None:
    """Offsets are converted to UTC, quotes and blank lines do not matter."""
    text = '"timestamp", "pv_w"\n"2026-06-01T02:00:00+02:00",1\n\n2026-06-01T00:15:00Z,2\n'
    trace = Trace.load(written(tmp_path, text))
    assert (trace.start, trace.step_s) == (START, 900)


def test_missing_days_are_closed_up(tmp_path: Path) -> None:
    """Days that are chosen from a longer record follow each other, each at its own time of day."""
    rows = [f"2026-06-0{day}T{hour:02}:00:00Z,{day * 100 + hour}" for day in (1, 4) for hour in range(24)]
    trace = Trace.load(written(tmp_path, "\n".join(["timestamp,pv_w", *rows])))
    assert trace.days == 2
    assert trace.pv_w(START + timedelta(days=1, hours=10, minutes=30)) == 410


def changed(old: str, new: str) -> str:
    """The small file with something else in it."""
    assert old in SMALL
    return SMALL.replace(old, new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"trace\.csv: no column timestamp among none at all"),
        ("timestamp,pv_w\n", r"trace\.csv: 0 rows of data; a trace needs two or more"),
        ("timestamp,pv_w\n2026-06-01T00:00:00Z,1\n", "1 rows of data"),
        (changed("timestamp", "time"), "line 1: no column timestamp among time, pv_w, load_w, note; give"),
        (changed("pv_w", "pv_w_s1"), "line 1: no column pv_w among timestamp, pv_w_s1, load_w, note; give"),
        (changed(",600,", ",six,"), "line 3: pv_w is 'six'; write a number of watts"),
        (changed(",600,", ",,"), "line 3: pv_w is ''"),
        (changed(",600,", ",nan,"), "line 3: pv_w is 'nan'"),
        (changed(",600,", ",inf,"), "line 3: pv_w is 'inf'"),
        (changed(",600,", ",-5,"), "line 3: pv_w is '-5'"),
        (changed(",500,", ",x,"), "line 4: load_w is 'x'"),
        (changed("00:01:00Z", "00:01:00"), "line 3: timestamp '2026-06-01T00:01:00'; write it in UTC, like"),
        (changed("2026-06-01T00:00:00Z", "0001-01-01T00:00:00+02:00"), "line 2: timestamp '0001"),
        (changed("2026-06-01T00:00:00Z", "9999-12-31T23:59:59Z"), "line 2: timestamp '9999"),
        (
            changed("T00:01:00", "T02:00:00"),
            "line 3: 2:00:00 after the row before; a trace needs a row an hour",
        ),
        (changed("2026-06-01T00:02:00Z", "noon"), "line 4: timestamp 'noon'; write it in UTC"),
        (changed("00:02:00", "00:03:00"), r"line 4: irregular step, found .*00:03:00.* where .*00:02:00"),
        (changed("00:02:00", "00:00:30"), "line 4: irregular step"),
        (changed("00:01:00", "00:00:00"), "line 3: .*; the rows must go forward in time"),
        (changed(",1200,500,c", ""), "line 4: 1 columns instead of 4; complete or remove the row"),
        (changed(",c", ",c,d"), "line 4: 5 columns instead of 4"),
        (changed(",c", ',"' + "c\n" * 70_000), "field larger than field limit .*; check the quotes"),
        (changed(",c", "," + "c" * 20_000), "line 4: longer than 10000 characters; this is no trace"),
        (
            changed(",c", ",c\n2026-06-01T00:03:00Z,1,1,d"),
            "line 5: too large, more than 3 rows; cut the file",
        ),
    ],
)
def test_errors_say_where_what_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """Every kind of broken file is refused with file, line, what was found and what to do."""
    monkeypatch.setattr(trace_module, "MAX_ROWS", 3)
    with pytest.raises(TraceError, match=message) as refused:
        Trace.load(written(tmp_path, text))
    assert "trace.csv" in str(refused.value)


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    """No file, a folder, no gzip, half a gzip and no text each have their own words."""
    with pytest.raises(TraceError, match=r"absent\.csv: there is no such file"):
        Trace.load(tmp_path / "absent.csv")
    with pytest.raises(TraceError, match=r"cannot be read .*directory"):
        Trace.load(tmp_path)
    packed = tmp_path / "trace.csv.gz"
    packed.write_text(SMALL, encoding="utf-8")
    with pytest.raises(TraceError, match="not a whole gzip file"):
        Trace.load(packed)
    packed.write_bytes(gzip.compress(SMALL.encode())[:-10])
    with pytest.raises(TraceError, match="not a whole gzip file"):
        Trace.load(packed)
    binary = tmp_path / "trace.csv"
    binary.write_bytes(b"timestamp,pv_w\n\xff\xfe\x00")
    with pytest.raises(TraceError, match="not a text file"):
        Trace.load(binary)


def test_crop_cuts_out_days() -> None:
    """The part keeps its times and values; what lies beyond the end is not there."""
    trace = of_days(3)
    part = trace.crop(1, 1)
    assert (part.start, part.days) == (START + timedelta(days=1), 1)
    noon = START + timedelta(days=1, hours=12)
    assert part.pv_w(noon) == trace.pv_w(noon)
    assert part.load_w(noon) == 300
    assert trace.crop(2, 5).days == 1


@pytest.mark.parametrize(("skip_days", "days"), [(3, 1), (0, 0), (-1, 2), (1, -1)])
def test_crop_to_nothing_is_refused(skip_days: float, days: float) -> None:
    """Days that the trace does not have are named together with those it has."""
    with pytest.raises(TraceError, match=r"a trace of 3\.00 days"):
        of_days(3).crop(skip_days, days)


def test_best_start_looks_at_the_first_day_only() -> None:
    """The mean of 14:40 is 2 kW, which the line through the means passes half a minute later."""
    trace = Trace(START, MINUTE, [min(4000.0, 2.5 * k) for k in range(2880)], [200.0] * 2880)
    assert trace.best_start(hours=0.5) == START + timedelta(hours=14, minutes=41)


def shared(pattern: str) -> list[Path]:
    """The shared files of this kind; none where there are no shared files."""
    return sorted(SHARED.glob(pattern))


@pytest.mark.skipif(not shared("*_1min.csv*"), reason="the shared traces are not here")
def test_shared_traces_of_a_minute_load() -> None:
    """Each has whole days of a minute's step and a plausible roof."""
    for path in shared("*_1min.csv*"):
        trace = Trace.load(path)
        assert trace.step_s == 60
        assert trace.days == round(trace.days) >= 1
        assert 4000 < max(trace.pv_means_w) <= 10_000


@pytest.mark.skipif(not shared("fine_*_5s.csv.gz"), reason="the shared traces are not here")
def test_shared_traces_of_5_seconds_load() -> None:
    """Whole days that were picked from a month, with consumption."""
    for path in shared("fine_*_5s.csv.gz"):
        trace = Trace.load(path)
        assert trace.step_s == 5
        assert trace.days == round(trace.days) >= 1
        assert trace.load_means_w is not None


@pytest.mark.skipif(not shared("fine_melpitz_1s.csv.gz"), reason="the shared traces are not here")
def test_shared_file_of_many_roofs_is_refused() -> None:
    """A file with several production columns says which names it found."""
    with pytest.raises(TraceError, match="no column pv_w among timestamp, pv_w_s1, pv_w_s2"):
        Trace.load(SHARED / "fine_melpitz_1s.csv.gz")
