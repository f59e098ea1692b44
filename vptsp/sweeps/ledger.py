"""A line of JSON per finished run, in a file that merges by union.

Lines never change and carry an ``id`` of their own, so that ledgers of several machines are merged by keeping every
line once: :func:`merge_ledgers`, or git with ``ledger.jsonl merge=union``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import filelock

from vptsp.errors import RunError, explained
from vptsp.files import read_json, to_plain, write_text
from vptsp.sweeps.folder import Job

NAME = "ledger.jsonl"
_COUNTS = ("trained", "kept", "bank")


def write_ledger(job: Job) -> dict[str, Any]:
    """Append the line of a finished job to the ledger of its sweep, unless it is there, and return it."""
    path = job.path.parent / NAME
    line = _line(job)
    with filelock.FileLock(path.with_name(f".{NAME}.lock")), explained(path):
        if line["id"] not in {other["id"] for other in read_ledger(path)}:
            data = path.read_bytes() if path.exists() else b""
            torn = b"" if not data or data.endswith(b"\n") else b"\n"  # left by a machine that lost its power
            with open(path, "ab") as file:
                file.write(torn + json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
    return line


def read_ledger(path: str | Path) -> list[dict[str, Any]]:
    """The lines of a ledger, each once, by the time they finished; what is cut off or no line is left out."""
    found: dict[str, dict[str, Any]] = {}
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    for row in text.splitlines():
        try:
            line = json.loads(row)
            found.setdefault(line["id"], line)
        except (json.JSONDecodeError, TypeError, KeyError):
            continue
    return sorted(found.values(), key=lambda line: (line["finished"], line["id"]))


def merge_ledgers(paths: Iterable[str | Path], output: str | Path) -> int:
    """Write every line of ``paths`` once to ``output``, which may be one of them, and return how many there are."""
    lines = {line["id"]: line for path in paths for line in read_ledger(path)}
    ordered = sorted(lines.values(), key=lambda line: (line["finished"], line["id"]))
    write_text(Path(output), "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in ordered))
    return len(ordered)


def _line(job: Job) -> dict[str, Any]:
    status, result = job.status(), job.result()
    if status["state"] != "done":
        raise RunError(f"{job.path} is {status['state']}; only finished runs have a line in the ledger")
    speeds = [line["images_per_second"] for line in job.curve() if line.get("images_per_second")]
    try:
        environment = read_json(job.path / "environment.json", "")
    except RunError:
        environment = {}
    text = f"{job.key} {status['host']} {status['finished']}"
    return to_plain(
        {
            "id": hashlib.sha256(text.encode()).hexdigest()[:32],
            "key": job.key,
            "sweep": job.path.resolve().parent.name,
            "name": job.name,
            "labels": job.labels,
            "notebook": Path(job.record["source"]).name,
            "parameters": job.parameters,
            "finished": status["finished"],
            "seconds": status["finished"] - status["started"],
            "attempts": status["attempts"],
            "host": status["host"],
            "memory_peak": status["memory_peak"],
            "images_per_second": median(speeds) if speeds else None,
            "metrics": job.metrics(),
            **{name: result.counts.get(name) if result else None for name in _COUNTS},
            "code": job.record["code"],
            "code_version": environment.get("code"),
            "device": environment.get("device"),
            "devices": job.devices,
            "versions": environment.get("packages", {}),
        }
    )
