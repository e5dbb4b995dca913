"""What the `[web]` table may say."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from pvcharge import config
from pvcharge.config import ConfigError
from pvcharge.web.access.passwords import make_hash
from pvcharge.web.settings import WebSettings

PASSWORD = SecretStr("a right password")
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$" + "a" * 43
SITE = """
[site]
latitude = 48.2
longitude = 16.4
timezone = "Europe/Vienna"
[[inverter]]
driver = "solaredge_modbus"
host = "192.0.2.10"
[charger]
driver = "wattpilot"
host = "192.0.2.20"
password = "secret"
"""


def test_default_is_this_machine_only() -> None:
    """Nobody else sees anything before the user has said so."""
    settings = WebSettings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("listen", "host", "port", "shown"),
    [
        ("0.0.0.0:80", "0.0.0.0", 80, "0.0.0.0:80"),  # noqa: S104 - as a user would write it
        ("192.0.2.1:65535", "192.0.2.1", 65535, "192.0.2.1:65535"),
        ("localhost:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
        ("[::1]:8080", "::1", 8080, "[::1]:8080"),
        ("[::]:1", "::", 1, "[::]:1"),
        ("[2001:DB8:0:0::1]:8080", "2001:db8::1", 8080, "[2001:db8::1]:8080"),
        ("[fe80::1%eth0]:8080", "fe80::1%eth0", 8080, "[fe80::1%eth0]:8080"),
    ],
)
def test_accepted(listen: str, host: str, port: int, shown: str) -> None:
    """Addresses of both kinds; they are shown in their usual form."""
    settings = WebSettings(listen=listen, password=PASSWORD)
    assert (settings.host, settings.port, settings.listen) == (host, port, shown)


@pytest.mark.parametrize(
    ("listen", "complaint"),
    [
        ("", "an address and a port"),
        ("8080", "an address and a port"),
        (":8080", "an address and a port"),
        ("127.0.0.1", "an address and a port"),
        ("127.0.0.1:", "an address and a port"),
        ("127.0.0.1:http", "an address and a port"),
        ("127.0.0.1:-1", "an address and a port"),
        ("127.0.0.1:٨٠٨٠", "an address and a port"),
        ("127.0.0.1:" + "9" * 5000, "an address and a port"),
        ("http://127.0.0.1:8080", "a name will not do"),
        ("pvcharge.local:8080", "a name will not do"),
        ("[localhost]:8080", "a name will not do"),
        ("256.0.0.1:8080", "a name will not do"),
        ("[[::1]]:8080", "an address and a port"),
        ("127.0.0.1:0", "from 1 to 65535"),
        ("127.0.0.1:65536", "from 1 to 65535"),
        ("::1:8080", "in brackets"),
        ("[127.0.0.1]:8080", "in brackets"),
    ],
)
def test_refused(listen: str, complaint: str) -> None:
    """What nobody could listen on is refused in words that say how it is written; so is a port by chance."""
    with pytest.raises(ValidationError, match=complaint):
        WebSettings(listen=listen)


def test_unknown_keys_are_refused() -> None:
    """A typing error must not look like a setting."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        WebSettings.model_validate({"port": 8080})


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "127.9.9.9:8080", "localhost:8080", "[::1]:8080"])
def test_this_machine_needs_no_password(listen: str) -> None:
    """Nobody else gets there."""
    assert WebSettings(listen=listen).password is None


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80", "[fe80::1%eth0]:8080"])
def test_other_machines_need_a_password(listen: str) -> None:
    """Also where only /metrics is wanted."""
    with pytest.raises(ValidationError, match="a password is needed: give password_file"):
        WebSettings(listen=listen)


@pytest.mark.parametrize("password", ["a" * 8, "a" * 1024, "p\u00e4ssw\u00f6rter", HASH])
def test_passwords(password: str) -> None:
    """As they are or as a hash; no text of the settings shows them."""
    settings = WebSettings(password=SecretStr(password))
    assert settings.password is not None
    assert settings.password.get_secret_value() == password
    assert password not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("", "at least 8 characters"),
        ("seven77", "at least 8 characters"),
        ("a" * 1025, "at most 1024 characters"),
        ("$argon2id$v=19$secret", "is none"),
        (HASH.replace("m=19456", "m=1048576"), "too heavy"),
        (HASH.replace("t=2", "t=100"), "too heavy"),
    ],
)
def test_passwords_that_will_not_do(password: str, complaint: str) -> None:
    """The message says why, and a configuration's problems do not show them."""
    with pytest.raises(ValidationError, match=complaint):
        WebSettings(password=SecretStr(password))


def test_the_hash_that_we_make_will_do() -> None:
    """What the command prints is taken."""
    assert WebSettings(password=SecretStr(make_hash("a right password"))).password is not None


def test_names_and_origins_are_brought_into_one_form() -> None:
    """However they were written."""
    settings = WebSettings(
        hosts=("PV.example",),
        base_path="/pv/charge/",
        trusted_proxies=("127.0.0.1", "172.18.0.9/16", "FD00::/8"),
        embed_in=("HTTPS://ha.example:443", "http://ha.local:8123"),
    )
    assert settings.hosts == ("pv.example",)
    assert settings.base_path == "/pv/charge"
    assert settings.trusted_proxies == ("127.0.0.1/32", "172.18.0.0/16", "fd00::/8")
    assert settings.embed_in == ("https://ha.example", "http://ha.local:8123")
    assert WebSettings(base_path="/").base_path == ""


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        *(
            ("hosts", [name], "without http://")
            for name in ("http://a", "a:80", "", "a/b", "*.example", "b\u00fc")
        ),
        *(
            ("base_path", path, "a path such as")
            for path in ("pv", "/a//b", "/..", "/a/../b", "/a b", "/{x}")
        ),
        *(("base_path", path, "a path such as") for path in ("/a;b", "/%2e", "/a?b", "/a\n")),
        *(("trusted_proxies", [it], "a name will not do") for it in ("proxy", "", "10.0.0.0/33")),
        *(("trusted_proxies", [it], "must not be everybody") for it in ("0.0.0.0/0", "::/0")),
        *(
            ("embed_in", [it], "must be origins")
            for it in ("*", "ha.example", "https://a/b", "'self'", "null")
        ),
        ("embed_in", ["https://a; script-src *"], "must be origins"),
    ],
)
def test_what_would_open_too_much_is_refused(key: str, value: object, complaint: str) -> None:
    """Each with words that say how it is written."""
    with pytest.raises(ValidationError, match=complaint):
        WebSettings.model_validate({key: value})


@pytest.mark.parametrize(
    ("listen", "base_path", "url"),
    [
        ("127.0.0.1:8080", "", "http://127.0.0.1:8080"),
        ("0.0.0.0:80", "/pv", "http://127.0.0.1:80/pv"),
        ("[::]:8080", "", "http://[::1]:8080"),
        ("192.0.2.1:8080", "", "http://192.0.2.1:8080"),
    ],
)
def test_programs_on_this_machine_find_it(listen: str, base_path: str, url: str) -> None:
    """By an address that leads there."""
    assert WebSettings(listen=listen, base_path=base_path, password=PASSWORD).local_url == url


def configure(folder: Path, web: str) -> Path:
    """Write a configuration with this in `[web]`."""
    path = folder / "pvcharge.toml"
    path.write_text(f"{SITE}[web]\n{web}")
    path.chmod(0o600)
    return path


def test_the_password_comes_from_a_file(tmp_path: Path) -> None:
    """That only its owner can read."""
    path = configure(tmp_path, 'listen = "[::]:8080"\npassword_file = "web-password"\n')
    secret = tmp_path / "web-password"
    secret.write_text("a right password\n")
    secret.chmod(0o600)
    web = config.load(path).web
    assert web is not None
    assert web.password == PASSWORD
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match=r"\[web\] password_file: other users can read .*chmod 600"):
        config.load(path)


def test_a_configuration_without_password_is_refused_by_its_table(tmp_path: Path) -> None:
    """In one line that says what to do."""
    path = configure(tmp_path, 'listen = "0.0.0.0:8080"\n')
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: [web]: other machines can reach the address in listen")


def test_a_configuration_never_shows_a_bad_password(tmp_path: Path) -> None:
    """Only its key."""
    with pytest.raises(ConfigError) as caught:
        config.load(configure(tmp_path, 'password = "hush"\n'))
    assert caught.value.problems == [
        f"{tmp_path / 'pvcharge.toml'}: [web] password: must have at least 8 characters"
    ]


def test_the_environment_may_bring_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for all settings."""
    monkeypatch.setenv("PVCHARGE_WEB__LISTEN", "[::]:8080")
    monkeypatch.setenv("PVCHARGE_WEB__PASSWORD", "a right password")
    monkeypatch.setenv("PVCHARGE_WEB__HOSTS", '["pv.example"]')
    web = config.load(configure(tmp_path, "guest_view = true\n")).web
    assert web is not None
    assert (web.password, web.hosts, web.guest_view) == (PASSWORD, ("pv.example",), True)
