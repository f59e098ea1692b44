"""Which queries are worth a look: mistakes, hardest negatives, near duplicates; and tables for pages without a kernel.

All of it compares many images with the whole gallery, so it is done when first asked for, and for large sets on a
seeded sample of the queries. Dimensions: N images, Q queries, k neighbours.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from vptsp.errors import ConfigError
from vptsp.evaluation.ranking import RetrievalResults, search

MOST_QUERIES = 5000
_DEEP = 50  # neighbours among which the nearest wrong image is looked for, before the whole gallery is
_BLOCK = 256  # queries compared with the whole gallery at once
_LONGEST = 2000  # entries of a list
_RANKS_KEPT = 32  # ranks of true images per query in a table


def true_ranks(
    similarities: Float32[np.ndarray, " N"],
    is_true: Bool[np.ndarray, " N"],
    is_gallery: Bool[np.ndarray, " N"],
    own: int | None,
    certain: Int64[np.ndarray, " k"],
) -> Int64[np.ndarray, " R"]:
    """Ranks, ascending from 1, of the gallery images of the query's class, by similarity and then by row.

    The first ranks are those of ``certain``, the k nearest rows as an exact search found them: plain fp32 similarities
    tie a little differently.
    """
    counted = is_gallery.copy()
    if own is not None:
        counted[own] = False
    place = np.flatnonzero(is_true[certain]) + 1
    counted[certain] = False
    values = np.sort(similarities[counted])  # of a large gallery, many times faster than the order of its images
    true = np.flatnonzero(counted & is_true)
    first = np.searchsorted(values, similarities[true], "left")
    behind = np.searchsorted(values, similarities[true], "right")  # those up to here are not more similar
    ranks = len(values) - behind + 1
    for tied in np.flatnonzero(behind - first > 1):  # equal ones go by row
        row = true[tied]
        ranks[tied] += np.count_nonzero(counted[:row] & (similarities[:row] == similarities[row]))
    return np.concatenate([place, np.sort(ranks) + len(certain)])


class QueryLists:
    """Lists of queries of one set of embedded images, searched for when first needed.

    Takes unit embeddings (N, E), labels (N,) and who is query and gallery (N,). More than 5,000 queries are sampled
    by ``seed``; :attr:`note` says so.
    """

    def __init__(
        self, unit: np.ndarray, labels: np.ndarray, is_query: np.ndarray, is_gallery: np.ndarray, seed: int = 0
    ) -> None:
        self.unit, self.labels, self.is_query, self.is_gallery = unit, labels, is_query, is_gallery
        rows = np.flatnonzero(is_query)
        self.note = ""
        if len(rows) > MOST_QUERIES:
            self.note = f"from a seeded sample of {MOST_QUERIES:,} of {len(rows):,} queries"
            rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_QUERIES, replace=False))
        self.rows = rows

    def named(self, which: str) -> dict[str, Any]:
        """``mistakes``, ``hardest`` or ``duplicates`` as JSON values: rows, others, values (similarities), note."""
        lists = {"mistakes": self.mistakes, "hardest": self.hardest, "duplicates": self.duplicates}
        if which not in lists:
            raise ConfigError(f"there is no list {which!r}; legal: {', '.join(lists)}")
        rows, others, values = lists[which]
        return {
            "rows": rows.tolist(),
            "others": others.tolist(),
            "values": [float(value) for value in values],  # rounded once, where they are shown
            "note": self.note,
        }

    def _search(self, rows: np.ndarray, k: int) -> RetrievalResults:
        return search(self.unit, self.labels, np.isin(np.arange(len(self.unit)), rows), self.is_gallery, k=k)

    @cached_property
    def _results(self) -> RetrievalResults:
        return self._search(self.rows, min(_DEEP, int(self.is_gallery.sum())))

    @cached_property
    def mistakes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Queries with a wrong first neighbour (and something right to find), that neighbour and its similarity."""
        found = self._results
        wrong = np.flatnonzero((found.relevant > 0) & ~found.matches[:, 0])
        return found.query_positions[wrong], found.neighbor_positions[wrong, 0], found.similarities[wrong, 0]

    @cached_property
    def hardest(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Queries by the similarity of their nearest wrong image, most similar first, and that image."""
        found = self._results
        wrong = (found.neighbor_positions >= 0) & ~found.matches
        first = wrong.argmax(axis=1)
        queries = np.arange(len(first))
        others, values = found.neighbor_positions[queries, first], found.similarities[queries, first]
        deep = ~wrong.any(axis=1)  # all those found are right: the whole gallery is needed
        others[deep], values[deep] = self._nearest_wrong(found.query_positions[deep])
        order = np.argsort(-values, kind="stable")
        order = order[np.isfinite(values[order])][:_LONGEST]
        return found.query_positions[order], others[order], values[order]

    def _nearest_wrong(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        others, values = np.full(len(rows), -1), np.full(len(rows), -np.inf, dtype=np.float32)
        for start in range(0, len(rows), _BLOCK):
            part = rows[start : start + _BLOCK]
            similar = self.unit[part] @ self.unit.T
            similar[:, ~self.is_gallery] = -np.inf
            similar[self.labels[part][:, None] == self.labels] = -np.inf
            best = similar.argmax(axis=1)
            others[start : start + _BLOCK], values[start : start + _BLOCK] = best, similar[np.arange(len(part)), best]
        return others, values

    @cached_property
    def duplicates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs of images, most similar first, the 2,000 most similar at most; each pair once."""
        found = self._results
        pairs: dict[tuple[int, int], tuple[int, int, float]] = {}
        order = np.argsort(-found.similarities, axis=None, kind="stable")
        for place in order:
            query, rank = divmod(int(place), found.k)
            row, other = int(found.query_positions[query]), int(found.neighbor_positions[query, rank])
            if other < 0 or len(pairs) == _LONGEST:
                break
            pairs.setdefault((min(row, other), max(row, other)), (row, other, float(found.similarities[query, rank])))
        rows, others, values = zip(*pairs.values(), strict=True) if pairs else ((), (), ())
        return np.array(rows, dtype=int), np.array(others, dtype=int), np.array(values)

    # --- pages without a kernel -------------------------------------------------------------------
    def table(self, queries: int, k: int, seed: int = 0) -> dict[str, Any]:
        """Answers to the first ``queries`` questions, as the state of a page: little-endian bytes, and the lists.

        Rows (Q,), neighbours and similarities (Q, k), images to find (Q,), their first ranks (Q, m), 0 where there
        are no more, and precision in the top R (Q,). Queries come first, then images that are in the gallery only.
        """
        rng = np.random.default_rng(seed)
        everyone = [rng.permutation(np.flatnonzero(mask)) for mask in (self.is_query, ~self.is_query)]
        chosen = np.sort(np.concatenate(everyone)[:queries])
        found = self._search(chosen, k)
        ranks = np.zeros((len(chosen), _RANKS_KEPT), dtype=np.int64)
        precision = np.zeros(len(chosen))
        for start in range(0, len(chosen), _BLOCK):
            part = chosen[start : start + _BLOCK]
            for place, similar in enumerate(self.unit[part] @ self.unit.T, start=start):
                row = int(chosen[place])
                near = found.neighbor_positions[place]
                true = true_ranks(similar, self.labels == self.labels[row], self.is_gallery, row, near[near >= 0])
                ranks[place, : len(true)] = true[:_RANKS_KEPT]
                precision[place] = (true <= len(true)).mean() if len(true) else 0
        kept = set(chosen.tolist())
        lists = {}
        for which in ("mistakes", "hardest", "duplicates"):
            full = self.named(which)
            here = [place for place, row in enumerate(full["rows"]) if row in kept]
            lists[which] = {
                key: [value[place] for place in here] if isinstance(value, list) else value
                for key, value in full.items()
            }
        return {
            "_table_rows": chosen.astype("<i4").tobytes(),
            "_table_near": found.neighbor_positions.astype("<i4").tobytes(),
            "_table_similarities": found.similarities.astype("<f4").tobytes(),
            "_table_relevant": found.relevant.astype("<i4").tobytes(),
            "_table_ranks": ranks[:, : max(1, int((ranks > 0).sum(axis=1).max()))].astype("<i4").tobytes(),
            "_table_precision": precision.astype("<f4").tobytes(),
            "_table_lists": lists,
        }
