"""Shared by the tests: one tiny finished run with its baselines, trained once per session."""

from __future__ import annotations

import pytest

from vptsp.baselines import train_baselines
from vptsp.config import make_config
from vptsp.progress import Event
from vptsp.runs import Run
from vptsp.training import train

TINY = {  # seconds to train: an untrained backbone, small pictures, few of them
    "dataset": "blossoms",
    "blossoms_classes": 12,
    "blossoms_images": 6,
    "backbone": "vit_tiny_patch16_224",
    "backbone_weights": "random",
    "image_size": 32,
    "embedding_size": 16,
    "num_prompts": 2,
    "num_class_prompts": 2,
    "epochs": 2,
    "batch_size": 8,
    "val_fraction": 0.34,
    "probe_images": 8,
    "device": "cpu",
    "precision": "fp32",
}


def silent(event: Event) -> None:
    """An observer for runs that nobody watches."""


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished VPTSP-G run with both baselines. Read it; copy its directory before changing anything in it."""
    run = train(make_config(TINY), tmp_path_factory.mktemp("runs") / "tiny", observer=silent)
    train_baselines(run, observer=lambda method: silent)
    return run
