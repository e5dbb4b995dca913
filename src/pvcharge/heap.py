"""One heap for all threads, so that what one of them gives back is there for the others."""

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8  # of mallopt(3)


def share() -> None:
    """Have the C library keep one heap instead of one for each thread; does nothing where it is not glibc.

    The threads that wait for disks and names would each keep the most that they have ever needed, in pieces:
    a daemon grew for days by what looked like a leak. They compute one at a time anyway.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
