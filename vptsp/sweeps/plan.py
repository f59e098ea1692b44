"""From a sweep to its runs: every one checked against the notebook before the first is started.

A run's key is a hash of what its parameters mean (settings resolved, defaults left out), of the notebook's code
cells and of those of the package's source files that it computes with: the files, not the commit, because a tree with
changes has no other name; and not those that only show or start runs, so that a better figure leaves results as they
are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError, UsageError
from vptsp.notebooks import find_notebook
from vptsp.notebooks.parameters import Signature, read_signature
from vptsp.sweeps.spec import Sweep

MANY = 100  # runs that nobody asks for by accident
MOST = 100_000  # runs that no folder holds
# what every run computes with, and what computes nothing even where a notebook imports it
_COMPUTES = ("files.py", "machine.py", "core", "settings", "data", "runs", "evaluation", "training", "notebooks")
_SHOWS = ("figures", "reports", "sweeps", "cli")
_SOURCES = (".py", ".toml", ".safetensors")
_NAME_LENGTH = 72


@dataclass
class Planned:
    """One run to be: ``parameters`` to pass, ``key`` its identity, ``meaning_key`` the same whatever the code;
    ``devices`` and ``nodes`` are its processes on a machine and its machines, ``on_gpu`` whether it may use GPUs,
    ``names_gpu`` whether it says which."""

    parameters: dict[str, Any]
    key: str
    meaning_key: str
    labels: list[str] = field(default_factory=list)
    name: str = ""
    devices: int = 1
    nodes: int = 1
    on_gpu: bool = True
    names_gpu: bool = False


@dataclass(frozen=True)
class Plan:
    """A sweep's runs without duplicates. ``notes`` are sentences about what was merged."""

    sweep: Sweep
    signature: Signature
    code: str
    jobs: list[Planned]
    notes: list[str]


def make_plan(sweep: Sweep, yes: bool = False) -> Plan:
    """Check every run of a sweep and give it its name and key.

    Raises :class:`~vptsp.errors.UsageError` for a notebook that does not exist or takes no parameters, for
    unknown names, wrong types and values, and for more than :data:`MANY` runs without ``yes``.
    """
    count = sweep.count()
    if count > MOST:
        raise ConfigError(f"the sweep asks for {count:,} runs; a sweep has at most {MOST:,}. Try random search")
    if count > MANY and not yes:
        raise ConfigError(f"the sweep asks for {count:,} runs; if you mean it, pass --yes (yes=True from Python)")
    signature = read_signature(find_notebook(sweep.notebook))
    if not signature.has_cell:
        raise UsageError(
            f"{signature.source} has no cell tagged 'parameters', so all its runs would be the same; "
            "tag the cell that holds its parameters"
        )
    code = code_key(signature.rooms)
    jobs: dict[str, Planned] = {}
    merged = 0
    for number, (label, values) in enumerate(sweep.runs(), 1):
        try:
            if "run_dir" in values:
                raise ConfigError(f"run_dir={values['run_dir']!r}: a sweep gives each run a directory; drop it")
            checked = signature.check(values)
        except UsageError as error:
            where = f"\n(run {number} of {count}{f', {label}' if label else ''})" if count > 1 else ""
            raise type(error)(f"{error}{where}") from None
        meaning = _hash({"notebook": signature.source.stem, "meaning": checked.meaning})
        key = _hash({"meaning": meaning, "notebook": signature.content, "code": code})
        merged += key in jobs
        job = jobs.setdefault(key, Planned(checked.passed, key, meaning, **_asked(checked.meaning)))
        if label and label not in job.labels:
            job.labels.append(label)
    planned = list(jobs.values())
    for job, name in zip(planned, _names(planned), strict=True):
        job.name = name
    notes = [f"{merged} of {count} runs have the same parameters as others and are run once"] if merged else []
    return Plan(sweep, signature, code, planned, notes)


def _asked(meaning: Mapping[str, Any]) -> dict[str, Any]:
    """What a run computes on, as settings say it; a notebook may call other things by these names."""
    device = meaning.get("device", "auto")
    asked: dict[str, Any] = {"on_gpu": device not in ("cpu", "mps"), "names_gpu": ":" in str(device)}
    for name, setting in (("devices", "devices"), ("nodes", "num_nodes")):
        if isinstance(value := meaning.get(setting), int) and value >= 1:
            asked[name] = value
    return asked


def code_key(named: Collection[str] = (), package: Path = Path(__file__).parents[1]) -> str:
    """Hash of the files of this package that decide what a run computes.

    Those are the rooms that train and score, and those that the notebook itself names (``named``: ``analysis``,
    ``pretraining``), except those that show.
    """
    rooms = {*_COMPUTES, *named} - {*_SHOWS}
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        part = path.relative_to(package)
        if path.suffix in _SOURCES and part.parts[0] in rooms:
            digest.update(f"{part.as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def differing(jobs: list[Mapping[str, Any]]) -> list[str]:
    """Parameters that are not the same in all of ``jobs``, in the order in which they are first named."""
    names = dict.fromkeys(name for parameters in jobs for name in parameters)
    return [name for name in names if len({json.dumps(p.get(name, "\0absent")) for p in jobs}) > 1]


def describe(parameters: Mapping[str, Any], names: list[str]) -> str:
    """``lr=0.005 seed=1``: the parameters among ``names`` that are given."""
    return " ".join(f"{name}={_short(parameters[name])}" for name in names if name in parameters)


def _names(jobs: list[Planned]) -> list[str]:
    names = differing([job.parameters for job in jobs])
    named = []
    for job in jobs:
        seed = [name for name in names if name == "seed"]
        text = f"{job.labels[0]} {describe(job.parameters, seed)}" if job.labels else describe(job.parameters, names)
        slug = re.sub(r"[^A-Za-z0-9.=+_-]+", "_", text).strip("_.")[:_NAME_LENGTH]
        named.append(f"{slug}-{job.key[:8]}" if slug else job.key[:8])
    return named


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()
