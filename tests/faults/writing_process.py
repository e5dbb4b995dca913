"""A process that writes a state file and a history as fast as it can, until it is killed.

    python writing_process.py FOLDER

It says `ready` when it has begun.
"""

import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from pvcharge.history.archive import FILE
from pvcharge.history.store import Batch, Store
from pvcharge.model import PowerFlow
from pvcharge.storage import write_json

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
DOCUMENT = "state.json"
ROWS = 20  # readings in a batch, all of them or none
LONG = 500  # numbers in the document, all of them the same


def main(folder: Path) -> None:
    """Write until killed."""
    store = Store.open(folder / FILE)
    for number in count():
        write_json(folder / DOCUMENT, {"numbers": [number] * LONG})
        flows = [PowerFlow(NOON, NOON, float(number), float(row), source="roof") for row in range(ROWS)]
        store.write(Batch(NOON, flows, {NOON: (float(ROWS),) * 7}, states={"energy": {"number": number}}))
        if number == 0:
            print("ready", flush=True)  # noqa: T201 - to whoever kills us


if __name__ == "__main__":
    main(Path(sys.argv[1]))
