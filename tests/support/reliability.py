"""The tables of docs/reliability.md, made from the marks of the tests."""

from collections.abc import Callable, Sequence
from functools import partial

from faults.matrix import COMPONENTS, FAULTS, Cell, Proof, explained, proofs

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]


def overview(table: Table) -> str:
    """Return the table of all faults and components: how many tests each cell has."""
    return table(
        ("", *COMPONENTS),
        [(fault, *(_mark((component, fault)) for component in COMPONENTS)) for fault in FAULTS],
    )


def component_tables(table: Table) -> dict[str, Callable[[], str]]:
    """Return by its mark in the page what makes each component's table."""
    return {f"faults of {component}": partial(_component, table, component) for component in COMPONENTS}


def _mark(cell: Cell) -> str:
    tests = len(proofs().get(cell, ()))
    return "-" if not tests else "✓" if tests == 1 else f"✓ {tests}"


def _component(table: Table, component: str) -> str:
    rows = [(fault, says, where) for fault in FAULTS for says, where in _lines((component, fault))]
    return table(("fault", "what happens", "test"), rows)


def _lines(cell: Cell) -> list[tuple[str, str]]:
    if cell in proofs():
        return [(_plain(proof.says), _link(proof)) for proof in proofs()[cell]]
    return [(_plain(explained().get(cell, "")), "-")]


def _link(proof: Proof) -> str:
    return f"`{proof.file}::{proof.test}`"


def _plain(text: str) -> str:
    return text.replace("|", "\\|")
