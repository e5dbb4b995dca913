"""Limits how often a password may be tried, without shutting out the one who knows it.

Every address has a few tries, and gets one back now and then. All addresses of a kind together are limited
too, so that many of them help little: those of the house apart from those of the internet, where anybody may
have thousands, and those from which somebody has logged in lately not at all.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network

from pvcharge.web.addresses import parse_address

MOST_ADDRESSES = 1024  # that are remembered
_HOUSE_BITS_V6 = 64  # a household gets that much, and may use any address in it


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often something may be done.

    Attributes:
        at_once: times, when it has not been done for long.
        refill_s: seconds after which one more is allowed.
    """

    at_once: int
    refill_s: float


PER_ADDRESS = Allowance(5, 60.0)
ALL_TOGETHER = Allowance(30, 10.0)


class TooManyError(Exception):
    """There have been too many tries.

    Attributes:
        wait_s: seconds after which there may be another.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many tries; another in {wait_s:.0f} s")
        self.wait_s = wait_s


class _Spending:
    """What was used of an allowance, by key; of so many keys the one used longest ago is forgotten."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._full_at: OrderedDict[str, float] = OrderedDict()  # when all of it is there again

    def __len__(self) -> int:
        return len(self._full_at)

    def wait_s(self, key: str, now_s: float) -> float:
        """Return how long until it may be done, 0 or less if it may be now."""
        spare_s = (self._allowance.at_once - 1) * self._allowance.refill_s
        return self._full_at.get(key, now_s) - now_s - spare_s

    def spend(self, key: str, now_s: float) -> None:
        self._full_at[key] = max(self._full_at.get(key, now_s), now_s) + self._allowance.refill_s
        self._full_at.move_to_end(key)
        if len(self._full_at) > MOST_ADDRESSES:
            self._full_at.popitem(last=False)

    def give_back(self, key: str) -> None:
        if key in self._full_at:
            self._full_at[key] -= self._allowance.refill_s

    def forget(self, key: str) -> None:
        self._full_at.pop(key, None)


class Attempts:
    """Counts the tries to log in.

    Args:
        time_s: returns seconds that only ever rise.
    """

    def __init__(self, time_s: Callable[[], float]) -> None:
        self._time_s = time_s
        self._by_address = _Spending(PER_ADDRESS)
        self._by_kind = _Spending(ALL_TOGETHER)
        self._known: OrderedDict[str, None] = OrderedDict()  # addresses from which somebody has logged in
        self._told: OrderedDict[str, None] = OrderedDict()  # addresses whose failure is told already

    def __len__(self) -> int:
        """Return how much is remembered."""
        return len(self._by_address) + len(self._by_kind) + len(self._known) + len(self._told)

    def begin(self, client: str) -> None:
        """Count a try before it is made, so that many at once are no way around.

        Args:
            client: the visitor's address.

        Raises:
            TooManyError: it must not be made now.
        """
        key, kind = _key(client)
        now_s = self._time_s()
        spared = key in self._known
        wait_s = self._by_address.wait_s(key, now_s)
        if not spared:
            wait_s = max(wait_s, self._by_kind.wait_s(kind, now_s))
        if wait_s > 0:
            raise TooManyError(wait_s)
        self._by_address.spend(key, now_s)
        if not spared:
            self._by_kind.spend(kind, now_s)

    def succeeded(self, client: str) -> None:
        """Take back a try, and those before: it was the right password."""
        key, kind = _key(client)
        self._by_address.forget(key)
        if key not in self._known:
            self._by_kind.give_back(kind)
        self._told.pop(key, None)
        _note(self._known, key)

    def dropped(self, client: str) -> None:
        """Take back a try whose password was not looked at."""
        key, kind = _key(client)
        self._by_address.give_back(key)
        if key not in self._known:
            self._by_kind.give_back(kind)

    def failed(self, client: str) -> bool:
        """Return whether this is news: the first failure of this address since it last logged in."""
        key, _ = _key(client)
        news = key not in self._told
        _note(self._told, key)
        return news


def _note(keys: OrderedDict[str, None], key: str) -> None:
    keys[key] = None
    keys.move_to_end(key)
    if len(keys) > MOST_ADDRESSES:
        keys.popitem(last=False)


def _key(client: str) -> tuple[str, str]:
    """Return as whom a client counts, and with whom."""
    address = parse_address(client)
    if address is None:
        return "unknown", "unknown"
    if isinstance(address, IPv6Address):
        key = str(ip_network((int(address), _HOUSE_BITS_V6), strict=False))
        return key, "house" if address.is_private or address.is_link_local else "internet v6"
    return str(address), "house" if address.is_private else "internet v4"
