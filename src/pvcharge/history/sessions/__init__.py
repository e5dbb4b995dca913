"""Sessions: one car from plug-in to unplug."""

from pvcharge.history.sessions.tracker import Prices, SessionTracker

__all__ = ["Prices", "SessionTracker"]
