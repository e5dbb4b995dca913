"""`pvcharge password`: what it prints opens the page."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cli.runner import Run
from pvcharge.web.access.passwords import matches
from pvcharge.web.settings import WebSettings

PASSWORD = "a right password"


@pytest.fixture
def pvcharge(pvcharge: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command line, with nobody at the terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    return pvcharge


@pytest.mark.parametrize("given", [f"{PASSWORD}\n", PASSWORD, f" {PASSWORD} \nmore\n"])
def test_one_line_is_read_where_there_is_no_terminal(
    pvcharge: Run, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """What is printed is a hash that the settings take, and shows no password."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    result = pvcharge("password")
    assert (result.code, result.err) == (0, "")
    assert PASSWORD not in result.out
    assert matches(result.out.strip(), PASSWORD)
    assert WebSettings.model_validate({"password": result.out.strip()}).password is not None


@pytest.mark.parametrize("given", ["", "\n", "hushhus\n", "a" * 1025])
def test_what_no_password_should_be_is_refused(
    pvcharge: Run, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Without showing it."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    result = pvcharge("password")
    assert (result.code, result.out) == (2, "")
    assert result.err == "pvcharge: a password has 8 to 1024 characters\n"


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        ((PASSWORD, PASSWORD), 0, "$argon2id$"),
        ((PASSWORD, "another password"), 2, "the two differ"),
    ],
)
def test_it_asks_twice_at_a_terminal(typed: tuple[str, str], code: int, told: str) -> None:
    """And shows nothing of what is typed."""
    master, slave = pty.openpty()
    try:
        command = (sys.executable, "-m", "pvcharge", "password")
        with subprocess.Popen(  # noqa: S603 - the interpreter that runs this test
            command,
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=Path(__file__).parent,
            text=True,
        ) as process:
            assert process.stdout is not None
            shown = ""
            for prompt, word in zip(("Password: ", "Once more: "), typed, strict=True):
                while not shown.endswith(prompt):
                    shown += process.stdout.read(1)
                os.write(master, f"{word}\n".encode())
            shown += process.stdout.read()
        assert process.returncode == code
        assert told in shown
        assert typed[1] not in shown
    finally:
        os.close(master)
        os.close(slave)
