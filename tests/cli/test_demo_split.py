"""`pvcharge demo --split`: both daemons as processes, with a broker between them."""

import json
import shutil
import signal
import urllib.request

import pytest

from cli.runner import Run, finish, start
from support.services import require
from web.scraping import free_port


def test_a_short_demo_charges_through_cloud_and_edge() -> None:
    """One documented command shows what the issue of two machines is about."""
    require("mosquitto", "mosquitto")
    result = finish(start("demo", "--split", "--speed", 30, "--duration", 15, "--json"))
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out)
    assert "readings" not in summary  # nobody but the cloud sees them
    assert summary["charged_kwh"] > 0
    assert summary["setpoints"] >= 2
    assert (summary["errors"], summary["api_calls"] > 0) == (0, True)


def test_it_invites_to_take_part_and_ends_with_ctrl_c() -> None:
    """With the commands to copy; both daemons are gone afterwards."""
    require("mosquitto", "mosquitto")
    port = free_port()
    with start("demo", "--split", "--port", port) as process:
        assert process.stdout is not None
        pages = [process.stdout.readline() for _ in range(2)]
        lines = [process.stdout.readline() for _ in range(4)]
        roles = [_role_at(page.split()[-1]) for page in pages]
        process.send_signal(signal.SIGINT)
        result = finish(process)
    assert pages[0] == f"Page of the cloud: http://127.0.0.1:{port}/\n"
    assert pages[1].startswith("Page of the edge: http://127.0.0.1:")
    assert roles == ["cloud", "edge"]
    assert "edge with process id" in lines[0]
    assert lines[1].startswith("  mosquitto_sub -h 127.0.0.1 -p ")
    assert lines[2].rstrip().endswith("-q 1 -t pvcharge/demo/boost/set -m ON")
    assert (result.code, result.err) == (0, "")
    assert "simulated minutes" in result.out


def _role_at(address: str) -> str:
    with urllib.request.urlopen(f"{address}api/v1/state") as answer:  # noqa: S310 - of the demo
        role: str = json.load(answer)["role"]
        return role


def test_without_a_broker_it_says_what_to_install(pvcharge: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo that needs more than pip says so at once."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    result = pvcharge("demo", "--split", "--duration", "1")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "pvcharge: demo --split: mosquitto is missing: this demo runs a broker of its own; "
        "install it with apt-get install mosquitto\n"
    )


def test_a_speed_that_leases_do_not_stand_is_refused(pvcharge: Run) -> None:
    """Two processes have less time for each other than one has for itself."""
    result = pvcharge("demo", "--split", "--speed", "300")
    assert result.code == 2
    assert "above 60" in result.err
