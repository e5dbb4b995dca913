"""What every answer tells the browser about what may be done with it, and the cookie."""

from collections.abc import MutableMapping

from pvcharge.web.access.sessions import IDLE_S
from pvcharge.web.settings import WebSettings

COOKIE = "pvcharge_session"

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    "font-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
)
_NO_DEVICES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class SecurityHeaders:
    """The headers of every answer.

    Args:
        settings: say who may show the page in a frame.
    """

    def __init__(self, settings: WebSettings) -> None:
        ancestors = " ".join(("'self'", *settings.embed_in)) if settings.embed_in else "'none'"
        self._api = f"{settings.base_path}/api/"
        self._headers = {
            "Content-Security-Policy": "; ".join((*_POLICY, f"frame-ancestors {ancestors}")),
            "X-Content-Type-Options": "nosniff",
            # Not "no-referrer", with which browsers may tell no Origin of our own page either.
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": _NO_DEVICES,
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if not settings.embed_in:
            self._headers["X-Frame-Options"] = "DENY"

    def is_api(self, path: str) -> bool:
        """Whether a path belongs to the API, whose answers are never kept."""
        return path.startswith(self._api)

    def add(self, path: str, scheme: str, headers: MutableMapping[str, str]) -> None:
        """Add to the headers of the answer to a request for this path."""
        headers.update(self._headers)
        if scheme == "https":  # elsewhere browsers complain about it, and do not act on it
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if self.is_api(path):
            headers.setdefault("Cache-Control", "no-store")


def cookie(settings: WebSettings, scheme: str, session: str) -> str:
    """Return the header that has a browser keep a session, or forget it if it is empty.

    In a frame of another site a browser sends only cookies that allow it, and keeps these only behind TLS.
    """
    parts = [
        f"{COOKIE}={session}",
        f"Path={settings.base_path or '/'}",
        f"Max-Age={IDLE_S if session else 0:.0f}",
        "HttpOnly",
    ]
    if not settings.embed_in:
        parts.append("SameSite=Strict")
    elif scheme != "https":
        parts.append("SameSite=Lax")
    if scheme == "https":
        parts += ["Secure", *(("SameSite=None", "Partitioned") if settings.embed_in else ())]
    return "; ".join(parts)


def sessions_in(header: str) -> list[str]:
    """Return what a Cookie header has under our name.

    Whoever serves another port of this machine can add cookies to ours, so there may be several.
    """
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [value for name, _, value in pairs if name == COOKIE and value]
