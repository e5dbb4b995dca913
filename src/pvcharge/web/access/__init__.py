"""Who may do what on the page: passwords, sessions, tokens, and what a request must look like."""

from pvcharge.web.access.access import Access
from pvcharge.web.access.levels import Level, needs
from pvcharge.web.access.routes import ROUTES, RouteDoc
from pvcharge.web.access.tokens import LOCAL_TOKEN_FILE

__all__ = (
    "LOCAL_TOKEN_FILE",
    "ROUTES",
    "Access",
    "Level",
    "RouteDoc",
    "needs",
)
