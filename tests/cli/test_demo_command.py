"""`pvcharge demo` as a new user runs it: in a process of its own, over real sockets."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import urllib.request
import webbrowser
from pathlib import Path

import pytest

from cli.runner import Run, finish, start
from web.scraping import free_port

KEYS = {
    "simulated_s",
    "readings",
    "setpoints",
    "charged_kwh",
    "import_kwh",
    "export_kwh",
    "api_calls",
    "errors",
}
SHORT = ("demo", "--speed", 300)


@pytest.mark.parametrize(
    "options",
    [[], ["--api", "v1"], ["--source", "live"], ["--source", "modbus"], ["--charger", "flex"]],
    ids="".join,
)
def test_a_short_demo_charges_without_an_error(options: list[str]) -> None:
    """For each kind of cloud and charger; --json prints one object and nothing else."""
    result = finish(start(*SHORT, "--duration", 3, "--json", *options))
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out)
    assert set(summary) == KEYS
    assert summary["errors"] == 0
    assert summary["charged_kwh"] > 0
    assert summary["simulated_s"] >= 880
    assert min(summary["readings"], summary["setpoints"], summary["api_calls"]) >= 1


def test_without_a_terminal_lines_are_printed_and_ctrl_c_ends_with_the_summary() -> None:
    """Nothing is lost by the usual end of a demo, and no traceback shown."""
    with start(*SHORT, "--source", "live", "--no-page") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == (
            "no terminal here: a line now and then instead of the live view\n"
        )
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        result = finish(process)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d roof \d+\.\d kW, house .* kW, car .* kW, bought .* kW, sold .* kW\. [A-Z].*\.\n",
        line,
    )
    assert result.code == 0
    assert re.search(r"In \d+ simulated minutes the car got \d+\.\d\d kWh\.", result.out)
    assert "0 errors." in result.out
    assert result.err == ""


def test_on_a_terminal_there_is_a_live_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """A panel with the powers, what the daemon does, and why."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "pvcharge", "demo", "--speed", "300", "--duration", "2.5"]
    port = free_port()
    arguments += ["--source", "live", "--port", str(port)]
    with subprocess.Popen(arguments, stdout=theirs, stderr=theirs) as process:  # noqa: S603 - see `runner`
        os.close(theirs)
        seen = _read_all(ours)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert text.startswith(f"Page: http://127.0.0.1:{port}/")
    for words in (
        f"page      http://127.0.0.1:{port}/",
        "300 times as fast",
        "simulated: house, car, Wattpilot, SolarEdge (V2, live values)",
        "roof ",
        "bought ",
        "last 2 h",
        "car plugged in",
        "Following the surplus of ",
        "Ctrl-C ends the demo",
        "0 errors.",
    ):
        assert words in text
    assert "Traceback" not in text


def test_with_a_page_json_is_still_all_that_is_printed() -> None:
    """And the past of the page counts nothing in the figures."""
    result = finish(start(*SHORT, "--duration", 2, "--json", "--port", free_port()))
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out)
    assert set(summary) == KEYS
    assert summary["errors"] == 0
    assert summary["export_kwh"] < 5


def test_the_browser_is_opened(pvcharge: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the page is there, not before."""
    opened: list[tuple[str, int]] = []

    def look(address: str) -> bool:
        with urllib.request.urlopen(f"{address}api/v1/access") as answer:  # noqa: S310 - of the demo
            opened.append((address, answer.status))
        return True

    monkeypatch.setattr(webbrowser, "open", look)
    port = free_port()
    result = pvcharge(*SHORT, "--duration", "0.2", "--port", port, "--open")
    address = f"http://127.0.0.1:{port}/"
    assert result.out.startswith(f"Page: {address}\n")
    assert (result.code, opened) == (0, [(address, 200)])


def test_a_taken_port_exits_2(pvcharge: Run) -> None:
    """Before anything is started."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        result = pvcharge("demo", "--port", port)
    assert (result.code, result.out) == (2, "")
    assert f"port {port} is taken" in result.err


def _read_all(terminal: int) -> str:
    parts: list[bytes] = []
    try:
        while part := os.read(terminal, 65_536):
            parts.append(part)
    except OSError:  # how a terminal says that nobody is at its other end any more
        pass
    os.close(terminal)
    return b"".join(parts).decode()


@pytest.mark.parametrize(
    ("content", "message"), [(None, "there is no such file"), ("a,b\n", "no column timestamp")]
)
def test_a_bad_trace_exits_2(pvcharge: Run, tmp_path: Path, content: str | None, message: str) -> None:
    """With the trace's own message, before anything is started."""
    path = tmp_path / "bad.csv"
    if content:
        path.write_text(content)
    result = pvcharge("demo", "--trace", path)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
