"""A table of the classes that are hardest to find."""

from __future__ import annotations

import numpy as np

from vptsp.evaluation.ranking import search
from vptsp.figures.html import html_table
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.text import plain


def hardest_classes(saved: SavedEmbeddings, most: int = 10) -> str:
    """A table of the classes whose images find their own class least often, and what they are taken for.

    R@1 of a class: the share of its queries whose nearest image is of the class.
    """
    results = search(saved.embeddings, saved.labels, saved.is_query, saved.is_gallery, k=1)
    asked = results.relevant > 0
    labels, nearest = results.query_labels[asked], results.neighbor_labels[asked, 0]
    rows = []
    for label in np.unique(labels):
        found = nearest[labels == label]
        others, counts = np.unique(found[found != label], return_counts=True)
        taken = ", ".join(
            f"{plain(saved.class_names[other], 40)} ({count})"
            for count, other in sorted(zip(counts.tolist(), others.tolist(), strict=True), reverse=True)[:3]
        )
        rows.append((float((found == label).mean()), plain(saved.class_names[label], 40), len(found), taken))
    rows.sort(key=lambda row: row[:2])
    cells = [
        [name, f"{number:,}", f"{100 * recall:.0f} %", taken or "–"] for recall, name, number, taken in rows[:most]
    ]
    return html_table(["class", "queries", "R@1", "taken for"], cells, f"The hardest of {len(rows):,} classes")
