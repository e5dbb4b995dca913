"""Who asks, from where and by which name, as far as it can be believed.

A browser can be led here by a name that belongs to somebody else (DNS rebinding), and pages of others can
send it here with its cookies. Both is told by headers that no page can forge: Host, Origin, Sec-Fetch-Site.
What a proxy says about its visitor counts only if that proxy is trusted.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from pvcharge.web.addresses import (
    DEFAULT_PORTS,
    Address,
    Host,
    parse_address,
    parse_host,
    parse_origin,
    without_usual_port,
)
from pvcharge.web.problems import ProblemError
from pvcharge.web.settings import WebSettings

_SAME_ORIGIN = "same-origin"
_FOREIGN = "this must come from the page itself, not from another one"


@dataclass(frozen=True, slots=True)
class Visit:
    """How a request came.

    Attributes:
        client: the visitor's address, "unknown" where there is none.
        host: the name by which the visitor knows us.
        scheme: "http" or "https", as the visitor sees it.
        is_scheme_told: whether a trusted proxy has told the scheme; any other proxy may do TLS unseen.
    """

    client: str
    host: Host
    scheme: str = "http"
    is_scheme_told: bool = False


class Door:
    """Finds out how requests came, and refuses those that came by a wrong name.

    Args:
        settings: names and proxies.
        machine: this machine's name.
    """

    def __init__(self, settings: WebSettings, machine: str | None = None) -> None:
        name = (socket.gethostname() if machine is None else machine).lower()
        self._names = {"localhost", name, name.partition(".")[0], *settings.hosts} - {""}
        self._proxies = settings.proxy_networks

    def visit(self, request: web.Request) -> Visit:
        """Return how a request came.

        Raises:
            ProblemError: by a name that is not ours.
        """
        peer = parse_address(request.remote or "")
        host = self._ours(request.headers.getall("Host", []))
        if peer is None or not self._is_proxy(peer):
            return Visit(str(peer or "unknown"), host)
        # The proxy's own word on the host is believed, but it may have passed on what the visitor said.
        if forwarded := _last(request, "X-Forwarded-Host"):
            host = self._ours([forwarded])
        client = self._client(_parts(request, "X-Forwarded-For"), peer)
        told = _last(request, "X-Forwarded-Proto").lower() in DEFAULT_PORTS
        return Visit(str(client), host, self.scheme(request), is_scheme_told=told)

    def scheme(self, request: web.Request) -> str:
        """Return "http" or "https", as the visitor sees it."""
        peer = parse_address(request.remote or "")
        told = _last(request, "X-Forwarded-Proto").lower()
        return told if peer and self._is_proxy(peer) and told in DEFAULT_PORTS else "http"

    def _ours(self, headers: Sequence[str]) -> Host:
        host = parse_host(headers[0]) if len(headers) == 1 else None
        if host is None:
            raise ProblemError(421, "the request does not say for which host it is")
        if not self.is_ours(host.name):
            advice = "if it should be, add it to hosts in [web]"
            raise ProblemError(421, f"{host.name} is no name of this machine; {advice}")
        return host

    def is_ours(self, name: str) -> bool:
        """Whether nobody else can make this name lead here.

        An address is itself, and names that end in `.local` are given away in the house.
        """
        return name in self._names or name.endswith(".local") or parse_address(name) is not None

    def _client(self, hops: Sequence[str], peer: Address) -> Address:
        """Return the last address that is no proxy's; what stands before it anybody may have written."""
        client = peer
        for hop in reversed(hops):
            host = parse_host(hop)
            address = parse_address(hop) or parse_address(host.name if host else "")
            if address is None:
                break
            client = address
            if not self._is_proxy(address):
                break
        return client

    def _is_proxy(self, address: Address) -> bool:
        return any(address in network for network in self._proxies)


def check_source(request: web.Request, visit: Visit, *, has_cookie: bool, is_websocket: bool = False) -> None:
    """Refuse what a page of somebody else makes a browser do.

    Args:
        request: that changes something, or opens a WebSocket.
        visit: how it came.
        has_cookie: whether a browser has sent our cookie with it; then it must say from which page.
        is_websocket: Sec-Fetch-Site does not count, since browsers differ in what they send with these.

    Raises:
        ProblemError: it came from elsewhere.
    """
    site = None if is_websocket else request.headers.get("Sec-Fetch-Site")
    origins = request.headers.getall("Origin", [])
    if site not in (None, _SAME_ORIGIN) or len(origins) > 1:
        raise ProblemError(403, _FOREIGN)
    if origins:
        _check_origin(origins[0], visit, is_same=site == _SAME_ORIGIN)
    elif has_cookie and site is None:
        raise ProblemError(403, "a request with a cookie must say in Origin from which page it comes")


def _check_origin(text: str, visit: Visit, *, is_same: bool) -> None:
    origin = parse_origin(text)
    if origin is not None and origin.host.name == visit.host.name:
        # Where a proxy drops the port, or does TLS without telling, the browser's own word is good enough.
        if is_same:
            return
        same_port = origin.host == without_usual_port(visit.host, origin.scheme)
        if same_port and (origin.scheme == visit.scheme or not visit.is_scheme_told):
            return
        advice = "behind a proxy, see to trusted_proxies in [web] and to X-Forwarded-Host"
        raise ProblemError(403, f"{_FOREIGN}; {advice}")
    raise ProblemError(403, _FOREIGN)


def _parts(request: web.Request, header: str) -> list[str]:
    return [part.strip() for part in ",".join(request.headers.getall(header, [])).split(",") if part.strip()]


def _last(request: web.Request, header: str) -> str:
    """Return what the nearest proxy has said, empty if nothing."""
    return (_parts(request, header) or [""])[-1]
