"""What all tests share."""

import asyncio
import os

from hypothesis import settings

# The machines that run this are shared and slow now and then: a deadline would fail good code. CI tries the
# same examples each time, so that it is red for a change, not by chance; elsewhere the search goes on.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

# Before Python 3.14 asking for the event loop of the main thread creates one, if none was ever set. Pytest's
# plugins ask, nobody closes that loop, and some later test is blamed for the leak.
asyncio.set_event_loop(None)
