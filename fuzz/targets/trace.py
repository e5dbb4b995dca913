"""Recorded days: the file as it is, packed if it begins as a packed one does."""

import gzip

from pvcharge.sim.trace import MAX_STEP, Trace, TraceError
from targets.base import Target, check_message, folder, is_number
from targets.mutate import mutate_by_words

_FOLDER = folder()
_GZIP = b"\x1f\x8b"


def run(data: bytes) -> None:
    """Load a trace; what is wrong is told by file, and by line where there is one."""
    path = _FOLDER / ("day.csv.gz" if data.startswith(_GZIP) else "day.csv")
    path.write_bytes(data)
    try:
        trace = Trace.load(path)
    except TraceError as error:
        check_message(error, str(path))
    else:
        _check(trace)


def _check(trace: Trace) -> None:
    assert 0 < trace.step_s <= MAX_STEP.total_seconds()
    for powers_w in (trace.pv_means_w, trace.load_means_w or [0.0]):
        assert all(is_number(power_w, 0, 1e308) for power_w in powers_w)
    for at in (trace.start, trace.start + trace.step * 1.5, trace.end):
        assert is_number(trace.pv_w(at), 0, 1e308), f"production at {at}"
        assert is_number(trace.load_w(at), 0, 1e308), f"consumption at {at}"
    assert len(trace.crop(0, trace.days).pv_means_w) >= 1
    trace.best_start()


_DAY = b"""timestamp,pv_w,load_w
2026-06-15T10:00:00+02:00,4100.5,600
2026-06-15T10:05:00+02:00,4200,610.25
2026-06-15T10:10:00+02:00,0,1e3
2026-06-16T10:15:00+02:00,4300,590
"""
_OTHER = (
    b'\xef\xbb\xbf"pv_w" , "timestamp", weather\r\n'
    b'12,2026-06-15T10:00:00Z,"sunny, hot"\r\n'
    b'13,2026-06-15T10:01:00Z,"""x"""\r\n'
)
_WORDS = (
    *(
        b",",
        b'"',
        b'""',
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"\0",
        b"\xe9",
        b"\xff",
        b"\xef\xbb\xbf",
        b";",
        b"\t",
        b" ",
    ),
    *(
        b"nan",
        b"inf",
        b"-1",
        b"1e999",
        b"1e308",
        b"1_0",
        b"0x1",
        b"\xd9\xa3",
        b"-0.0",
        b"9" * 5000,
        b"x" * 10_001,
    ),
    *(b"9999-12-31T23:59:00Z", b"9999-12-31T23:59:59-14:00", b"0001-01-01T00:00:00+14:00", b"2026-W25-1"),
    *(
        b"2026-06-15",
        b"2026-06-15T10:15:00",
        b"20260615T101500Z",
        b"2026-06-15T10:15:00.0000001Z",
        b"24:00:00",
    ),
    *(
        b"2026-10-25T02:30:00+02:00,1,1\n",
        b"2026-06-15T10:00:00+02:00,1,1\n",
        b"timestamp",
        b"pv_w",
        b"load_w",
    ),
    *(b"pv_w,pv_w", b"\xe2\x80\xa8", b"\x85", b"\x1c", b"\x0c", b",,,,", b"'", b"=1+1"),
)

TARGET = Target(
    name="trace",
    run=run,
    seeds=(
        _DAY,
        _OTHER,
        gzip.compress(_DAY, mtime=0),
        gzip.compress(b"timestamp,pv_w\n" + b"0" * 200_000, mtime=0),
        gzip.compress(b"\n" * 100_000, mtime=0),
        b"timestamp,load_w\n",
        b"",
    ),
    mutate=mutate_by_words(*_WORDS),
)
