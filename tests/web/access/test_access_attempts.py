"""Guessing passwords is slow, for the one who guesses only."""

import asyncio
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pvcharge.web.access import passwords
from pvcharge.web.access.attempts import (
    ALL_TOGETHER,
    MOST_ADDRESSES,
    PER_ADDRESS,
    Attempts,
    TooManyError,
)
from pvcharge.web.access.passwords import MOST_WAITING, BusyError, PasswordCheck, make_hash
from web.access.rig import LOGIN, PASSWORD, WRONG, Rig, browser, running, status

Logs = list[MutableMapping[str, Any]]
HOME = "192.168.1.20"


class Gate:
    """Attempts, with their time."""

    def __init__(self) -> None:
        self.time = SimpleNamespace(now_s=0.0)
        self.attempts = Attempts(lambda: float(self.time.now_s))

    def fails(self, client: str) -> bool:
        """Return whether a wrong try was let through."""
        try:
            self.attempts.begin(client)
        except TooManyError:
            return False
        self.attempts.failed(client)
        return True


def internet() -> Iterator[str]:
    """Yield addresses from everywhere."""
    return (f"{first}.{second}.7.7" for first in range(20, 100) for second in range(1, 255))


def test_an_address_has_a_few_tries() -> None:
    """And gets one back after a while."""
    gate = Gate()
    assert [gate.fails("203.0.113.1") for _ in range(7)] == [True] * 5 + [False] * 2
    with pytest.raises(TooManyError) as caught:
        gate.attempts.begin("203.0.113.1")
    assert caught.value.wait_s == PER_ADDRESS.refill_s
    gate.time.now_s += PER_ADDRESS.refill_s
    assert [gate.fails("203.0.113.1") for _ in range(2)] == [True, False]


def test_a_household_counts_as_one() -> None:
    """With IPv6 it has more addresses than anybody can count."""
    gate = Gate()
    tries = [gate.fails(f"2001:db8:0:1::{number:x}") for number in range(1, 10)]
    assert tries.count(True) == PER_ADDRESS.at_once
    assert gate.fails("2001:db8:0:2::1")
    assert gate.fails("::ffff:203.0.113.1")
    assert [gate.fails("203.0.113.1") for _ in range(5)].count(True) == PER_ADDRESS.at_once - 1


def test_all_together_have_a_limit() -> None:
    """Thousands of addresses do not help."""
    gate = Gate()
    tries = [gate.fails(client) for client, _ in zip(internet(), range(5000), strict=False)]
    assert tries.count(True) == ALL_TOGETHER.at_once
    gate.time.now_s += 10 * ALL_TOGETHER.refill_s
    assert [gate.fails(client) for client in internet()].count(True) == 10


def test_the_house_can_log_in_while_the_internet_guesses() -> None:
    """So can the other kind of addresses, and whoever has lately done so."""
    gate = Gate()
    gate.attempts.begin("93.184.216.1")
    gate.attempts.succeeded("93.184.216.1")
    for client in internet():
        gate.fails(client)
    for client in (HOME, "fe80::1", "2a00::1", "93.184.216.1"):
        gate.attempts.begin(client)
    with pytest.raises(TooManyError):
        gate.attempts.begin("93.184.216.2")


def test_the_right_password_clears_the_slate() -> None:
    """Also of all together."""
    gate = Gate()
    for _ in range(50):
        for _ in range(PER_ADDRESS.at_once - 1):
            assert gate.fails(HOME)
        gate.attempts.begin(HOME)
        gate.attempts.succeeded(HOME)
        gate.time.now_s += ALL_TOGETHER.refill_s * PER_ADDRESS.at_once


def test_a_try_that_was_not_made_costs_nothing() -> None:
    """Neither the address nor all together."""
    gate = Gate()
    for _ in range(100):
        gate.attempts.begin(HOME)
        gate.attempts.dropped(HOME)


@given(st.lists(st.tuples(st.ip_addresses().map(str) | st.sampled_from(["a", HOME]), st.floats(0, 100))))
def test_no_more_get_through_than_were_allowed(tries: list[tuple[str, float]]) -> None:
    """However they are spread over time and addresses."""
    gate = Gate()
    through: dict[str, int] = {}
    for client, pause_s in tries:
        gate.time.now_s += pause_s
        through[client] = through.get(client, 0) + gate.fails(client)
    for count in through.values():
        assert count <= PER_ADDRESS.at_once + gate.time.now_s / PER_ADDRESS.refill_s
    kinds = 4
    assert sum(through.values()) <= kinds * (ALL_TOGETHER.at_once + gate.time.now_s / ALL_TOGETHER.refill_s)


def test_memory_has_a_bound() -> None:
    """Whoever tries from however many addresses, and when they succeed."""
    gate = Gate()
    for client in internet():
        gate.time.now_s += ALL_TOGETHER.refill_s
        assert gate.fails(client)
        gate.attempts.begin(client)
        gate.attempts.succeeded(client)
        assert gate.fails(client)
    assert len(gate.attempts) <= 3 * MOST_ADDRESSES + 4


async def test_too_many_tries_are_told_when_to_come_again(
    rig: Rig, client: aiohttp.ClientSession, logs: Logs
) -> None:
    """Even with the right password; from another address it still opens, and one failure is logged."""
    for _ in range(PER_ADDRESS.at_once):
        assert await rig.login(client, WRONG) == 401
    async with client.post(LOGIN, json={"password": PASSWORD}, headers=rig.own()) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "60"
        assert answer.content_type == "application/problem+json"
    async with browser(rig, "127.0.0.2") as other:
        assert await rig.login(other) == 204
    rig.time.steady_s += PER_ADDRESS.refill_s
    assert await rig.login(client) == 204
    refused = [line for line in logs if line["event"].startswith("login refused")]
    assert [line["client"] for line in refused] == ["127.0.0.1"]
    assert not any(word in str(logs) for word in (PASSWORD, WRONG))


async def test_headers_of_strangers_are_no_way_around(rig: Rig, client: aiohttp.ClientSession) -> None:
    """Who is no proxy of ours cannot say that he is somebody else each time."""
    tries = [await rig.login(client, WRONG, X_Forwarded_For=f"203.0.113.{number}") for number in range(8)]
    assert tries == [401] * 5 + [429] * 3


async def test_many_at_once_are_no_way_around(rig: Rig, client: aiohttp.ClientSession) -> None:
    """They are counted before they are looked at."""
    tries = await asyncio.gather(*(rig.login(client, WRONG) for _ in range(50)))
    assert tries.count(401) <= PER_ADDRESS.at_once
    assert set(tries) == {401, 429}
    assert await status(client, "/") == 200


async def test_checks_are_made_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread: many neither eat memory nor hold up the loop; those that would wait long are refused."""
    at_once: list[int] = []
    going = 0
    matches = passwords.matches

    def counted(hashed: str, password: str) -> bool:
        nonlocal going
        going += 1
        at_once.append(going)
        try:
            return matches(hashed, password)
        finally:
            going -= 1

    monkeypatch.setattr(passwords, "matches", counted)
    check = PasswordCheck(SecretStr(make_hash(PASSWORD)))
    crowd = asyncio.gather(*(check.is_right(SecretStr(WRONG)) for _ in range(100)), return_exceptions=True)
    turns = 0
    while not crowd.done():
        await asyncio.sleep(0)
        turns += 1
    answers = await crowd
    assert answers.count(False) == MOST_WAITING
    assert sum(isinstance(answer, BusyError) for answer in answers) == 100 - MOST_WAITING
    assert max(at_once) == 1
    assert turns > MOST_WAITING
    assert await check.is_right(SecretStr(PASSWORD))


async def test_who_finds_it_busy_comes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That costs no try."""

    async def is_busy(*_: object) -> bool:
        raise BusyError

    async with running(Rig(tmp_path, password=PASSWORD)) as rig, browser(rig) as client:
        with monkeypatch.context() as patch:
            patch.setattr(PasswordCheck, "is_right", is_busy)
            for _ in range(2 * PER_ADDRESS.at_once):
                async with client.post(LOGIN, json={"password": WRONG}, headers=rig.own()) as answer:
                    assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
        assert await rig.login(client) == 204
