"""The other side of the bridge: what its heartbeat tells, and what both sides agree on."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

STATUS_EVERY_S = 10.0  # the edge sends the charger's status at least so often
STATUS_GOOD_S = 3 * STATUS_EVERY_S  # and nobody makes use of one that is older


class Peer(Protocol):
    """The other side; `heartbeat.Heartbeat` is the real one."""

    @property
    def alive(self) -> bool:
        """Whether it has been heard of late."""
        ...

    @property
    def skew_s(self) -> float | None:
        """How far its clock is ahead of ours, in seconds; None while that is not known."""
        ...


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)


def seq_at(edge_time: datetime) -> int:
    """Return the sequence number of a setpoint decided at this time of the edge's clock: its milliseconds.

    So the numbers rise over restarts of the cloud, even on another machine whose clock is wrong. And they
    tell the edge, by its own clock, how old a setpoint is at least.
    """
    return (edge_time - _EPOCH) // _TICK


def time_of(seq: int) -> datetime:
    """Return the time of the edge's clock that a sequence number stands for."""
    return _EPOCH + seq * _TICK


def own_time(at: datetime, skew_s: float) -> datetime:
    """Return when something happened by our clock that happened at this time by the peer's."""
    return at - timedelta(seconds=skew_s)
