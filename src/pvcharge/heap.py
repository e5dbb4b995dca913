"""A heap that gives back what is not needed any more."""

import ctypes
from contextlib import suppress

# Of mallopt(3).
_ARENA_MAX = -8
_MMAP_THRESHOLD = -3
LARGE = 128 * 1024  # bytes


def keep_small() -> None:
    """Have the C library keep one heap, and large pieces outside of it; does nothing where it is not glibc.

    The threads that wait for disks and names would each keep the most that they have ever needed, in pieces:
    a daemon grew for days by what looked like a leak. They compute one at a time anyway. And by itself the
    library answers the first large piece that is given back by putting the next one of its size into the
    heap, where whatever comes to lie behind it keeps the system from getting it back.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, 1)
        library.mallopt(_MMAP_THRESHOLD, LARGE)
