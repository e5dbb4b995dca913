"""What proxies say is believed of those that are trusted, and of nobody else."""

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.web.access.visits import Door, Visit, check_source
from pvcharge.web.addresses import Host, parse_address
from pvcharge.web.problems import ProblemError
from pvcharge.web.settings import WebSettings
from web.access.rig import PASSWORD, Rig, browser, running

PROXY = "10.0.0.1"
SETTINGS = WebSettings(hosts=["pv.example"], trusted_proxies=["10.0.0.0/24", "fd00::/64"])
DOOR = Door(SETTINGS, "pi")
ADDRESSES = st.ip_addresses().map(str)
FORWARDED = st.sampled_from(["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"])


def request_from(peer: str, *headers: tuple[str, str], method: str = "PUT") -> web.Request:
    """Return a request as it comes from the next machine."""
    made = make_mocked_request(method, "/", headers=[("Host", "10.0.0.9:8080"), *headers])
    return made.clone(remote=peer)


def visit(peer: str, **headers: str) -> Visit:
    """Return what is made of a request; underscores stand for dashes."""
    pairs = ((f"X-Forwarded-{name}", value) for name, value in headers.items())
    return DOOR.visit(request_from(peer, *pairs))


def is_proxy(text: str) -> bool:
    """Whether this is the address of a trusted proxy."""
    address = parse_address(text)
    return address is not None and any(address in network for network in SETTINGS.proxy_networks)


def test_a_trusted_proxy_is_believed() -> None:
    """Who asks, by which name, and whether by TLS."""
    seen = visit(PROXY, For="192.0.2.5", Host="pv.example", Proto="https")
    assert seen == Visit("192.0.2.5", Host("pv.example"), "https", is_scheme_told=True)
    assert visit("::ffff:10.0.0.1", For="192.0.2.5").client == "192.0.2.5"


@pytest.mark.parametrize("peer", ["192.0.2.1", "10.0.1.1", "fd00:0:0:1::1", "", "unix:"])
def test_nobody_else_is(peer: str) -> None:
    """Anybody can write such headers."""
    expected = Visit(peer if peer and peer != "unix:" else "unknown", Host("10.0.0.9", 8080))
    assert visit(peer, For="127.0.0.1", Host="pv.example", Proto="https") == expected


@given(
    ADDRESSES, st.lists(st.tuples(FORWARDED, st.text("0123456789abcdef:., []pv", max_size=30)), max_size=4)
)
def test_strangers_cannot_say_who_they_are(peer: str, headers: list[tuple[str, str]]) -> None:
    """Whatever they write, it is as if they had not."""
    if not is_proxy(peer):
        assert DOOR.visit(request_from(peer, *headers)) == DOOR.visit(request_from(peer))


@given(st.lists(ADDRESSES, max_size=5), ADDRESSES)
def test_visitors_cannot_say_who_they_are(written: list[str], visitor: str) -> None:
    """Their proxy adds the true address behind what they have written themselves."""
    client = visit(PROXY, For=", ".join([*written, visitor])).client
    if not is_proxy(visitor):
        assert client == str(parse_address(visitor))


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("192.0.2.5, 10.0.0.2, 10.0.0.3", "192.0.2.5"),
        ("203.0.113.9, 192.0.2.5, 10.0.0.2", "192.0.2.5"),
        ("10.0.0.4, 10.0.0.2", "10.0.0.4"),
        ("192.0.2.5:4711", "192.0.2.5"),
        ("[2001:db8::5]:4711", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        ("unknown", PROXY),
        ("192.0.2.5, nonsense, 10.0.0.2", "10.0.0.2"),
        ("", PROXY),
    ],
)
def test_the_last_address_that_is_no_proxy_counts(forwarded: str, client: str) -> None:
    """What stands before it is hearsay."""
    assert visit(PROXY, For=forwarded).client == client


@pytest.mark.parametrize("host", ["evil.example", "pv.example, evil.example", "a b", "pv.example/"])
def test_a_proxy_cannot_bring_a_foreign_name(host: str) -> None:
    """A visitor may have written that header, and the proxy passed it on."""
    with pytest.raises(ProblemError) as caught:
        visit(PROXY, Host=host)
    assert caught.value.status == 421


def test_the_name_itself_must_be_ours_behind_a_proxy_too() -> None:
    """A page of evil.example could add a header that says it is not."""
    request = make_mocked_request(
        "GET", "/", headers={"Host": "evil.example", "X-Forwarded-Host": "localhost"}
    ).clone(remote=PROXY)
    with pytest.raises(ProblemError):
        DOOR.visit(request)


@pytest.mark.parametrize(
    ("told", "headers", "is_ours"),
    [
        ({"Host": "pv.example", "Proto": "https"}, {"Origin": "https://pv.example"}, True),
        ({"Host": "pv.example", "Proto": "https"}, {"Origin": "http://pv.example"}, False),
        ({"Host": "pv.example", "Proto": "http"}, {"Origin": "https://pv.example"}, False),
        ({"Host": "pv.example"}, {"Origin": "https://pv.example"}, True),
        ({"Host": "pv.example:443"}, {"Origin": "https://pv.example"}, True),
        ({"Host": "pv.example"}, {"Origin": "https://pv.example:8443"}, False),
        (
            {"Host": "pv.example"},
            {"Origin": "https://pv.example:8443", "Sec-Fetch-Site": "same-origin"},
            True,
        ),
        ({}, {"Origin": "http://10.0.0.9:8080"}, True),
        ({}, {"Origin": "https://pv.example", "Sec-Fetch-Site": "same-origin"}, False),
    ],
)
def test_origins_behind_proxies(told: dict[str, str], headers: dict[str, str], is_ours: bool) -> None:  # noqa: FBT001
    """The visitor's own view of the address counts, as far as it is known."""
    pairs = [*((f"X-Forwarded-{name}", value) for name, value in told.items()), *headers.items()]
    request = request_from(PROXY, *pairs)
    seen = DOOR.visit(request)
    if is_ours:
        check_source(request, seen, has_cookie=True)
    else:
        with pytest.raises(ProblemError):
            check_source(request, seen, has_cookie=True)


NAMES = st.from_regex(r"[a-z0-9-]{1,8}(\.[a-z0-9-]{1,8}){0,2}", fullmatch=True)


@given(
    st.sampled_from(["http://", "https://", "", "//", "null"]),
    NAMES | st.text(max_size=20),
    st.none() | st.integers(0, 99_999),
    st.sampled_from(["same-origin", None]),
)
def test_no_foreign_origin_is_ours(scheme: str, name: str, port: int | None, site: str | None) -> None:
    """Whatever it is, and whatever else is said."""
    origin = f"{scheme}{name}" + ("" if port is None else f":{port}")
    if name == "10.0.0.9" or not origin.isprintable():
        return
    more = [] if site is None else [("Sec-Fetch-Site", site)]
    request = request_from(PROXY, ("Origin", origin), *more)
    with pytest.raises(ProblemError):
        check_source(request, DOOR.visit(request), has_cookie=False)


async def test_tls_is_seen_behind_a_trusted_proxy_only(tmp_path: Path) -> None:
    """Over real sockets: there the page tells browsers to keep other windows away."""
    for trusted, expected in (([], False), (["127.0.0.1"], True)):
        rig = Rig(tmp_path, password=PASSWORD, trusted_proxies=trusted)
        async with running(rig), browser(rig) as client:
            assert await isolates(client) is expected


async def isolates(client: aiohttp.ClientSession) -> bool:
    """Whether the answer behind TLS has the header that browsers accept there only."""
    async with client.get("/", headers={"X-Forwarded-Proto": "https"}) as answer:
        return "Cross-Origin-Opener-Policy" in answer.headers
