"""What all tests share."""

import asyncio

from hypothesis import settings

# The machines that run this are shared and slow now and then: a deadline would fail good code.
settings.register_profile("pvcharge", deadline=None)
settings.load_profile("pvcharge")

# Before Python 3.14 asking for the event loop of the main thread creates one, if none was ever set. Pytest's
# plugins ask, nobody closes that loop, and some later test is blamed for the leak.
asyncio.set_event_loop(None)
