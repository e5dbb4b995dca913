"""What is given back is there for all threads, and for the system."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's heaps")

PREPARE = """
import ctypes, sys, threading
from pvcharge import heap
if len(sys.argv) > 1:
    heap.keep_small()
c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
"""
COUNT_HEAPS = """
everybody = threading.Barrier(6)
def use():
    piece = c.malloc(1000)
    everybody.wait()  # so that no thread can take over the heap of one that has ended
    c.free(piece)
threads = [threading.Thread(target=use) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
c.fdopen.restype = ctypes.c_void_p
c.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
c.fflush.argtypes = [ctypes.c_void_p]
out = c.fdopen(1, b"w")
c.malloc_info(0, out)
c.fflush(out)
"""
# By how much the heap grows for a piece of 4 MB after one like it was given back.
PLACE_LARGE = """
c.sbrk.restype, c.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
first = c.malloc(4_000_000)
c.free(first)
before = c.sbrk(0)
second = c.malloc(4_000_000)
print(c.sbrk(0) - before)
"""


def told(script: str, *arguments: str) -> str:
    """Return what a process of its own prints."""
    command = [sys.executable, "-c", PREPARE + script, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own


def test_threads_share_one_heap() -> None:
    """By itself the C library gives each its own."""
    assert told(COUNT_HEAPS).count("<heap nr=") > 1
    assert told(COUNT_HEAPS, "keep small").count("<heap nr=") == 1


def test_large_pieces_stay_outside_of_the_heap() -> None:
    """By itself the C library puts the second one into it."""
    assert int(told(PLACE_LARGE)) > 3_000_000
    assert int(told(PLACE_LARGE, "keep small")) == 0
