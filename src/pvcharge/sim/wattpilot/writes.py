"""Which properties a client may set, and the box's words when it must not.

The range text is go-e's, known from real boxes. What a real Wattpilot says about unknown keys and wrong
types is not known; clients can only tell that the write failed.
"""

from typing import Any

from pvcharge.sim.wattpilot.properties import Properties

_HOUR_MS = 3_600_000
_NULLABLE = frozenset({"dwo", "mcpea", "trx"})
_TEXTS = frozenset({"cak", "fna"})
_FLAGS = frozenset(
    "ebe ebo fap fre ful fup fzf hsa hws loe nmo pdle pdte sua su upo".split()  # noqa: SIM905 - one glance
)
_RANGES: dict[str, tuple[float, float]] = {
    "acs": (0, 1),
    "ama": (6, 32),
    "amp": (6, 32),
    "awp": (-100, 1000),
    "bac": (0, 3),
    "bam": (0, 3),
    "dwo": (1, 1_000_000),
    "ebt": (0, 100),
    "fam": (0, 100),
    "fmt": (60_000, _HOUR_MS),
    "frc": (0, 2),
    "frm": (0, 2),
    "fst": (0, 22_000),
    "fte": (0, 1_000_000),
    "ftt": (0, 86_399),
    "lmo": (3, 5),
    "mca": (6, 32),
    "mci": (0, 24 * _HOUR_MS),
    "mcpd": (0, 24 * _HOUR_MS),
    "mcpea": (0, 2**53),
    "mptwt": (0, 24 * _HOUR_MS),
    "mpwst": (0, 24 * _HOUR_MS),
    "pdt": (0, 100),
    "po": (-22_000, 22_000),
    "psh": (0, 22_000),
    "psm": (0, 2),
    "psmd": (10_000, _HOUR_MS),
    "sh": (0, 22_000),
    "spl3": (0, 22_000),
    "sumd": (5000, 10_000),
    "trx": (0, 10),
    "ust": (0, 2),
    "zfo": (0, 22_000),
}
_FRACTIONS = frozenset({"awp", "dwo", "fst", "po", "psh", "sh", "spl3", "zfo"})
_AMPS = frozenset({"ama", "amp", "mca"})
_SMALL_BOX_KW = 11
_SMALL_BOX_MAX_A = 16


class WriteRefusedError(Exception):
    """The box does not take the value; the message is the one it sends to the client."""


def check_write(properties: Properties, key: str, value: Any) -> None:
    """Check a value as the box does before it takes it.

    Raises:
        WriteRefusedError: no such key, a read-only one, a wrong JSON type, or a value out of its range.
    """
    if key == "rst":
        return
    if key not in properties:
        raise WriteRefusedError(f"{key}: failed: unknown key")
    if value is None and key in _NULLABLE:
        return
    if key in _TEXTS:
        _require(key, isinstance(value, str))
    elif key in _FLAGS or (key in _RANGES and isinstance(properties[key], bool)):
        _require(key, isinstance(value, bool))
    elif key in _RANGES:
        kinds = (int, float) if key in _FRACTIONS else int
        _require(key, isinstance(value, kinds) and not isinstance(value, bool))
        _check_range(properties, key, value)
    else:
        raise WriteRefusedError(f"{key}: failed: read only")


def _require(key: str, fits: bool) -> None:  # noqa: FBT001 - reads like the condition it takes
    if not fits:
        raise WriteRefusedError(f"{key}: failed: wrong type")


def _check_range(properties: Properties, key: str, value: float) -> None:
    low, high = _RANGES[key]
    if key in _AMPS and properties["var"] == _SMALL_BOX_KW:
        high = _SMALL_BOX_MAX_A
    if not low <= value <= high:
        raise WriteRefusedError(f"{key}: failed: Value {value} exceeds range {low} to {high} ({value})")
