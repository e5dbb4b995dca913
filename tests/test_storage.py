"""State files: atomic, private, and never fatal when corrupt."""

import json
import os
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pvcharge.storage import read_json, write_json


def test_a_document_comes_back(tmp_path: Path) -> None:
    """What was written is read."""
    path = tmp_path / "new" / "state.json"
    write_json(path, {"count": 3})
    assert read_json(path) == {"count": 3}


def test_no_file_is_no_document(tmp_path: Path) -> None:
    """A first start finds nothing, and that is no fault."""
    assert read_json(tmp_path / "state.json") is None


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """Tokens are nobody else's business."""
    path = tmp_path / "state.json"
    write_json(path, {})
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b'{"count": ', b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_a_corrupt_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """The file is kept under another name, reported, and counts as absent."""
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with capture_logs() as logs:
        assert read_json(path) is None
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert not path.exists()
    assert (tmp_path / "state.json.corrupt").read_bytes() == content


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk costs the new document, never the old one, and leaves no litter."""

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "state.json"
    write_json(path, {"count": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"count": 2})
    assert json.loads(path.read_text()) == {"count": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_can_be_read_by_the_service(tmp_path: Path) -> None:
    """A login beside the running service leaves it tokens that it can use."""
    os.chown(tmp_path, 61_234, 61_235)
    path = tmp_path / "tokens.json"
    write_json(path, {"token": 1})
    assert (path.stat().st_uid, path.stat().st_gid) == (61_234, 61_235)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
