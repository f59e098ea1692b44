"""VPTSP workbench: parameter-efficient deep metric learning with visual prompts and semantic proxies.

>>> import vptsp
>>> run = vptsp.train(vptsp.make_config({"epochs": 2}))  # doctest: +SKIP
>>> run.summary()["test"]  # doctest: +SKIP

Names are loaded when first used: ``import vptsp`` costs nothing, and never imports Jupyter, plotly or UMAP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vptsp import home

if TYPE_CHECKING:
    from vptsp.checkpoints import load_inference as load_inference
    from vptsp.config import Config as Config
    from vptsp.config import make_config as make_config
    from vptsp.evaluation import SavedEmbeddings as SavedEmbeddings
    from vptsp.evaluation import evaluate_run as evaluate_run
    from vptsp.methods import METHODS as METHODS
    from vptsp.runs import Run as Run
    from vptsp.runs import list_runs as list_runs
    from vptsp.training import train as train

_HOMES = {
    "Config": "config",
    "make_config": "config",
    "METHODS": "methods",
    "Run": "runs",
    "list_runs": "runs",
    "train": "training",
    "load_inference": "checkpoints",
    "evaluate_run": "evaluation",
    "SavedEmbeddings": "evaluation",
}
__all__ = list(_HOMES)

home.settle()  # before any library looks for a place for its caches


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vptsp' has no attribute {name!r}")
    return getattr(import_module(f"vptsp.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
