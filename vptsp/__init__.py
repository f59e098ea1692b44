"""VPTSP workbench: deep metric learning with a frozen vision transformer, visual prompts and semantic proxies.

Four verbs take you from settings to a page that shows what came out:

>>> import vptsp
>>> run = vptsp.train(preset="demo")  # doctest: +SKIP
>>> vptsp.evaluate(run).metrics["recall_at_1"]  # doctest: +SKIP
>>> vptsp.search(run, vptsp.SavedEmbeddings.of_run(run).ids[0], k=5)  # doctest: +SKIP
>>> vptsp.report(run)  # doctest: +SKIP

Settings are checked by ``make_config``, which makes a ``Config``; ``METHODS`` are the tuning methods. A ``Run`` is a
folder: ``list_runs()`` finds those that there are, ``load_inference(run)`` gives the trained model. ``vptsp.core`` is
the method as plain torch modules, for a training loop of your own. The views are in ``vptsp_widgets``.

Names are loaded when first used: ``import vptsp`` costs nothing, and never imports Jupyter, plotly or UMAP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vptsp import home, moved

if TYPE_CHECKING:
    from vptsp import core as core
    from vptsp.evaluation.evaluate import evaluate_run as evaluate_run
    from vptsp.runs.checkpoints import load_inference as load_inference
    from vptsp.runs.embeddings import SavedEmbeddings as SavedEmbeddings
    from vptsp.runs.result import RunResult as RunResult
    from vptsp.runs.run import Run as Run
    from vptsp.runs.run import list_runs as list_runs
    from vptsp.settings.config import Config as Config
    from vptsp.settings.config import make_config as make_config
    from vptsp.settings.methods import METHODS as METHODS
    from vptsp.verbs import evaluate as evaluate
    from vptsp.verbs import report as report
    from vptsp.verbs import search as search
    from vptsp.verbs import train as train

    __version__: str

_HOMES = {
    "train": "verbs",
    "evaluate": "verbs",
    "search": "verbs",
    "report": "verbs",
    "Config": "settings.config",
    "make_config": "settings.config",
    "METHODS": "settings.methods",
    "Run": "runs.run",
    "list_runs": "runs.run",
    "load_inference": "runs.checkpoints",
    "SavedEmbeddings": "runs.embeddings",
    "evaluate_run": "evaluation.evaluate",
    "RunResult": "runs.result",
}
__all__ = ["__version__", "core", *_HOMES]

home.settle()  # before any library looks for a place for its caches
moved.install(moved.MOVED)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"vptsp.{_HOMES[name]}"), name)
    if name == "core":
        return import_module("vptsp.core")
    if name == "__version__":
        from importlib import metadata

        try:
            return metadata.version("vptsp-workbench")
        except metadata.PackageNotFoundError:  # the files alone, on Python's path
            return "not installed"
    raise AttributeError(f"module 'vptsp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
