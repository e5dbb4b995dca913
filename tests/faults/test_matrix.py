"""Every fault of every component is tried, or it is said why not."""

from faults.matrix import COMPONENTS, FAULTS, explained, proofs

CELLS = {(component, fault) for component in COMPONENTS for fault in FAULTS}


def test_every_cell_has_a_test_or_a_reason() -> None:
    """None is left out, and none has both."""
    assert CELLS - proofs().keys() - explained().keys() == set()
    assert proofs().keys() & explained().keys() == set()


def test_marks_and_reasons_name_cells() -> None:
    """A slip in a mark would hide a hole."""
    assert (proofs().keys() | explained().keys()) - CELLS == set()


def test_every_claim_says_what_it_proves() -> None:
    """Its sentence stands in the table of the documentation."""
    assert [proof for cell in proofs().values() for proof in cell if not proof.says] == []
