"""VPTSP workbench: parameter-efficient deep metric learning with visual prompts and semantic proxies.

>>> import vptsp
>>> run = vptsp.train(vptsp.make_config({"epochs": 2}))  # doctest: +SKIP
>>> run.result().metrics  # doctest: +SKIP

Names are loaded when first used: ``import vptsp`` costs nothing, and never imports Jupyter, plotly or UMAP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vptsp import home

if TYPE_CHECKING:
    from vptsp.evaluation.evaluate import evaluate_run as evaluate_run
    from vptsp.runs.checkpoints import load_inference as load_inference
    from vptsp.runs.embeddings import SavedEmbeddings as SavedEmbeddings
    from vptsp.runs.result import RunResult as RunResult
    from vptsp.runs.run import Run as Run
    from vptsp.runs.run import list_runs as list_runs
    from vptsp.settings.config import Config as Config
    from vptsp.settings.config import make_config as make_config
    from vptsp.settings.methods import METHODS as METHODS
    from vptsp.training.loop import train as train

_HOMES = {
    "Config": "settings.config",
    "make_config": "settings.config",
    "METHODS": "settings.methods",
    "Run": "runs.run",
    "list_runs": "runs.run",
    "train": "training.loop",
    "load_inference": "runs.checkpoints",
    "evaluate_run": "evaluation.evaluate",
    "SavedEmbeddings": "runs.embeddings",
    "RunResult": "runs.result",
}
__all__ = list(_HOMES)

home.settle()  # before any library looks for a place for its caches


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vptsp' has no attribute {name!r}")
    return getattr(import_module(f"vptsp.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
