"""The command that searches for new inputs."""

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parents[2] / "fuzz" / "run.py"


def test_without_atheris_it_says_what_to_install() -> None:
    """It is no part of the usual tools, since it is not to be had for every Python."""
    without = f"import runpy, sys; sys.modules['atheris'] = None; sys.argv = [{str(RUN)!r}, 'all']"
    command = [sys.executable, "-c", f"{without}; runpy.run_path(sys.argv[0], run_name='__main__')"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    assert done.returncode == 1
    assert "pip install 'pvcharge[fuzz]'" in done.stderr
