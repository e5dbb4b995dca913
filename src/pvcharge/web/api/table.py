"""Sessions as CSV, as spreadsheets read it."""

import csv
import io
from collections.abc import Iterable

from pvcharge.web.answers import SessionRow, iso

COLUMNS = (
    "started_at",
    "ended_at",
    "energy_kwh",
    "solar_kwh",
    "solar_share",
    "cost",
    "saved",
    "charging_s",
    "starts",
    "phase_switches",
    "pauses_s",
)


def sessions_csv(sessions: Iterable[SessionRow]) -> bytes:
    """Return sessions as UTF-8 with a heading; times are UTC, `pauses_s` is the sum over all reasons."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for session in sessions:
        writer.writerow(
            (
                iso(session.started_at),
                iso(session.ended_at) if session.ended_at else "",
                session.energy_kwh,
                session.solar_kwh,
                "" if session.solar_share is None else session.solar_share,
                session.cost,
                session.saved,
                session.charging_s,
                session.starts,
                session.phase_switches,
                round(sum(session.pauses_s.values()), 1),
            )
        )
    return text.getvalue().encode()
