"""Evaluation: embed images, search them exactly, and score what is found.

>>> from vptsp.evaluation import evaluate_retrieval
>>> evaluate_retrieval(embeddings, labels).metrics  # doctest: +SKIP

Read it in this order:

- :mod:`~vptsp.evaluation.ranking`: exact nearest neighbours, ties among them, and the one results object that metrics
  and views take;
  :mod:`~vptsp.evaluation.torch_products`: its products on a CUDA device;
- :mod:`~vptsp.evaluation.metrics`: recall, MAP@R (ours and as published) and R-precision of such results;
- :mod:`~vptsp.evaluation.clustering`: NMI and pairwise F1; :mod:`~vptsp.evaluation.recognition`: accuracies of a
  closed set;
- :mod:`~vptsp.evaluation.evaluate`: the same for a model and images, and for whole runs;
  :mod:`~vptsp.evaluation.kept_features`: what a pass over images gave, while nothing before the head changes;
- :mod:`~vptsp.evaluation.gallery_index`: a gallery that is built once and asked often, exact or approximate, in memory;
  :mod:`~vptsp.evaluation.index`: one that is kept on disk, outgrows memory, and changes.

Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vptsp.evaluation.clustering import kmeans as kmeans
    from vptsp.evaluation.clustering import nmi as nmi
    from vptsp.evaluation.clustering import pairwise_f1 as pairwise_f1
    from vptsp.evaluation.evaluate import Prediction as Prediction
    from vptsp.evaluation.evaluate import Score as Score
    from vptsp.evaluation.evaluate import embed as embed
    from vptsp.evaluation.evaluate import embed_folder as embed_folder
    from vptsp.evaluation.evaluate import evaluate_run as evaluate_run
    from vptsp.evaluation.evaluate import predict as predict
    from vptsp.evaluation.evaluate import score as score
    from vptsp.evaluation.gallery_index import GalleryIndex as GalleryIndex
    from vptsp.evaluation.index.stored import StoredIndex as StoredIndex
    from vptsp.evaluation.metrics import RetrievalReport as RetrievalReport
    from vptsp.evaluation.metrics import average_precision_at_r as average_precision_at_r
    from vptsp.evaluation.metrics import evaluate_retrieval as evaluate_retrieval
    from vptsp.evaluation.metrics import hit_at_k as hit_at_k
    from vptsp.evaluation.metrics import map_at_r as map_at_r
    from vptsp.evaluation.metrics import map_at_r_published as map_at_r_published
    from vptsp.evaluation.metrics import r_precision as r_precision
    from vptsp.evaluation.metrics import recall_at_k as recall_at_k
    from vptsp.evaluation.ranking import RetrievalResults as RetrievalResults
    from vptsp.evaluation.ranking import search as search
    from vptsp.evaluation.recognition import recognition_metrics as recognition_metrics

_HOMES = {
    "kmeans": "clustering",
    "nmi": "clustering",
    "pairwise_f1": "clustering",
    "Prediction": "evaluate",
    "Score": "evaluate",
    "embed": "evaluate",
    "embed_folder": "evaluate",
    "evaluate_run": "evaluate",
    "predict": "evaluate",
    "score": "evaluate",
    "StoredIndex": "index.stored",
    "GalleryIndex": "gallery_index",
    "RetrievalReport": "metrics",
    "average_precision_at_r": "metrics",
    "evaluate_retrieval": "metrics",
    "hit_at_k": "metrics",
    "map_at_r": "metrics",
    "map_at_r_published": "metrics",
    "r_precision": "metrics",
    "recall_at_k": "metrics",
    "recognition_metrics": "recognition",
    "RetrievalResults": "ranking",
    "search": "ranking",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vptsp.evaluation' has no attribute {name!r}")
    return getattr(import_module(f"vptsp.evaluation.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
