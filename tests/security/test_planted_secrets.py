"""Secrets of every kind are planted in real daemons; then all that these have ever said is searched."""

import asyncio
import base64
import io
import json
import logging
import stat
import time
import zipfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import structlog

from pvcharge.cli.main import COMMANDS, main
from pvcharge.drivers.wattpilot.auth import PBKDF2, derive_key
from security import planted
from security.echoing import Echoing, echoing
from security.planted_house import CRASHES, HOLDERS, SPEED, USER, Daemon, bad, devices, good, overheard, until
from support.broker import running_broker
from support.victoria import running_victoria

SERIAL = "10000001"
API = "/api/v1"
ASKED = {"/v2/oauth2/token", "/site/2/currentPowerFlow", "/api/v2/write"}  # of who repeats what is sent


@dataclass
class Said:
    """All that was said.

    Attributes:
        outputs: by where.
        secrets: that must be in none of them: those planted, and what was made of them.
        modes: of state directory and files.
        redirected: what came where the echoing server redirects to.
        asked: what the echoing server was asked.
        kept: the content of files that may hold secrets.
    """

    outputs: dict[str, bytes] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=lambda: set(planted.SECRETS))
    modes: dict[str, int] = field(default_factory=dict)
    redirected: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)


def shell(said: Said, name: str, daemon: Daemon | None, *arguments: str) -> int:
    """Run a command line as beside a daemon, and keep what it says; returns its exit code."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
        for key, value in (daemon.environment if daemon else {}).items():
            patch.setenv(key, value)
        try:
            code = main(list(arguments))
        except SystemExit as end:  # how argparse says goodbye
            code = int(end.code or 0)
    said.outputs[f"{name}: pvcharge {' '.join(arguments[:2])}"] = out.getvalue().encode()
    return code


async def look_at_page(said: Said, daemon: Daemon, headers: dict[str, str]) -> None:
    """Keep the answers to all that can be read, and what the WebSocket tells."""
    url = f"http://127.0.0.1:{daemon.web_port}"
    async with aiohttp.ClientSession(url, headers=headers) as session:
        async with session.get(f"{API}/openapi.json") as answer:
            paths = (await answer.json())["paths"]
        query = {"/energy": "?by=day&start=2026-01-01&end=2026-02-01"}
        asked = [f"{API}{path}{query.get(path, '')}" for path, its in paths.items() if "get" in its]
        for path in [*asked, "/", "/metrics", "/healthz", "/index.html", "/words/en.json"]:
            if path.endswith("/live"):
                continue
            async with session.get(path) as answer:
                content = await answer.read()
                told = f"{answer.status} {dict(answer.headers)}".encode()
            said.outputs[f"{daemon.name}: GET {path}"] = told + content
            if path.endswith("/support"):
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    for name in archive.namelist():
                        said.outputs[f"{daemon.name}: support file, {name}"] = archive.read(name)
        async with session.ws_connect(f"{API}/live", headers={"Origin": url}) as socket:
            frames = [await socket.receive_str(timeout=10) for _ in range(2)]
        said.outputs[f"{daemon.name}: WebSocket"] = "\n".join(frames).encode()


async def log_in(said: Said, daemon: Daemon) -> dict[str, str]:
    """Log in, after a wrong password; make a token; send secrets where none belong. Returns headers."""
    url = f"http://127.0.0.1:{daemon.web_port}"
    answers: list[bytes] = []
    async with aiohttp.ClientSession(url) as session:
        for password in (planted.PAGE_WRONG, planted.STRAY, planted.PAGE):
            async with session.post(f"{API}/login", json={"password": password}) as answer:
                answers.append(await answer.read())
                cookies = answer.cookies
        cookie = cookies["pvcharge_session"].value
        headers = {"Cookie": f"pvcharge_session={cookie}", "Sec-Fetch-Site": "same-origin"}
        async with session.post(f"{API}/tokens", json={"name": "grafana"}, headers=headers) as answer:
            token = (await answer.json())["token"]
        said.secrets |= {cookie, token}
        strays = {"Authorization": f"Bearer {planted.STRAY}", "X-Whatever": planted.STRAY, **headers}
        query = f"?key={planted.STRAY}"
        for method, path in (
            *(("PUT", "/mode"), ("PATCH", "/settings"), ("POST", "/tokens"), ("POST", "/nowhere")),
            *(("PUT", f"/boost{query}"), ("GET", f"/state{query}")),
        ):
            body = {"mode": planted.STRAY, "name": [planted.STRAY]}
            async with session.request(method, API + path, json=body, headers=strays) as answer:
                answers.append(await answer.read())
        # The name of a path or key is told to whoever sent it, and to nobody else.
        async with session.put(f"{API}/{planted.STRAY}", json={planted.STRAY: 1}, headers=strays) as answer:
            assert answer.status == 404
    said.outputs[f"{daemon.name}: answers to strays"] = b"\n".join(answers)
    return headers


def look_at_files(said: Said, daemon: Daemon) -> None:
    """Keep what is in the state directory, at this moment."""
    for path in daemon.state_dir.rglob("*"):
        if path.is_file():
            said.modes[f"{daemon.name}: {path.name}"] = stat.S_IMODE(path.stat().st_mode)
        if path.is_file() and path.name not in HOLDERS:
            said.outputs[f"{daemon.name}: {path.name}"] = path.read_bytes()
        elif path.is_file():
            said.kept[f"{daemon.name}: {path.name}"] = path.read_bytes()
            held = json.loads(path.read_text(encoding="utf-8"))
            said.secrets |= {held[key] for key in ("token", "password") if isinstance(held.get(key), str)}
    said.modes[f"{daemon.name}: "] = stat.S_IMODE(daemon.state_dir.stat().st_mode)


async def reload_nonsense(daemon: Daemon) -> None:
    """Have it read a configuration with secrets in wrong places, twice, and then the right one again."""
    right = daemon.file.read_text(encoding="utf-8")
    for number, wrong in enumerate((f'passwort = "{planted.STRAY}"\n{right}', f"password = {planted.STRAY}")):
        daemon.file.write_text(wrong, encoding="utf-8")
        daemon.hang_up()
        await daemon.says(b"configuration not taken", number + 1)
    daemon.file.write_text(right.replace(planted.API_KEY, planted.STRAY.upper().replace("-", "")))
    daemon.hang_up()
    await daemon.says(b"needs a restart")
    daemon.file.write_text(right, encoding="utf-8")


async def good_course(said: Said, daemon: Daemon) -> None:
    """Let it work, look at it from all sides."""
    async with daemon.running():
        headers = await log_in(said, daemon)
        await daemon.says(b"peer is heard")
        await look_at_page(said, daemon, headers)
        await reload_nonsense(daemon)
        said.outputs["good: command line"] = daemon.command_line()
        for command in (["check"], ["check", "--probe"], ["status"], ["status", "--json"]):
            await asyncio.to_thread(shell, said, "good", daemon, *command, "-c", str(daemon.file))
        await asyncio.to_thread(shell, said, "good", daemon, "mode", "surplus", "-c", str(daemon.file))
        await look_at_page(said, daemon, headers)
        look_at_files(said, daemon)
    look_at_files(said, daemon)
    for what in ("sessions", "readings", "statuses", "decisions"):
        await asyncio.to_thread(shell, said, f"good {what}", daemon, "export", what, "-c", str(daemon.file))


async def bad_course(said: Said, daemon: Daemon, echo: Echoing) -> None:
    """Let it be refused in every way, often; its time runs fast, so that it tries again."""
    clock = f"{datetime.now(UTC).isoformat()},{SPEED},{time.time()}"
    async with daemon.running(CRASHES, "--clock", clock):
        await until(lambda: len(echo.asked) >= 25 and set(echo.asked) >= ASKED, "refusals", daemon)
        for words in (b"we sent", b"/v2/oauth2/token", b"device still failing"):
            await daemon.says(words)
        token = json.loads((daemon.state_dir / "web-token").read_text())["token"]
        await look_at_page(said, daemon, {"Authorization": f"Bearer {token}"})
        said.outputs["bad: command line"] = daemon.command_line()
        look_at_files(said, daemon)
    file = str(daemon.file)
    for command in (["check", "--probe"], ["login", "solaredge", "--device", "by_oauth"]):
        more = [f"--code={planted.CODE}"] if "login" in command else []
        await asyncio.to_thread(shell, said, "bad", daemon, *command, *more, "-c", file)
    look_at_files(said, daemon)


async def course(folder: Path) -> Said:
    """Run both, and return what was said."""
    said = Said()
    said.secrets.add(derive_key(PBKDF2, planted.BOX, SERIAL).decode())
    users = {USER: planted.MQTT, "spy": "another"}
    async with (
        running_broker(folder, users=users) as broker,
        running_victoria(folder) as victoria,
        devices() as (cloud, box),
        echoing() as echo,
    ):
        async with overheard(broker) as heard:
            well = good(folder, cloud, box, broker, victoria.url)
            ill = bad(folder, box, broker, echo.url)
            async with asyncio.TaskGroup() as group:
                group.create_task(good_course(said, well))
                group.create_task(bad_course(said, ill, echo))
        said.outputs |= {"mqtt": heard[0], "good: log": well.stderr, "bad: log": ill.stderr}
        said.outputs["influxdb"] = str(await victoria.samples()).encode()
        said.redirected, said.asked = echo.followed, echo.asked
    for name in COMMANDS:
        shell(said, "help", None, name, "--help")
    return said


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """Return what was said in both courses; leaves logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield asyncio.run(course(tmp_path_factory.mktemp("planted")))
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def test_no_output_holds_a_secret(said: Said) -> None:
    """In any form."""
    assert planted.leaks(said.outputs, said.secrets) == {}


def test_the_courses_were_real(said: Said) -> None:
    """What is searched is all there, and would have had something to tell."""
    for daemon in ("good", "bad"):
        wanted = {"log", "command line", "history.db", "WebSocket", "support file, log.txt", "GET /metrics"}
        assert {f"{daemon}: {name}" for name in wanted} <= said.outputs.keys()
    assert {"mqtt", "influxdb", "good: history.db-wal", "good: pvcharge status --json"} <= said.outputs.keys()
    good_log, bad_log = said.outputs["good: log"], said.outputs["bad: log"]
    for words in (b"peer is heard", b"login refused", b"configuration not taken"):
        assert words in good_log
    for words in (
        b"we sent ***",
        b"Traceback",
        b"device still failing",
        b"wrong password",
        b"/v2/oauth2/token",
    ):
        assert words in bad_log, words
    assert set(said.asked) >= ASKED
    assert b"pvcharge/home/state" in said.outputs["mqtt"]
    assert b"control_" in said.outputs["influxdb"]
    assert planted.found(b"x" + planted.INFLUX.encode() + b"y", said.secrets)


def test_what_must_be_kept_is_private(said: Said) -> None:
    """Of mode 0600 in a folder of mode 0700; passwords are hashed, and so are tokens that were made."""
    assert {name.partition(": ")[2] for name in said.modes} >= {*HOLDERS, "history.db", ""}
    for name, mode in said.modes.items():
        assert mode == (0o700 if name.endswith(": ") else 0o600), name
    others = {name: content for name, content in said.kept.items() if "solaredge" not in name}
    assert planted.leaks(others, planted.SECRETS) == {}
    assert b"$argon2id$" in said.kept["good: web-sessions.json"]


def test_no_redirect_is_followed(said: Said) -> None:
    """Another host must not see what was meant for this one."""
    assert said.asked
    assert said.redirected == []


def test_every_form_is_found() -> None:
    """The search itself works: also within other bytes, in any case, and wherever base64 begins."""
    for form in planted.forms(planted.BOX):
        assert planted.found(b".." + form.encode().swapcase() + b"..", [planted.BOX])
    assert planted.found(base64.b64encode(f"{USER}:{planted.MQTT}".encode()), [planted.MQTT])
