"""Who may do what on the page: passwords, sessions, tokens, and what a request must look like."""

from pvcharge.web.access.access import Access
from pvcharge.web.access.bodies import MOST_BODY_BYTES, read_body
from pvcharge.web.access.levels import Level, needs
from pvcharge.web.access.refusals import Refused, refusal
from pvcharge.web.access.routes import ROUTES, RouteDoc
from pvcharge.web.access.tokens import LOCAL_TOKEN_FILE

__all__ = (
    "LOCAL_TOKEN_FILE",
    "MOST_BODY_BYTES",
    "ROUTES",
    "Access",
    "Level",
    "Refused",
    "RouteDoc",
    "needs",
    "read_body",
    "refusal",
)
