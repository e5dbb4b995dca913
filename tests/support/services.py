"""Real programs that tests use: skipped where they are missing, but never on CI."""

import os
import shutil

import pytest

SBIN = "/usr/sbin:/usr/local/sbin"  # not on every user's path


def require(program: str, package: str) -> str:
    """Return the path of a program of a Debian package.

    Where it is missing the test is skipped, or fails if PVCHARGE_REQUIRE_SERVICES is set.
    """
    path = shutil.which(program) or shutil.which(program, path=SBIN)
    if path is None:
        complaint = f"{program} is missing: apt-get install {package}"
        if os.environ.get("PVCHARGE_REQUIRE_SERVICES"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    return path
