"""What the images selected on the map are worth in retrieval, as the panel beside it says it, and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64

from vptsp.analysis.resampling import Interval
from vptsp.analysis.selection_metrics import (
    Images,
    QueryMeasures,
    SelectionReport,
    WhatIf,
    measure_queries,
    measure_selection,
    merged,
    without,
)
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings

QUESTIONS = ("these", "without", "merged")  # what can be asked of a selection
MOST_ON_PAGES = 20_000  # images whose measures a page without a kernel holds


class Measuring:
    """Answers about selections of one set of images; each query is scored when the first is asked."""

    def __init__(self, saved: SavedEmbeddings, recall_ks: Sequence[int]) -> None:
        self._saved, self._ks = saved, tuple(recall_ks)

    @cached_property
    def _images(self) -> Images:
        saved = self._saved
        if not saved.has_classes:
            raise DataError("nobody said which class the images are of, so nothing they find is right or wrong")
        return Images(saved.embeddings, saved.labels, saved.is_query, saved.is_gallery)

    @cached_property
    def measures(self) -> QueryMeasures:
        return measure_queries(self._images, self._ks)

    def these(self, rows: Sequence[int]) -> SelectionReport:
        """Metrics of exactly the queries among the images ``rows``, beside all others."""
        return measure_selection(self.measures, _array(rows))

    def without(self, rows: Sequence[int]) -> WhatIf:
        """Metrics if these images were not there."""
        return without(self._images, self.measures, _array(rows), self._ks)

    def merged(self, classes: Sequence[int]) -> WhatIf:
        """Metrics if these classes (labels) were one."""
        return merged(self._images, self.measures, classes, self._ks)

    def answer(self, question: str, rows: Sequence[int]) -> dict[str, Any]:
        """A question about a selection, answered as the panel takes it. Raises DataError where there is no answer."""
        if question == "these":
            return _these(self.these(rows))
        if question == "without":
            return _what_if(self.without(rows))
        return _what_if(self.merged(np.unique(self._saved.labels[_array(rows)]).tolist()))

    def for_page(self) -> dict[str, Any]:
        """What a page without a kernel needs to answer for selections: each measure of each image, NaN for none."""
        if len(self._saved) > MOST_ON_PAGES:
            return {}
        try:
            measures = self.measures
        except DataError:
            return {}
        values = np.full((len(measures.names), len(self._saved)), np.nan, dtype="<f4")
        values[:, measures.rows] = measures.values
        return {
            "_query_values": values.tobytes(),
            "_query_names": list(measures.names),
            "_is_query": measures.is_query.astype("u1").tobytes(),
        }


def table_of(report: SelectionReport | WhatIf) -> pd.DataFrame:
    """A report as a table: a line for each metric."""
    if isinstance(report, WhatIf):
        columns: dict[str, Any] = {"before": report.before, "after": report.after, **_three("change", report.change)}
    else:
        columns = _three("here", report.here)
        if report.rest is not None and report.difference is not None:
            columns |= {"rest": report.rest, **_three("difference", report.difference)}
    return pd.DataFrame(columns)


def _three(name: str, intervals: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    parts = {name: "value", f"{name}_low": "low", f"{name}_high": "high"}
    return {column: {metric: getattr(one, part) for metric, one in intervals.items()} for column, part in parts.items()}


def _these(report: SelectionReport) -> dict[str, Any]:
    rest, apart = report.rest or {}, report.difference or {}
    return {
        "metrics": [
            {
                "name": name,
                "here": _numbers(one),
                "rest": rest.get(name),
                "difference": _numbers(apart[name]) if apart else None,
            }
            for name, one in report.here.items()
        ],
        "images": report.images,
        "scored": report.scored,
        "lone": report.lone,
        "not_queries": report.not_queries,
        "rest_scored": report.rest_scored,
        "unit": report.unit,
    }


def _what_if(report: WhatIf) -> dict[str, Any]:
    return {
        "metrics": [
            {"name": name, "before": before, "after": report.after[name], "change": _numbers(report.change[name])}
            for name, before in report.before.items()
        ],
        "scored_before": report.scored_before,
        "scored_after": report.scored_after,
        "shared": report.shared,
        "unit": report.unit,
    }


def _numbers(one: Interval) -> list[float]:
    return [one.value, one.low, one.high]


def _array(rows: Sequence[int]) -> Int64[np.ndarray, " n"]:
    return np.asarray(rows, dtype=np.int64)
