"""The gallery without scripts: a query and its nearest images, or a few queries where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vptsp.evaluation.search import RetrievalResults, search
from vptsp.figures.gallery import choose_queries, retrieval_strips
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import safe

if TYPE_CHECKING:
    from vptsp_widgets.gallery.view import RetrievalGallery

_STILL_K, _STILL_SEARCHED = 10, 300


def html_of(view: RetrievalGallery) -> str:
    """The current query and its nearest images; without a query, a few with right and wrong neighbours."""
    notes = "".join(f'<p style="font-size:13px;margin:4px 0">{safe(note, 300)}</p>' for note in view._notes)
    return _of_query(view) + notes


def _of_query(view: RetrievalGallery) -> str:
    query, saved, k = view._current(), view.saved, min(view.k, _STILL_K)
    pictures = view._thumbnails or _NoThumbnails()
    if not query:
        chosen = np.zeros(len(saved), dtype=bool)
        chosen[np.random.default_rng(0).permutation(np.flatnonzero(view._is_query))[:_STILL_SEARCHED]] = True
        results = search(view._unit, saved.labels, chosen, view._is_gallery, k=k)
        return retrieval_strips(results, choose_queries(results, 4), saved, pictures)
    if "row" not in query:
        return _of_vector(view, query)
    answer = view._answer(query, k)
    results = RetrievalResults(
        query_positions=np.array([query["row"]]),
        query_labels=saved.labels[[query["row"]]],
        neighbor_positions=np.array([answer["rows"]], dtype=np.int64),
        neighbor_labels=saved.labels[[answer["rows"]]],
        similarities=np.array([answer["similarities"]], dtype=np.float32),
        relevant=np.array([answer["relevant"]]),
    )
    return retrieval_strips(results, [0], saved, pictures)


def _of_vector(view: RetrievalGallery, query: dict[str, Any]) -> str:
    answer, saved = view._answer(query, min(view.k, _STILL_K)), view.saved
    pictures = view._thumbnails or _NoThumbnails()
    cells = ""
    for rank, (row, value) in enumerate(zip(answer["rows"], answer["similarities"], strict=True), start=1):
        name = safe(saved.class_names[saved.labels[row]])
        mark = "" if answer["label"] < 0 else "✓ " if saved.labels[row] == answer["label"] else "✗ "
        (source,) = pictures.data_uris([saved.ids[row]])
        cells += (
            '<td style="vertical-align:top;width:84px;padding:0;text-align:left;font-size:12px">'
            f'<img src="{source}" alt="rank {rank}: class {name}, similarity {value:.3f}" width="78" height="78" '
            f'style="display:block;border-radius:6px"><div>{mark}{rank} · {value:.3f}</div><div>{name}</div></td>'
        )
    return (
        '<figure style="margin:0"><div style="overflow-x:auto"><table style="border-collapse:separate;'
        f'border-spacing:6px"><tbody><tr>{cells}</tr></tbody></table></div><figcaption style="font-size:13px;'
        f'opacity:.75">Nearest to {safe(view._name(query), 200)}, by cosine similarity.</figcaption></figure>'
    )


class _NoThumbnails(Thumbnails):
    """Grey tiles for every image."""

    def __init__(self) -> None:
        self.tile, self.place = 64, {}
