"""Threads share the one heap there is."""

import subprocess
import sys

import pytest

COUNT_HEAPS = """
import ctypes, sys, threading
from pvcharge import heap
if len(sys.argv) > 1:
    heap.share()
c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
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


def heaps(*arguments: str) -> int:
    """Return how many heaps a process with six threads has."""
    command = [sys.executable, "-c", COUNT_HEAPS, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's heaps")
def test_threads_share_one_heap() -> None:
    """By itself the C library gives each its own."""
    assert heaps() > 1
    assert heaps("share") == 1
