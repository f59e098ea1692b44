"""What a selection of images is worth in retrieval: its own queries under the run's protocol, and what if.

A query's ranking does not depend on which other queries are asked. So each is scored once, by
:mod:`vptsp.evaluation.metrics`, and a selection is a mean over its queries: the same as an evaluation in which only
these are queries, and the whole gallery stays. What would be without some images, or with classes merged, is searched
again.

Dimensions: N images, E embedding size, S scored queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from vptsp.analysis.resampling import Interval, Unit, difference_intervals, mean_intervals, unit_of
from vptsp.errors import DataError
from vptsp.evaluation.metrics import average_precision_at_r, hit_at_k, precision_at_r, scored_queries
from vptsp.evaluation.ranking import search

RESAMPLES = 2000


@dataclass(frozen=True)
class Images:
    """Embedded images and the protocol they are scored by: none of queries, or of gallery, stands for all images."""

    embeddings: Float32[np.ndarray, "N E"]
    labels: Int64[np.ndarray, " N"]
    is_query: Bool[np.ndarray, " N"] | None = None
    is_gallery: Bool[np.ndarray, " N"] | None = None


@dataclass(frozen=True)
class QueryMeasures:
    """The measures of each scored query: recall_at_<k> (0 or 1), map_at_r and r_precision, in this order."""

    rows: Int64[np.ndarray, " S"]  # of the images, ascending
    labels: Int64[np.ndarray, " S"]
    values: Float64[np.ndarray, "M S"]
    names: tuple[str, ...]  # of the measures
    is_query: Bool[np.ndarray, " N"]

    def means(self) -> dict[str, float]:
        """Metrics of all queries, as an evaluation gives them."""
        return dict(zip(self.names, self.values.mean(axis=1).tolist(), strict=True))


@dataclass(frozen=True)
class SelectionReport:
    """Metrics by name of the selected queries (``here``) and of all others (``rest``); none where there are no others.

    ``images`` were selected; of these ``scored`` are queries with something to find, ``lone`` are queries without, and
    ``not_queries`` are none. ``unit`` is what the intervals resample.
    """

    here: dict[str, Interval]
    rest: dict[str, float] | None
    difference: dict[str, Interval] | None
    images: int
    scored: int
    lone: int
    not_queries: int
    rest_scored: int
    unit: Unit


@dataclass(frozen=True)
class WhatIf:
    """Metrics by name of all queries as they are (``before``) and as they would be (``after``).

    ``change`` is that of the ``shared`` queries, those scored in both, so that it is none of who is asked.
    """

    before: dict[str, float]
    after: dict[str, float]
    change: dict[str, Interval]
    scored_before: int
    scored_after: int
    shared: int
    unit: Unit


def measure_queries(images: Images, recall_ks: Sequence[int] = (1,)) -> QueryMeasures:
    """Scores every query. Raises DataError as an evaluation does, where no query has anything to find."""
    ks = sorted(set(recall_ks))
    if not ks or ks[0] < 1:
        raise DataError(f"recall_ks is {tuple(recall_ks)}; give one or more ranks from 1 on")
    results = search(images.embeddings, images.labels, images.is_query, images.is_gallery, at_least=ks[-1])
    scored = scored_queries(results)
    values = [*(hit_at_k(results, k) for k in ks), average_precision_at_r(results), precision_at_r(results)]
    is_query = np.zeros(len(images.labels), dtype=bool)
    is_query[results.query_positions] = True
    return QueryMeasures(
        rows=results.query_positions[scored],
        labels=results.query_labels[scored],
        values=np.stack(values).astype(np.float64),
        names=(*(f"recall_at_{k}" for k in ks), "map_at_r", "r_precision"),
        is_query=is_query,
    )


def measure_selection(
    measures: QueryMeasures, rows: Int64[np.ndarray, " n"], resamples: int = RESAMPLES, seed: int = 0
) -> SelectionReport:
    """Metrics of exactly the queries among the images ``rows``. Raises DataError where none of these can be scored."""
    chosen = np.zeros(len(measures.is_query), dtype=bool)
    chosen[rows] = True
    here = chosen[measures.rows]
    images, queries, scored = int(chosen.sum()), int((chosen & measures.is_query).sum()), int(here.sum())
    if not scored:
        raise DataError(
            f"none of the {images:,} images selected is a query that has something to find ({images - queries:,} are "
            f"no queries, {queries:,} have no other image of their class in the gallery); select others"
        )
    values, labels = measures.values, measures.labels
    ours = mean_intervals(values[:, here], labels[here], resamples, seed)
    others = None if here.all() else values[:, ~here].mean(axis=1).tolist()
    apart = None if here.all() else difference_intervals(values, labels, here, resamples, seed)
    return SelectionReport(
        here=dict(zip(measures.names, ours, strict=True)),
        rest=None if others is None else dict(zip(measures.names, others, strict=True)),
        difference=None if apart is None else dict(zip(measures.names, apart, strict=True)),
        images=images,
        scored=scored,
        lone=queries - scored,
        not_queries=images - queries,
        rest_scored=len(here) - scored,
        unit=unit_of(labels[here]),
    )


def without(
    images: Images,
    measures: QueryMeasures,
    rows: Int64[np.ndarray, " n"],
    recall_ks: Sequence[int] = (1,),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> WhatIf:
    """What the metrics would be if the images ``rows`` were neither queries nor in the gallery.

    ``measures`` are those of all images, by the same ``recall_ks``. Raises DataError where nothing would be left.
    """
    kept = np.ones(len(images.labels), dtype=bool)
    kept[rows] = False

    def left(role: Bool[np.ndarray, " N"] | None) -> Bool[np.ndarray, " N"]:
        return kept if role is None else role & kept

    query, gallery = left(images.is_query), left(images.is_gallery)
    if not (query.any() and gallery.any()):
        raise DataError(
            f"without the {len(rows):,} images selected there is no {'query' if not query.any() else 'gallery'} left; "
            "select fewer"
        )
    changed = measure_queries(Images(images.embeddings, images.labels, query, gallery), recall_ks)
    return _what_if(measures, changed, resamples, seed)


def merged(
    images: Images,
    measures: QueryMeasures,
    classes: Sequence[int],
    recall_ks: Sequence[int] = (1,),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> WhatIf:
    """What the metrics would be if these classes (labels) were one. Raises DataError for fewer than two of them."""
    joined = sorted(set(classes))
    if len(joined) < 2:
        raise DataError(f"{len(joined)} class cannot be merged; select images of two or more")
    labels = np.where(np.isin(images.labels, joined), joined[0], images.labels)
    changed = measure_queries(Images(images.embeddings, labels, images.is_query, images.is_gallery), recall_ks)
    return _what_if(measures, changed, resamples, seed)


def _what_if(before: QueryMeasures, after: QueryMeasures, resamples: int, seed: int) -> WhatIf:
    if before.names != after.names:
        raise ValueError(f"measures are of {before.names} before and of {after.names} after; give the same recall_ks")
    shared, ours, theirs = np.intersect1d(before.rows, after.rows, assume_unique=True, return_indices=True)
    if not len(shared):
        raise DataError("no query would be scored both before and after; select fewer images")
    labels = before.labels[ours]
    change = mean_intervals(after.values[:, theirs] - before.values[:, ours], labels, resamples, seed)
    return WhatIf(
        before=before.means(),
        after=after.means(),
        change=dict(zip(before.names, change, strict=True)),
        scored_before=len(before.rows),
        scored_after=len(after.rows),
        shared=len(shared),
        unit=unit_of(labels),
    )
