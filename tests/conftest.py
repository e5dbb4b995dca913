"""What all tests share."""

import asyncio

from hypothesis import settings

# The machines that run this are shared and slow now and then: a deadline would fail good code.
settings.register_profile("pvcharge", deadline=None)
settings.load_profile("pvcharge")

# Else looptime's plugin has a loop made in the first test that needs none, which nobody closes.
asyncio.set_event_loop(None)
