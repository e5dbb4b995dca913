"""What all tests share."""

from hypothesis import settings

# The machines that run this are shared and slow now and then: a deadline would fail good code.
settings.register_profile("pvcharge", deadline=None)
settings.load_profile("pvcharge")
