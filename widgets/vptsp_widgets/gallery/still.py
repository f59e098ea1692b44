"""The gallery without scripts: a query and its nearest images, or a few queries where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vptsp.evaluation.ranking import RetrievalResults
from vptsp.figures.gallery import choose_queries, retrieval_strips
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import safe
from vptsp_widgets.gallery.searched import Query, Searched

Answer = dict[str, Any]  # as Searched.nearest gives it
_STILL_K = 10
_MOST, _FEWEST, _COMPARED = 300, 12, 10_000_000  # queries to choose from, and what they are compared with in all


def html_of(searched: Searched, query: Query, k: int, thumbnails: Thumbnails | None, notes: Sequence[str]) -> str:
    """The ``k`` images nearest to a query, ten at most; without a query, a few with right and wrong neighbours."""
    k, pictures = min(k, _STILL_K), thumbnails or _NoThumbnails()
    if not query:
        picture, answers = _of_a_few(searched, k, pictures)
    else:
        answers = [searched.nearest(query, k)]
        picture = (_of_image if "row" in query else _of_vector)(searched, query, answers[0], k, pictures)
    recalls = dict.fromkeys(answer["recall"] for answer in answers if answer["recall"])
    said = dict.fromkeys(answer["note"] for answer in answers if answer["note"])
    notes = [*said, *(f"an approximate search, which {recall}" for recall in recalls), *notes]
    return picture + "".join(f'<p style="font-size:13px;margin:4px 0">{safe(note, 300)}</p>' for note in notes)


def _of_a_few(searched: Searched, k: int, pictures: Thumbnails) -> tuple[str, list[Answer]]:
    """Found as the gallery itself finds, of as many queries as the budget of comparisons allows."""
    queries = np.random.default_rng(0).permutation(np.flatnonzero(searched.is_query))
    rows = np.sort(queries[: max(_FEWEST, min(_MOST, _COMPARED // len(searched.saved)))])
    answers = [searched.nearest({"row": int(row)}, k) for row in rows]
    results = _results(searched, rows, answers, k)
    return retrieval_strips(results, choose_queries(results, 4), searched.saved, pictures), answers


def _results(searched: Searched, rows: np.ndarray, answers: Sequence[Answer], k: int) -> RetrievalResults:
    labels = searched.saved.labels
    positions = np.full((len(rows), k), -1)
    similarities = np.full((len(rows), k), -np.inf, dtype=np.float32)
    for place, answer in enumerate(answers):
        positions[place, : len(answer["rows"])] = answer["rows"]
        similarities[place, : len(answer["rows"])] = answer["similarities"]
    return RetrievalResults(
        query_positions=rows,
        query_labels=labels[rows],
        neighbor_positions=positions,
        neighbor_labels=np.where(positions < 0, -1, labels[positions]),
        similarities=similarities,
        relevant=np.array([answer["relevant"] for answer in answers]),
    )


def _of_image(searched: Searched, query: Query, answer: Answer, k: int, pictures: Thumbnails) -> str:
    results = _results(searched, np.array([query["row"]]), [answer], k)
    return retrieval_strips(results, [0], searched.saved, pictures)


def _of_vector(searched: Searched, query: Query, answer: Answer, k: int, pictures: Thumbnails) -> str:
    saved, cells = searched.saved, ""
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
        f'opacity:.75">Nearest to {safe(searched.name(query), 200)}, by cosine similarity.</figcaption></figure>'
    )


class _NoThumbnails(Thumbnails):
    """Grey tiles for every image."""

    def __init__(self) -> None:
        self.tile, self.place = 64, {}
