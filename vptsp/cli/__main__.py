"""``python -m vptsp.cli``."""

from __future__ import annotations

from vptsp.cli import main

main(prog_name="vptsp")
