"""How hosts and origins are read: only what is plainly ours is ours."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvcharge.web.access.visits import Door
from pvcharge.web.addresses import Host, Origin, parse_host, parse_origin
from pvcharge.web.settings import WebSettings
from web.access.rig import Rig

MACHINE = "Raspberry.lan"
DOOR = Door(WebSettings(hosts=["pv.example"]), MACHINE)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PORTS = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", Host("localhost")),
        ("LOCALHOST:8080", Host("localhost", 8080)),
        ("pv.example.", Host("pv.example")),
        ("192.0.2.1:80", Host("192.0.2.1", 80)),
        ("[::1]", Host("::1")),
        ("[2001:DB8:0::1]:8080", Host("2001:db8::1", 8080)),
        ("[::ffff:192.0.2.1]", None),
        ("my_host", Host("my_host")),
    ],
)
def test_hosts_are_read(text: str, expected: Host | None) -> None:
    """In one form, however they are written."""
    assert parse_host(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ":80", "localhost:", "localhost:0", "localhost:65536", "localhost:80:80", "local host"),
        *("localhost/", "user@localhost", "localhost#", "localhost?x", "localhost,evil", "http://localhost"),
        *("::1", "[::1", "::1]", "[localhost]", "[127.0.0.1]", "[fe80::1%eth0]", "a..b", "..", ".", "-a"),
        *("localhost\n", "localhost\x00", "loca\u212ahost", "b\u00fccher", "%6cocalhost", "localhost:\u0661"),
        *("a" * 64, "a." * 127 + "aa"),
    ],
)
def test_what_is_no_host_is_none(text: str) -> None:
    """Nobody may read something else in it."""
    assert parse_host(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://localhost:8080", Origin("http", Host("localhost", 8080))),
        ("HTTPS://PV.example:443", Origin("https", Host("pv.example"))),
        ("http://[::1]:80", Origin("http", Host("::1"))),
        ("http://pv.example:443", Origin("http", Host("pv.example", 443))),
        *((text, None) for text in ("null", "", "file://", "http:///", "ftp://localhost", "//localhost")),
        *(
            (f"http://{text}", None)
            for text in ("localhost/", "a@localhost", "localhost:x", "localhost#", "")
        ),
        *((f"{text}http://localhost", None) for text in (" ", "x", "http://evil ")),
    ],
)
def test_origins_are_read(text: str, expected: Origin | None) -> None:
    """What has more than a scheme and a host is none."""
    assert parse_origin(text) == expected


@given(NAMES, st.none() | PORTS)
def test_hosts_and_origins_come_back(name: str, port: int | None) -> None:
    """What is written is read again."""
    host = parse_host(str(Host(name, port)))
    if host is not None:  # a name such as 1.2.3.4.5 or 1.2.3.04 is one; the address 1.2.3.4 is itself
        assert host == Host(name, port)
        origin = parse_origin(f"https://{host}")
        assert origin is not None
        assert parse_origin(str(origin)) == origin


@pytest.mark.parametrize(
    "name", ["localhost", "raspberry.lan", "raspberry", "evcc.local", "pv.example", "192.0.2.1", "::1"]
)
def test_names_of_ours(name: str) -> None:
    """The machine's own, those of the house, those of the settings, and addresses."""
    assert DOOR.is_ours(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "evil.example",
            "pv.example.evil",
            "xpv.example",
            "a.pv.example",
            "local",
            "notlocal",
            ".local.evil",
        ),
        *("localhost.evil", "raspberry.evil", "127.0.0.1.evil", "0x7f000001", "2130706433", "127.1", ""),
    ],
)
def test_names_of_others(name: str) -> None:
    """Those that look like ours too."""
    assert not DOOR.is_ours(name)


@given(NAMES, st.sampled_from(["example", "com", "evil", "localhost1", "locals", "dev"]))
def test_no_name_of_the_internet_is_ours(name: str, end: str) -> None:
    """Whatever stands before the end that somebody else owns."""
    assert DOOR.is_ours(f"{name}.{end}") is (f"{name}.{end}" == "pv.example")


@given(st.text())
def test_any_text_is_read_without_a_fault(text: str) -> None:
    """And what is read is plain."""
    for host in (parse_host(text), (parse_origin(f"http://{text}") or Origin("", Host("a"))).host):
        assert host is None or (str(host).isascii() and not set(str(host)) & set(" /@#?,\\"))


def test_a_machine_without_a_name_has_none(tmp_path: Path) -> None:
    """And no empty one."""
    assert not Door(Rig(tmp_path).settings, "").is_ours("")
