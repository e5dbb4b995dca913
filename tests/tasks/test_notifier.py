"""sd_notify over real sockets, as the service manager would receive it."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from pvcharge.tasks import notify
from pvcharge.tasks.notify import Notifier

Received = Callable[[], list[str]]


@pytest.fixture(params=["path", "abstract"])
def received(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Received]:
    """Listen as systemd does; return what gives all messages so far."""
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    name = f"@pvcharge-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(0)

        def take() -> list[str]:
            messages = []
            while True:
                try:
                    messages.append(listener.recv(4096).decode())
                except BlockingIOError:
                    return messages

        yield take


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the watch that the notifier looks at; `s` and `ns` are what it shows."""
    shown = SimpleNamespace(s=1000.0, ns=0)
    times = SimpleNamespace(monotonic=lambda: shown.s, monotonic_ns=lambda: shown.ns)
    monkeypatch.setattr(notify, "time", times)
    return shown


def test_says_what_happens(received: Received, watch: SimpleNamespace) -> None:
    """One datagram each, in systemd's own words."""
    watch.ns = 1_234_567_890
    notifier = Notifier()
    notifier.ready("running as standalone")
    notifier.status("surplus: off. No car.")
    notifier.reloading()
    notifier.ready()
    notifier.stopping("good night")
    assert received() == [
        "READY=1\nSTATUS=running as standalone",
        "STATUS=surplus: off. No car.",
        "RELOADING=1\nMONOTONIC_USEC=1234567",
        "READY=1",
        "STOPPING=1\nSTATUS=good night",
    ]


def test_a_status_is_one_line(received: Received) -> None:
    """Whatever stands in it cannot be taken for another message."""
    Notifier().status("all is well\nSTOPPING=1\r\n")
    assert received() == ["STATUS=all is well STOPPING=1"]


def test_watchdog_is_fed_by_progress_at_most_twice_in_its_time(
    received: Received, watch: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without progress not a word, with a lot of it a word each half period."""
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier()
    watch.s += 1000
    assert received() == []
    fed_s = []
    for _ in range(100):
        notifier.progressed()
        fed_s += [watch.s - 2000] * len(received())
        watch.s += 1.0
    assert fed_s == [0.0, 30.0, 60.0, 90.0]


def test_watchdog_of_another_process_is_not_fed(received: Received, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables may have been inherited from a parent."""
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    Notifier().progressed()
    assert received() == []


@pytest.mark.parametrize("usec", ["", "0", "never"])
def test_no_watchdog_no_food(received: Received, monkeypatch: pytest.MonkeyPatch, usec: str) -> None:
    """A service without a watchdog, or with a strange one, hears nothing of progress."""
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    Notifier().progressed()
    assert received() == []


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing service manager, or one that has gone, is no reason to stop charging."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    Notifier().ready("here")
    monkeypatch.delenv("NOTIFY_SOCKET")
    Notifier().ready("here")


def test_manager_that_hears_nothing_does_not_hold_up_the_daemon(
    received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full socket is given up, instead of waited for."""
    monkeypatch.setattr(notify, "SEND_S", 0.01)
    name = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as chatterbox:
        chatterbox.settimeout(0)
        chatterbox.connect("\0" + name[1:] if name.startswith("@") else name)
        with suppress(BlockingIOError):
            while True:
                chatterbox.send(b"noise")
        Notifier().stopping("good night")
    assert set(received()) == {"noise"}
