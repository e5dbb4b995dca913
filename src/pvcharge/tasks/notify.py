"""Tells systemd how the daemon is doing (sd_notify), with a watchdog that is fed by progress alone."""

import os
import socket
import time

SEND_S = 1.0  # a service manager that does not listen must not hold up the daemon for longer


class Notifier:
    """Sends state to `$NOTIFY_SOCKET`; does nothing where there is none.

    The watchdog is fed by `progressed`, which the control loop calls after each decision, and never by a
    timer of its own: a loop that hangs must be seen to hang.
    """

    def __init__(self) -> None:
        path = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = os.environ.get("WATCHDOG_USEC", "") if watched else ""
        self._feed_every_s = int(usec) / 2e6 if usec.isdecimal() and int(usec) > 0 else None
        self._fed_s = float("-inf")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            try:
                out.settimeout(SEND_S)
                out.connect(self._address)
                out.send(state.encode())
            except OSError:
                return  # nor is it a reason to stop charging

    def ready(self, status: str = "") -> None:
        """Say that configuration is valid and all tasks run, or again after `reloading`."""
        self._send(f"READY=1\nSTATUS={_line(status)}" if status else "READY=1")

    def status(self, status: str) -> None:
        """Say how things are, for `systemctl status`."""
        self._send(f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """Say that the configuration is read again; to be followed by `ready`."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """Say that a clean stop has begun."""
        self._send(f"STOPPING=1\nSTATUS={_line(status)}")

    def progressed(self) -> None:
        """Feed the watchdog, at most twice within its time."""
        if self._feed_every_s is None:
            return
        now_s = time.monotonic()
        if now_s - self._fed_s >= self._feed_every_s:
            self._fed_s = now_s
            self._send("WATCHDOG=1")


def _line(text: str) -> str:
    """Return a text on one line: each further line would be a message of its own."""
    return " ".join(text.split())
