"""``make bench``: every benchmark, one after the other. They print ratios; nothing here can fail a test."""

from __future__ import annotations

import runpy
import sys

from benchmarks.machine import machine_lines

print(*machine_lines(), sep="\n")
for name in ("steps", "epochs", "bank", "evaluation", "indexes", "data", "views"):
    print(f"\n=== {name} " + "=" * 60, flush=True)
    sys.argv = [name]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")
