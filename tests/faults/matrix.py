"""The table of components and faults: which test proves which cell, and why some cells are empty.

A test claims a cell by `@pytest.mark.fault("broker", "hang")`, or by the same mark of one of its parameters;
what it says of itself in its first line stands in the table.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from faults import explained_devices, explained_services

TESTS = Path(__file__).parents[1]
COMPONENTS = {
    "solaredge": "the inverter's cloud",
    "modbus": "the inverter in the house",
    "wattpilot": "the charger",
    "broker": "MQTT",
    "influxdb": "the time series database",
    "disk": "the state directory and the history",
    "clock": "the machine's time",
    "process": "the daemon itself",
}
FAULTS = (
    "refuse",
    "hang",
    "slow",
    "drop mid-message",
    "garbage",
    "wrong type",
    "huge answer",
    "half-open socket",
    "duplicate",
    "reorder",
    "4xx",
    "5xx",
    "429",
    "410",
    "expired token",
    "full disk",
    "read-only",
    "clock jump forth",
    "clock jump back",
    "DST",
    "kill -9",
    "SIGSTOP 5 min",
    "memory pressure",
)

Cell = tuple[str, str]  # component and fault


@dataclass(frozen=True, slots=True)
class Proof:
    """A test that claims a cell.

    Attributes:
        file: path below the tests, as it stands in a link.
        test: its name.
        says: what it proves, in a sentence.
    """

    file: str
    test: str
    says: str


@cache
def proofs() -> dict[Cell, list[Proof]]:
    """Return the tests of each cell that is claimed, in the order of their files; nothing is imported."""
    found: dict[Cell, list[Proof]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.fault(" in text:
            for cell, proof in _claims(path, ast.parse(text)):
                if proof not in found[cell]:
                    found[cell].append(proof)
    return dict(found)


def explained() -> dict[Cell, str]:
    """Return why a cell needs no test."""
    return explained_devices.EXPLAINED | explained_services.EXPLAINED


def _claims(path: Path, module: ast.Module) -> Iterator[tuple[Cell, Proof]]:
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            says = (ast.get_docstring(function) or "").partition("\n")[0]
            proof = Proof(path.relative_to(TESTS).as_posix(), function.name, says)
            for decorator in function.decorator_list:
                yield from ((cell, proof) for cell in _cells_in(decorator))


def _cells_in(decorator: ast.expr) -> Iterator[Cell]:
    for node in ast.walk(decorator):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="fault"),
                args=[ast.Constant(value=str(component)), ast.Constant(value=str(fault))],
            ):
                yield component, fault
