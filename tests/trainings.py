"""Runs of tests, compared bit for bit, and their settings as the command line takes them."""

from __future__ import annotations

import json
from typing import Any

import torch
from safetensors.torch import load_file

from vptsp.runs.progress import Event
from vptsp.runs.run import Run
from vptsp.settings.config import Config

PER_EPOCH = 5  # batches of 8 of the 8 classes x 5 images left for training


def silent(event: Event) -> None:
    """An observer that prints nothing."""


def contents(run: Run) -> dict[str, Any]:
    """Everything in a run that must not depend on where it was interrupted, timings left out."""
    state = json.loads((run.path / "checkpoint/last/state.json").read_text())
    lines = run.metrics()
    for line in [*lines, *state["lines"]]:
        del line["images_per_second"]
    tensors = {
        f"{path.relative_to(run.path)}:{name}": value
        for path in sorted(run.path.rglob("*.safetensors"))
        for name, value in load_file(path).items()
    }
    return {"state": state, "lines": lines, "summary": run.summary(), "tensors": tensors}


def assert_identical(left: Run, right: Run, but: tuple[str, ...] = ()) -> None:
    """Bit for bit: parameters, container, optimisers, random states, snapshots, embeddings, metrics.

    Tensors whose name ends in one of ``but`` are left out.
    """
    ours, theirs = contents(left), contents(right)
    assert ours["tensors"].keys() == theirs["tensors"].keys()
    unequal = [name for name, value in ours["tensors"].items() if not torch.equal(value, theirs["tensors"][name])]
    assert [name for name in unequal if not (but and name.endswith(but))] == []
    assert ours["lines"] == theirs["lines"]
    assert ours["state"] == theirs["state"]
    assert ours["summary"] == theirs["summary"]


def words(config: Config) -> list[str]:
    """The settings as the command line takes them."""
    values = config.model_dump(mode="json", exclude_unset=True)
    return [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()]
