"""OAuth: the login, the rotation of tokens, and what happens when something breaks in between."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aioresponses import aioresponses
from structlog.testing import capture_logs

from pvcharge.drivers.base import AuthError, DriverContext, PermanentError, TransientError
from pvcharge.drivers.solaredge import SolarEdgeSettings, authorize_url, exchange, oauth
from pvcharge.drivers.solaredge.answers import Answer
from pvcharge.drivers.solaredge.oauth import TokenKeeper, Tokens, extract_code
from pvcharge.storage import write_json

BACK = "https://example.org/back"
TOKEN_URL = "https://monitoringapi.solaredge.com/v2/oauth2/token"

Settings = Callable[..., SolarEdgeSettings]


class TokenServer:
    """Hands out pairs A1/R1, A2/R2, ...; only the newest refresh token is good."""

    def __init__(self, context: DriverContext) -> None:
        self.context = context
        self.bodies: list[Mapping[str, str]] = []
        self.pair = 0
        self.outage: Answer | None = None
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def post(self, body: Mapping[str, str]) -> Answer:
        """Answer one grant."""
        self.bodies.append(body)
        self.asked.set()
        await self.gate.wait()
        if self.outage is not None:
            return self.outage
        if body.get("refresh_token", f"R{self.pair}") != f"R{self.pair}":
            return self.answer(400, {"error": "invalid_grant", "error_description": "used"})
        self.pair += 1
        pair = {"access_token": f"A{self.pair}", "refresh_token": f"R{self.pair}", "expires_in": 7200}
        return self.answer(200, pair)

    def answer(self, status: int, document: Any) -> Answer:
        """Return an answer with a JSON body."""
        return Answer("token endpoint", self.context.clock.now(), status, {}, json.dumps(document).encode())


def stored(path: Path) -> dict[str, Any]:
    """Return the content of a state file."""
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def store(path: Path, content: str) -> None:
    """Write a state file."""
    path.parent.mkdir()
    path.write_text(content)


@pytest.fixture
def server(context: DriverContext) -> TokenServer:
    """Start without any pair."""
    return TokenServer(context)


@pytest.fixture
def path(context: DriverContext) -> Path:
    """Return where the tokens are kept."""
    return context.state_dir / "solaredge-4711-tokens.json"


@pytest.fixture
def keeper(
    settings: Settings, context: DriverContext, server: TokenServer, path: Path
) -> Callable[[], TokenKeeper]:
    """Make keepers of the same file, as each start of the daemon does."""
    app = settings(client_id="app", client_secret="shh")
    return lambda: TokenKeeper(app, context.clock, path, server.post)


@pytest.fixture
async def logged_in(keeper: Callable[[], TokenKeeper]) -> TokenKeeper:
    """Log in with a code."""
    login = keeper()
    await login.redeem("code")
    return login


def test_the_page_of_consent(settings: Settings) -> None:
    """The address names application, scopes and the longest access."""
    url = urlsplit(authorize_url(settings(client_id="my app", client_secret="s")))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://connect.solaredge.com/authorize"
    assert parse_qs(url.query) == {
        "client_id": ["my app"],
        "scope": ["SITE_DATA DEVICE_DATA"],
        "access_duration": ["24"],
    }


@pytest.mark.parametrize("table", [{"api_key": "k"}, {"api": "v1", "api_key": "k"}])
def test_keys_need_no_login(settings: Settings, table: dict[str, str]) -> None:
    """Who has a key is told so."""
    with pytest.raises(PermanentError, match="no login is needed"):
        authorize_url(settings(**table))


@pytest.mark.parametrize(
    "pasted",
    [
        "abc-123",
        " abc-123\n",
        f"{BACK}?code=abc-123",
        f"{BACK}?code=abc-123&site_id=4711",
        f" {BACK}?site_id=4711&external_id=x&code=abc-123#top",
        "https://[broken?code=abc-123",
    ],
)
def test_the_code_is_found(pasted: str) -> None:
    """The code alone or the whole address: both are good."""
    assert extract_code(pasted, 4711) == "abc-123"


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("", "no code"),
        (BACK, "no code"),
        (f"{BACK}?code=", "no code"),
        ("I do not know", "no code"),
        (f"{BACK}?error=access_denied", "granted no access: access_denied"),
        (f"{BACK}?code=abc&site_id=99", "granted to site 99.*site_id = 4711"),
    ],
)
def test_useless_texts_are_refused(pasted: str, words: str) -> None:
    """Each mistake is told."""
    with pytest.raises(AuthError, match=words):
        extract_code(pasted, 4711)


async def test_login_and_use(keeper: Callable[[], TokenKeeper], server: TokenServer, path: Path) -> None:
    """A code becomes a pair on disk; another process uses it without asking again."""
    await keeper().redeem("the-code")
    assert server.bodies == [
        {
            "grant_type": "authorization_code",
            "code": "the-code",
            "client_id": "app",
            "client_secret": "shh",
        }
    ]
    assert stored(path)["refresh_token"] == "R1"
    assert await keeper().access_token() == "A1"
    assert len(server.bodies) == 1


async def test_tokens_are_renewed_ahead_of_time(
    logged_in: TokenKeeper, server: TokenServer, time: SimpleNamespace
) -> None:
    """A minute before the end a new pair is fetched, with the newest refresh token each time."""
    time.now += timedelta(seconds=7200 - 61)
    assert await logged_in.access_token() == "A1"
    for number in (2, 3):
        time.now += timedelta(seconds=7200 - 59)
        assert await logged_in.access_token() == f"A{number}"
    assert [body.get("refresh_token") for body in server.bodies] == [None, "R1", "R2"]


async def test_a_rejected_token_is_renewed_once(logged_in: TokenKeeper, server: TokenServer) -> None:
    """A token that died early is replaced; who comes late with the same one gets the replacement."""
    assert await logged_in.access_token(rejected="A1") == "A2"
    assert await logged_in.access_token(rejected="A1") == "A2"
    assert len(server.bodies) == 2


async def test_a_login_elsewhere_is_taken_over(
    logged_in: TokenKeeper,
    keeper: Callable[[], TokenKeeper],
    server: TokenServer,
    time: SimpleNamespace,
) -> None:
    """When the token has run out, a newer pair in the file saves the renewal."""
    assert await logged_in.access_token() == "A1"
    time.now += timedelta(hours=1)
    await keeper().redeem("second-code")
    time.now += timedelta(hours=1.5)
    assert await logged_in.access_token() == "A2"
    assert len(server.bodies) == 2


async def test_one_renewal_at_a_time(logged_in: TokenKeeper, server: TokenServer) -> None:
    """Ten who need a new token at once share one renewal: a second would kill the first one's pair."""
    tokens = await asyncio.gather(*(logged_in.access_token(rejected="A1") for _ in range(10)))
    assert tokens == ["A2"] * 10
    assert len(server.bodies) == 2


@pytest.mark.fault("solaredge", "kill -9")
async def test_the_new_pair_is_on_disk_before_its_use(
    logged_in: TokenKeeper, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the file is being written, nobody gets the new token."""
    seen: list[Tokens | None] = []

    def watched(target: Path, document: Mapping[str, Any]) -> None:
        seen.append(logged_in._tokens)  # noqa: SLF001 - what a reader could use at this moment
        write_json(target, document)

    monkeypatch.setattr(oauth, "write_json", watched)
    await logged_in.access_token(rejected="A1")
    assert [tokens.access for tokens in seen if tokens] == ["A1"]
    assert stored(path)["refresh_token"] == "R2"


async def test_a_cancelled_read_loses_no_pair(
    logged_in: TokenKeeper, server: TokenServer, path: Path
) -> None:
    """The daemon stops in the middle of a renewal: `aclose` waits until the new pair is safe."""
    server.gate.clear()
    server.asked.clear()
    read = asyncio.create_task(logged_in.access_token(rejected="A1"))
    await server.asked.wait()
    read.cancel()
    with pytest.raises(asyncio.CancelledError):
        await read
    server.gate.set()
    await logged_in.aclose()
    assert stored(path)["refresh_token"] == "R2"


@pytest.mark.fault("solaredge", "full disk")
async def test_a_full_disk_costs_no_login(
    logged_in: TokenKeeper, monkeypatch: pytest.MonkeyPatch, time: SimpleNamespace
) -> None:
    """The new pair lives on in memory, loudly; the older one in the file does not replace it."""

    def full(_path: Path, _document: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(oauth, "write_json", full)
    with capture_logs() as logs:
        assert await logged_in.access_token(rejected="A1") == "A2"
    assert [entry["log_level"] for entry in logs] == ["warning"]
    time.now += timedelta(hours=3)
    assert await logged_in.access_token() == "A3"


async def test_nobody_has_logged_in(keeper: Callable[[], TokenKeeper], server: TokenServer) -> None:
    """Without a token file the user is told what to run."""
    with pytest.raises(AuthError, match=r"no login .* site 4711 .* pvcharge login solaredge"):
        await keeper().access_token()
    assert server.bodies == []


async def test_a_login_that_has_ended(
    logged_in: TokenKeeper,
    keeper: Callable[[], TokenKeeper],
    server: TokenServer,
) -> None:
    """A refused refresh token is tried once; a new login in another process mends it without a restart."""
    server.pair = 7  # somebody else has rotated
    with pytest.raises(AuthError, match=r"invalid_grant|used.*pvcharge login solaredge"):
        await logged_in.access_token(rejected="A1")
    with pytest.raises(AuthError, match=r"has ended; run: pvcharge login solaredge"):
        await logged_in.access_token(rejected="A1")
    assert len(server.bodies) == 2
    await keeper().redeem("second-code")
    assert await logged_in.access_token(rejected="A1") == "A8"


@pytest.mark.parametrize("status", [500, 403])
async def test_an_outage_ends_no_login(
    logged_in: TokenKeeper, server: TokenServer, context: DriverContext, status: int
) -> None:
    """A gateway's page is no refusal: the same refresh token is tried again."""
    server.outage = Answer("token endpoint", context.clock.now(), status, {}, b"<html>no</html>")
    with pytest.raises((TransientError, PermanentError)):
        await logged_in.access_token(rejected="A1")
    server.outage = None
    assert await logged_in.access_token(rejected="A1") == "A2"


async def test_a_refused_code_is_told(logged_in: TokenKeeper, server: TokenServer) -> None:
    """A code that was used before asks for another login."""
    server.outage = server.answer(400, {"error": "invalid_grant"})
    with pytest.raises(AuthError, match=r"invalid_grant.*log in once more"):
        await logged_in.redeem("old")


@pytest.mark.parametrize("content", ["{}", '{"access_token": 1}', "nonsense"])
async def test_a_spoilt_token_file_asks_for_a_login(
    keeper: Callable[[], TokenKeeper], path: Path, content: str
) -> None:
    """Whatever is wrong with the file, a login mends it."""
    store(path, content)
    with pytest.raises(AuthError, match="pvcharge login solaredge"):
        await keeper().access_token()


@pytest.mark.fault("solaredge", "read-only")
async def test_an_unreadable_token_file_is_named(
    keeper: Callable[[], TokenKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong permissions are named with the path."""

    def denied(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(oauth, "read_json", denied)
    with pytest.raises(PermanentError, match=r"tokens\.json: Permission denied"):
        await keeper().access_token()


async def test_a_login_that_cannot_be_stored_fails(
    keeper: Callable[[], TokenKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login command must not say that all is well."""

    def full(_path: Path, _document: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(oauth, "write_json", full)
    with pytest.raises(PermanentError, match="No space left"):
        await keeper().redeem("code")


def test_tokens_show_nothing(context: DriverContext) -> None:
    """A pair in a log line or a traceback keeps its secrets."""
    pair = Tokens("PLANTED", "PLANTED", context.clock.now())
    assert "PLANTED" not in f"{pair} {pair!r}"


async def test_the_login_command(
    settings: Settings, context: DriverContext, web: aioresponses, path: Path
) -> None:
    """`exchange` posts JSON and leaves the token file; the request is counted."""
    web.post(TOKEN_URL, payload={"access_token": "A", "refresh_token": "R", "expires_in": 7200})
    await exchange(settings(client_id="app", client_secret="shh"), context, f"{BACK}?code=c&site_id=4711")
    (calls,) = web.requests.values()
    assert calls[0].kwargs["json"] == {
        "grant_type": "authorization_code",
        "code": "c",
        "client_id": "app",
        "client_secret": "shh",
    }
    assert stored(path)["access_token"] == "A"
    assert stored(path.with_name("solaredge-4711-v2-budget.json"))["used"] == 1


async def test_the_login_command_is_not_for_keys(settings: Settings, context: DriverContext) -> None:
    """Nothing is sent where no login is needed."""
    with pytest.raises(PermanentError, match="no login is needed"):
        await exchange(settings(), context, "code")
