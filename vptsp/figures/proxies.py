"""Plotly figures of classes: how alike their proxies are, and how well their images are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int64
from scipy.cluster.hierarchy import leaves_list, linkage

from vptsp.analysis.confusions import overlapping_proxies
from vptsp.errors import DataError
from vptsp.evaluation.ranking import RetrievalResults, unit_rows
from vptsp.figures.signs_and_colours import BLUE, ORANGE
from vptsp.figures.template import corner_note, template
from vptsp.text import safe

MOST_CLASSES = 60  # of a heat map whose rows can still be told apart
# a name such as "12" or "2024-01-01" stays a name
_CATEGORIES: dict[str, Any] = {"type": "category", "showgrid": False, "tickfont": {"size": 10}, "dtick": 1}


def proxy_similarity(
    proxies: Float[np.ndarray, "C E"], class_names: Sequence[str], most: int = MOST_CLASSES
) -> go.Figure:
    """Cosines between proxies (C, E), usually the fused ones, with similar classes side by side.

    Classes are ordered by hierarchical clustering (average linkage on cosine distance, leaves in their best order);
    the diagonal, which is 1, is left blank. Of more than ``most`` classes those with the most similar proxies are
    shown, and the figure says so. Raises DataError for proxies that are not finite and lengths that differ.
    """
    rows = unit_rows(proxies)
    _require_names(len(rows), class_names, "proxies")
    shown = _most_overlapping(rows, most)
    cosines = rows[shown] @ rows[shown].T
    order = _clustered(cosines)
    kept = shown[order]
    cosines = cosines[np.ix_(order, order)]
    np.fill_diagonal(cosines, np.nan)
    names = _unlike([safe(class_names[row], 28) for row in kept])
    bar = {"title": {"text": "cosine of proxies", "side": "right"}, "outlinewidth": 0, "thickness": 14}
    figure = go.Figure(
        go.Heatmap(
            z=cosines,
            x=names,
            y=names,
            colorscale="Viridis",
            colorbar=bar,
            hoverongaps=False,
            hovertemplate="%{y}<br>%{x}<br>cosine %{z:.3f}<extra></extra>",
            name="cosine of proxies",
        )
    )
    if len(kept) < len(rows):
        corner_note(figure, f"{len(kept)} of {len(rows):,} classes shown: those with the most similar proxies")
    side = max(420, min(900, 170 + 13 * len(kept)))
    figure.update_xaxes(title_text="training class", tickangle=-90, **_CATEGORIES)
    figure.update_yaxes(title_text="training class", **_CATEGORIES)
    return figure.update_layout(template=template(), height=side, width=side + 90)


def recall_bars(results: RetrievalResults, class_names: Sequence[str], most: int = 40) -> go.Figure:
    """Recall at 1 of each class, worst first: the share of its queries whose nearest image is of the class.

    Classes whose queries have no right image in the gallery are left out. Of more than ``most`` classes the worst
    and the best halves of that number are shown, and the figure says so.
    """
    labels, recalls, queries = recall_by_class(results)
    if len(labels):
        _require_names(int(labels.max()) + 1, class_names, "classes")
    order = np.lexsort((labels, recalls))
    total, half = len(order), most // 2
    colours = [BLUE] * total
    if total > most:
        order = np.concatenate([order[:half], order[total - half :]])
        colours = [ORANGE] * half + [BLUE] * half
    figure = go.Figure(
        go.Bar(
            x=_unlike([safe(class_names[label], 28) for label in labels[order]]),
            y=100 * recalls[order],
            name="R@1",
            marker_color=colours,
            customdata=queries[order],
            hovertemplate="%{x}<br>R@1 %{y:.1f} %<br>%{customdata} queries<extra></extra>",
        )
    )
    if total > most:
        corner_note(
            figure,
            f"{len(order)} of {total:,} classes shown: the {half} worst (orange) and the {half} best (blue)",
        )
    figure.update_xaxes(title_text="class", tickangle=-90, **_CATEGORIES)
    figure.update_yaxes(title_text="R@1, percent of the class's queries", range=[0, 105])
    return figure.update_layout(template=template(), height=460, bargap=0.25)


def recall_by_class(
    results: RetrievalResults,
) -> tuple[Int64[np.ndarray, " c"], Float[np.ndarray, " c"], Int64[np.ndarray, " c"]]:
    """Labels, recall at 1 and number of queries of every class that has a query with a right image to find."""
    kept = results.relevant > 0
    labels, place = np.unique(results.query_labels[kept], return_inverse=True)
    queries = np.bincount(place, minlength=len(labels))
    hits = np.bincount(place, weights=results.matches[kept, 0], minlength=len(labels))
    return labels, hits / np.maximum(queries, 1), queries


def _most_overlapping(rows: Float[np.ndarray, "C E"], most: int) -> Int64[np.ndarray, " c"]:
    """All classes, or the ``most`` of them that the most similar pairs are made of."""
    if len(rows) <= most:
        return np.arange(len(rows))
    pairs = overlapping_proxies(rows, most=most * most // 2)  # fewer than `most` classes have not that many pairs
    met = dict.fromkeys(row for pair in pairs for row in (pair.first, pair.second))
    return np.array([*met][:most])


def _clustered(cosines: Float[np.ndarray, "c c"]) -> Int64[np.ndarray, " c"]:
    if len(cosines) < 3:
        return np.arange(len(cosines))
    above = np.triu_indices(len(cosines), 1)
    return leaves_list(linkage(1 - cosines[above].astype(np.float64), "average", optimal_ordering=True)).astype(
        np.int64
    )


def _unlike(names: Sequence[str]) -> list[str]:
    """Names that an axis keeps apart: it takes equal ones for one place."""
    seen: Counter[str] = Counter()
    made = []
    for name in names:
        seen[name] += 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return made


def _require_names(count: int, class_names: Sequence[str], what: str) -> None:
    if len(class_names) < count:
        raise DataError(f"{count} {what} but {len(class_names)} class names; give one name per class")
