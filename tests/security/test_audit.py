"""The audit of what we need: it fails for what is known, and only warns where nothing can be known."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"
FLAW = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fixed_in": ["1.1"], "link": "https://osv.example/1"}
SAME = {"id": "GHSA-1", "aliases": ["CVE-1"], "fixed_in": ["1.1"], "link": "https://osv.example/1"}


class Index(BaseHTTPRequestHandler):
    """Tells what is in `answers`, by path; anything else is not there."""

    answers: dict[str, object]

    def do_GET(self) -> None:
        """Answer."""
        document = self.answers.get(self.path)
        self.send_response(404 if document is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def index() -> Iterator[tuple[str, dict[str, object]]]:
    """Return where an index is, and what it answers."""
    answers: dict[str, object] = {}
    handler = type("Handler", (Index,), {"answers": answers})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder in which "ours" is installed, which needs "theirs" for all and "more" for an extra."""
    install(tmp_path, "ours", "Requires-Dist: Theirs.Pkg>=1\nRequires-Dist: more; extra == 'plot'\n")
    install(tmp_path, "theirs_pkg", "")
    install(tmp_path, "more", "")
    return tmp_path


def install(site: Path, name: str, needs: str, licence: str = "MIT") -> None:
    """Install a package that has no files."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(exist_ok=True)
    head = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: {licence}\n"
    (folder / "METADATA").write_text(head + needs, encoding="utf-8")


def audit(site: Path, url: str, root: str = "ours") -> tuple[int, str]:
    """Run the audit in a Python that sees this folder, and return its exit code and what it prints."""
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-S", AUDIT, root],
        env={"PYTHONPATH": str(site), "PVCHARGE_AUDIT_INDEX": url},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_known_flaw_fails(site: Path, index: tuple[str, dict[str, object]]) -> None:
    """Of what is needed, too; told once, however often it is known, with where it is mended."""
    url, answers = index
    answers["/ours/1.0/json"] = {"vulnerabilities": []}
    answers["/theirs-pkg/1.0/json"] = {"vulnerabilities": [FLAW, SAME]}
    code, told = audit(site, url)
    assert code == 1
    assert told.count("WRONG") == 1
    assert "theirs-pkg 1.0: CVE-1, PYSEC-1; mended in 1.1" in told
    assert "2 of 2 packages audited" in told


def test_what_was_withdrawn_does_not(site: Path, index: tuple[str, dict[str, object]]) -> None:
    """Nor what is known of another release, which is all that some mirrors tell."""
    url, answers = index
    answers["/ours/1.0/json"] = {"vulnerabilities": [FLAW | {"withdrawn": "2026-01-01T00:00:00Z"}]}
    answers["/theirs-pkg/json"] = {"info": {"version": "2.0"}, "vulnerabilities": [FLAW]}
    code, told = audit(site, url)
    assert code == 0
    assert "WARNING: theirs-pkg 1.0 not audited: the index tells nothing of this release" in told


def test_the_newest_release_is_audited_at_a_mirror(site: Path, index: tuple[str, dict[str, object]]) -> None:
    """Which tells of no other."""
    url, answers = index
    for name in ("ours", "theirs-pkg"):
        answers[f"/{name}/json"] = {"info": {"version": "1.0"}, "vulnerabilities": [FLAW]}
    assert audit(site, url)[0] == 1


def test_no_answer_is_a_warning(site: Path) -> None:
    """The registry's answer is not ours."""
    code, told = audit(site, "http://127.0.0.1:9")
    assert code == 0
    assert told.count("WARNING") == 2
    assert "0 of 2 packages audited" in told


@pytest.mark.parametrize(
    ("licence", "code"),
    [
        *(("GPL-3.0-or-later", 1), ("AGPL-3.0-only", 1), ("GNU General Public License v3 (GPLv3)", 1)),
        *(("BSD-3-Clause", 0), ("EPL-2.0 OR BSD-3-Clause", 0), ("GPL-2.0 OR MIT", 0), ("Own words", 0)),
    ],
)
def test_licences(site: Path, licence: str, code: int) -> None:
    """What would bind whoever passes pvcharge on is refused; what nobody knows is told."""
    install(site, "theirs_pkg", "", licence)
    assert audit(site, "http://127.0.0.1:9")[0] == code


def test_nothing_to_audit_is_a_mistake(tmp_path: Path) -> None:
    """Of the caller: it would look as if all were well."""
    assert audit(tmp_path, "http://127.0.0.1:9", "absent")[0] == 2
