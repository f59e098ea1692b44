"""What the table says of runs, and in which settings they differ."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any

from vptsp.errors import RunError
from vptsp.files import read_json
from vptsp.runs.run import Run
from vptsp.runs.run_table import differing
from vptsp.settings.methods import METHODS
from vptsp.settings.tasks import TASKS
from vptsp.text import plain
from vptsp_widgets.state_words import state_word


def row_of(run: Run, config: dict[str, Any]) -> dict[str, Any]:
    """What the table says of a run; None for what it does not have."""
    row: dict[str, Any] = {
        "name": _text(run.name),
        "path": _text(run.path),
        "state": state_word(run.state()) if config else "unreadable",
        "method": _title(config.get("method")),
        "dataset": _text(config.get("dataset", "–")),
        "recall": None,
        "map": None,
        "trained": None,
        "when": int(os.stat(run.path / "config.json").st_mtime),
        "metrics": ["", ""],
        "note": "",
    }
    with contextlib.suppress(RunError, KeyError, TypeError):
        result = run.result()
        task = TASKS[result.task]
        row |= {"recall": result.metrics[task.metric], "map": result.metrics[task.second]}
        row["trained"] = result.counts["trained"]
        if task is not TASKS["retrieval"]:  # stands in the same columns, and says what it is
            row["metrics"] = [task.title, task.second_title]
    if row["state"] == "failed":
        row["note"] = _text(run.progress().get("message", ""))
    return row


def settings_of(run: Run) -> dict[str, Any]:
    """``config.json`` as it stands; empty if it cannot be read. Not validated, which takes longer than reading."""
    with contextlib.suppress(RunError):
        values = read_json(run.path / "config.json", "train it again")
        if isinstance(values, dict):
            return values
    return {}


def told_apart(configs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """``{"names", "values", "same"}``: settings in which runs differ, with a list of texts per run; others."""
    texts = [{name: _text(json.dumps(value)).strip('"') for name, value in config.items()} for config in configs]
    names = differing(texts)
    every = {name: value for text in texts for name, value in text.items()}
    return {
        "names": names,
        "values": [[text.get(name) for name in names] for text in texts],
        "same": [[name, value] for name, value in every.items() if name not in names],
    }


def _title(method: Any) -> str:
    known = METHODS.get(method) if isinstance(method, str) else None
    return known.title if known else _text(method or "–")


def _text(value: object) -> str:
    """One line that can be sent: file names may hold bytes that are no text."""
    return plain(str(value).encode("utf-8", "replace").decode(), 200)
