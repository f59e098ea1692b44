"""Device and precision: chosen in silence."""

from __future__ import annotations

import subprocess
import sys


def test_lightning_announces_nothing() -> None:
    """In a notebook what goes to stderr stands on red, and looks like an error."""
    code = "from vptsp.machine import make_fabric; make_fabric('cpu', 'bf16')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
