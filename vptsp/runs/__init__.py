"""What a run leaves on disk, written and read in one place.

>>> from vptsp.runs import Run
>>> run = Run.open("runs/demo")  # doctest: +SKIP
>>> run.result().metrics["recall_at_1"], run.result().epoch  # doctest: +SKIP

A run is a directory (:mod:`.run` draws it) and its files are the contract: whoever shows a run, from another kernel or
next year, reads them through this room and nothing else. :mod:`.result` is what came out, :mod:`.snapshots` how it went
epoch by epoch and :mod:`.epochs_of_model` which of these count, :mod:`.embeddings` and :mod:`.thumbnails` the images,
:mod:`.checkpoints` the model, :mod:`.origins` which epoch's model the stored embeddings are from, :mod:`.proxies` the
proxies of that epoch, and :mod:`.data_record` which images the run was made with; :mod:`.run_table` lists many.
:mod:`.marks` keeps what people say of images, :mod:`.relabelled` makes a table of data of it, and :mod:`.kept_views`
keeps views of the map. :mod:`.recipes` are the cards of presets, with :mod:`.recorded_results` of runs that were made
of them. :mod:`vptsp.project` says where ``runs/`` is.

Names are loaded when first used: what lists runs imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vptsp.runs.checkpoints import load_beside as load_beside
    from vptsp.runs.checkpoints import load_inference as load_inference
    from vptsp.runs.embeddings import Origin as Origin
    from vptsp.runs.embeddings import SavedEmbeddings as SavedEmbeddings
    from vptsp.runs.embeddings import save_embeddings as save_embeddings
    from vptsp.runs.origins import origin_of as origin_of
    from vptsp.runs.proxies import proxies_beside as proxies_beside
    from vptsp.runs.result import RunResult as RunResult
    from vptsp.runs.run import RUNS as RUNS
    from vptsp.runs.run import Run as Run
    from vptsp.runs.run import list_runs as list_runs
    from vptsp.runs.run import newest_finished as newest_finished
    from vptsp.runs.run_table import overview as overview
    from vptsp.runs.snapshots import Snapshot as Snapshot
    from vptsp.runs.snapshots import Snapshots as Snapshots
    from vptsp.runs.thumbnails import Thumbnails as Thumbnails

_HOMES = {
    "Run": "run",
    "RUNS": "run",
    "list_runs": "run",
    "newest_finished": "run",
    "overview": "run_table",
    "RunResult": "result",
    "Snapshot": "snapshots",
    "Snapshots": "snapshots",
    "SavedEmbeddings": "embeddings",
    "save_embeddings": "embeddings",
    "Origin": "embeddings",
    "origin_of": "origins",
    "proxies_beside": "proxies",
    "Thumbnails": "thumbnails",
    "load_inference": "checkpoints",
    "load_beside": "checkpoints",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vptsp.runs' has no attribute {name!r}")
    return getattr(import_module(f"vptsp.runs.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
