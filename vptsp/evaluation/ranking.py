"""Exact nearest-neighbour search over embeddings, and the results object that metrics and views take.

A similarity is the cosine rounded to fp32, and neighbours are ordered by (similarity descending, gallery
row ascending). Fast matrix products do not give that order: they round differently from one column to the
next, so that even identical images need not tie. The search therefore takes two steps:

1. a few more than k candidates per query by a plain fp32 product: FAISS ``IndexFlatIP`` on the CPU (measured faster
   than ``torch.mm`` + ``topk``, see ``benchmarks/evaluation.py``), torch on a CUDA device
   (:mod:`vptsp.evaluation.torch_products`);
2. candidates closer to each other than fp32 can tell apart are scored again in fp64, which holds products
   of fp32 numbers exactly; where the k-th and the next one are so close, the whole row is.

Arrays are searched without torch, which takes seconds to import.

Dimensions: N images, E embedding size, Q queries, G gallery images, k neighbours, B queries in a block.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Int64

from vptsp.errors import DataError

# What users hand over is checked by `search`, which says what is wrong, and not by jaxtyping.
if TYPE_CHECKING:
    import torch

    Array: TypeAlias = np.ndarray | torch.Tensor
    Device: TypeAlias = torch.device | str
else:
    Array = Device = Any
Candidates: TypeAlias = tuple[Float32[np.ndarray, "B m"], Int64[np.ndarray, "B m"]]

_SPARE = 4  # candidates beyond k, among which a gap in similarity decides who is in
_PAIRS_AT_ONCE = 2**14  # (pair, E) products held in fp64 when single candidates are scored again
_ROWS_AT_ONCE = 1024  # embeddings that are scaled together
_CELLS_AT_ONCE = 2**25  # (query, gallery) similarities held in fp64 when whole rows are


@dataclass(frozen=True)
class RetrievalResults:
    """Ranked neighbours of Q queries, as rows of the embedding matrix that was searched.

    A query that is in the gallery is never its own neighbour; other images with the same embedding are.
    Ranks beyond the gallery hold position -1, label -1 and similarity -inf.
    """

    query_positions: np.ndarray  # int64 (Q,)
    query_labels: np.ndarray  # int64 (Q,)
    neighbor_positions: np.ndarray  # int64 (Q, k), most similar first
    neighbor_labels: np.ndarray  # int64 (Q, k)
    similarities: np.ndarray  # float32 (Q, k)
    relevant: np.ndarray  # int64 (Q,): R, gallery images of the query's class other than itself

    def __post_init__(self) -> None:
        queries, ranked = (len(self.query_positions),), self.neighbor_positions.shape
        if len(ranked) != 2 or not all(ranked) or ranked[:1] != queries:
            raise ValueError(f"neighbor_positions must be (Q={queries[0]}, k) and not empty, not {ranked}")
        for field in fields(self):
            array = getattr(self, field.name)
            expected = queries if field.name in ("query_positions", "query_labels", "relevant") else ranked
            dtype = np.float32 if field.name == "similarities" else np.int64
            if array.shape != expected or array.dtype != dtype:
                raise ValueError(f"{field.name} must be {np.dtype(dtype)} {expected}, not {array.dtype} {array.shape}")
        if (self.neighbor_positions == self.query_positions[:, None]).any():
            raise ValueError("a query is listed among its own neighbours")

    @property
    def k(self) -> int:
        """Neighbours kept per query."""
        return self.neighbor_positions.shape[1]

    @cached_property
    def matches(self) -> Bool[np.ndarray, "Q k"]:
        """Whether each neighbour is of its query's class; False beyond the gallery."""
        return (self.neighbor_labels == self.query_labels[:, None]) & (self.neighbor_positions >= 0)


def search(
    embeddings: Array,
    labels: Array,
    is_query: Array | None = None,
    is_gallery: Array | None = None,
    k: int | None = None,
    at_least: int = 1,
    block: int | None = None,
    device: Device | None = None,
) -> RetrievalResults:
    """Exact k nearest gallery images of every query by cosine similarity.

    Takes embeddings (N, E) of any floating type and integer labels (N,); booleans ``is_query`` and
    ``is_gallery`` (N,) pick rows, None picks all of them (self-retrieval). ``k`` None is the largest R plus
    one, enough for every metric over R or R + 1 ranks, or ``at_least`` if that is more.
    ``block`` is the number of queries searched at once. ``device`` None is where the embeddings lie.

    Raises DataError for embeddings that are not finite, lengths that differ, and an empty query or gallery.
    """
    vectors = unit_rows(embeddings)
    row_labels = checked_labels(labels, len(vectors))
    query_rows = chosen_rows(is_query, len(vectors), "is_query", "query")
    gallery_rows = chosen_rows(is_gallery, len(vectors), "is_gallery", "gallery")
    relevant = _count_relevant(row_labels, query_rows, gallery_rows)
    if k is None:
        k = max(int(relevant.max()) + 1, at_least)
    if k < 1:
        raise DataError(f"k is {k}; it must be at least 1")
    if block is None:
        block = max(1, min(4096, 2**28 // len(gallery_rows)))  # similarities of a block: 1 GiB at most

    column_of_row = np.full(len(vectors), -2)  # -1 stands for ranks beyond the gallery
    column_of_row[gallery_rows] = np.arange(len(gallery_rows))
    place: Device = getattr(embeddings, "device", "cpu") if device is None else device
    products = _products(vectors[query_rows], vectors[gallery_rows], place)
    similarities, found = _exact_neighbors(products, column_of_row[query_rows], k, block)
    positions = np.where(found < 0, -1, gallery_rows[found])
    return RetrievalResults(
        query_positions=query_rows,
        query_labels=row_labels[query_rows],
        neighbor_positions=positions,
        neighbor_labels=np.where(found < 0, -1, row_labels[positions]),
        similarities=similarities,
        relevant=relevant,
    )


# --- input -------------------------------------------------------------------------------------------


def unit_rows(embeddings: Array) -> Float32[np.ndarray, "N E"]:
    """Embeddings scaled to length 1; DataError if any is not finite."""
    vectors = _array(embeddings)
    if vectors.dtype.kind not in "fiub":
        raise DataError(f"embeddings are of the kind {vectors.dtype}; they must be numbers")
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise DataError(f"embeddings have shape {vectors.shape}; they must be (images, size)")
    unit, bad = np.empty(vectors.shape, dtype=np.float32), 0
    for start in range(0, len(vectors), _ROWS_AT_ONCE):  # a part at a time stays in the processor's cache
        part = vectors[start : start + _ROWS_AT_ONCE]
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is infinite, and refused as that
            part = part.astype(np.float32, copy=False)
            bad += int((~np.isfinite(part).all(axis=1)).sum())
            norms = np.sqrt(np.einsum("ne,ne->n", part, part, dtype=np.float64))[:, None]
            # in fp64, so that neither tiny nor huge embeddings lose their direction; a zero vector stays zero
            unit[start : start + _ROWS_AT_ONCE] = part / np.maximum(norms, np.finfo(np.float64).tiny)
    if bad:
        raise DataError(f"{bad} of {len(vectors)} embeddings hold NaN or infinity; leave those images out")
    return unit


def _array(given: Any) -> np.ndarray:
    """Tensors of any type and place as arrays; they are told by what they can do, so that torch is not imported."""
    if not hasattr(given, "detach"):
        return np.asarray(given)
    tensor = given.detach().cpu()
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())


def checked_labels(labels: Array, images: int) -> Int64[np.ndarray, " N"]:
    """Labels as int64; DataError unless there is one integer per image."""
    array = _array(labels)
    if array.shape != (images,):
        raise DataError(f"{images} embeddings but labels of shape {array.shape}; give one label per image")
    if array.dtype.kind not in "iu":
        raise DataError(f"labels are {array.dtype}; they must be integers")
    return array.astype(np.int64)


def chosen_rows(mask: Array | None, images: int, name: str, role: str) -> Int64[np.ndarray, " n"]:
    """The rows of a mask (N,), all of them where it is none; DataError if it has another shape or picks none."""
    chosen = np.ones(images, dtype=bool) if mask is None else _array(mask)
    if chosen.shape != (images,) or chosen.dtype != bool:
        raise DataError(f"{name} is {chosen.dtype} {chosen.shape}; it must be boolean ({images},)")
    if not chosen.any():
        raise DataError(f"the {role} set is empty: none of {images} images belongs to it")
    return np.flatnonzero(chosen).astype(np.int64)


def _count_relevant(labels: np.ndarray, query_rows: np.ndarray, gallery_rows: np.ndarray) -> np.ndarray:
    classes, inverse = np.unique(labels, return_inverse=True)
    in_gallery = np.bincount(inverse[gallery_rows], minlength=len(classes))
    return in_gallery[inverse[query_rows]] - np.isin(query_rows, gallery_rows)


# --- search ------------------------------------------------------------------------------------------


@runtime_checkable
class Products(Protocol):
    """Similarities of Q unit queries and G unit gallery images, as arrays; queries and images are known by number."""

    shape: tuple[int, ...]  # of the gallery: G, E

    def nearest(self, first: int, last: int, m: int) -> Candidates:
        """Of queries first..last-1, the m nearest by a product in fp32, and -inf and column -1 beyond the gallery."""

    def pairs(self, queries: Int64[np.ndarray, " P"], columns: Int64[np.ndarray, " P"]) -> Float32[np.ndarray, " P"]:
        """Products of single pairs in fp64, rounded."""

    def rows(self, queries: Int64[np.ndarray, " B"]) -> Float32[np.ndarray, "B G"]:
        """Products of queries with the whole gallery in fp64, rounded."""


def _products(queries: np.ndarray, gallery: np.ndarray, device: Device) -> Products:
    if str(device).partition(":")[0] != "cuda":
        return _FaissProducts(queries, gallery)
    from vptsp.evaluation.torch_products import TorchProducts

    return TorchProducts(queries, gallery, device)


class _FaissProducts:
    """On the CPU."""

    def __init__(self, queries: Float32[np.ndarray, "Q E"], gallery: Float32[np.ndarray, "G E"]) -> None:
        self._queries, self._gallery, self.shape = queries, gallery, gallery.shape
        self._index: Any = faiss.IndexFlatIP(gallery.shape[1])
        faiss_own(self._index, "add")(gallery)

    def nearest(self, first: int, last: int, m: int) -> Candidates:
        similarities, columns = faiss_own(self._index, "search")(self._queries[first:last], m)
        similarities[columns < 0] = -np.inf
        return similarities, columns

    def pairs(self, queries: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return (self._queries[queries].astype(np.float64) * self._gallery[columns]).sum(axis=1).astype(np.float32)

    def rows(self, queries: np.ndarray) -> np.ndarray:
        return (self._queries[queries].astype(np.float64) @ self._gallery.T.astype(np.float64)).astype(np.float32)


def faiss_own(index: Any, name: str) -> Any:
    """FAISS's own method: faiss.contrib.torch_utils, which other packages import, puts another in its place."""
    return getattr(index, f"{name}_numpy", None) or getattr(index, name)


def rounding_margin(size: int) -> float:
    """How far apart two fp32 products of unit vectors (E = ``size``) must lie for their order to be the true one.

    Twice the rounding error of such a product, sqrt(E) u (probabilistic bound of Higham and Mary, SIAM J. Sci. Comput.
    41, 2019).
    """
    return float(2 * size**0.5 * 2.0**-24)


def _exact_neighbors(products: Products, own_column: np.ndarray, k: int, block: int) -> Candidates:
    """Similarities and gallery columns (Q, k); ``own_column`` (Q,) is -2 for queries not in the gallery."""
    count, (images, size) = len(own_column), products.shape
    similarities, columns = np.empty((count, k), dtype=np.float32), np.empty((count, k), dtype=np.int64)
    undecided = np.empty(count, dtype=bool)
    margin = np.float32(rounding_margin(size))
    for start in range(0, count, block):
        part = slice(start, min(start + block, count))
        found = _without_own(*products.nearest(part.start, part.stop, k + _SPARE + 1), own_column[part])
        with np.errstate(invalid="ignore"):  # beyond the gallery, infinity is taken from itself
            close = found[0][:, :-1] - found[0][:, 1:] <= margin  # rank j against rank j + 1
        undecided[part] = close[:, k - 1 :].all(axis=1)
        _settle_near_ties(products, part.start, *found, close & ~undecided[part, None])
        similarities[part], columns[part] = found[0][:, :k], found[1][:, :k]
    rows = np.flatnonzero(undecided)
    step = max(1, _CELLS_AT_ONCE // images)
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        similarities[chosen], columns[chosen] = _score_rows(products.rows(chosen), own_column[chosen], k)
    return similarities, columns


def _without_own(similarities: np.ndarray, columns: np.ndarray, own_column: np.ndarray) -> Candidates:
    """Candidates (B, m) to (B, m - 1): the query itself is dropped, or the last one where it is absent."""
    last = columns.shape[1] - 1
    dropped = np.full(len(columns), last)
    row, rank = np.nonzero(columns == own_column[:, None])
    dropped[row] = rank
    kept = np.arange(last + 1) != dropped[:, None]
    return similarities[kept].reshape(-1, last), columns[kept].reshape(-1, last)


def _settle_near_ties(
    products: Products, first: int, similarities: np.ndarray, columns: np.ndarray, close: np.ndarray
) -> None:
    """Score and order in place the candidates (B, m) of the queries from ``first`` on that are tied.

    ``close`` (B, m - 1) says of each rank whether the next one is as near as fp32 can tell.
    """
    near = np.zeros(columns.shape, dtype=bool)
    near[:, :-1] = close
    near[:, 1:] |= close
    row, rank = np.nonzero(near)
    column, exact = columns[row, rank], similarities[row, rank]
    for start in range(0, len(row), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        exact[part] = products.pairs(first + row[part], column[part])
    # By row, then similarity, then column; each group of near ties of a row stays in its own ranks, since
    # groups are further apart than any correction.
    order = np.lexsort((column, -exact, row))
    similarities[row, rank], columns[row, rank] = exact[order], column[order]


def _score_rows(similarities: np.ndarray, own_column: np.ndarray, k: int) -> Candidates:
    """The k nearest of whole rows (B, G) of exact similarities, which are changed."""
    similarities += np.float32(0)  # no negative zero
    member = np.flatnonzero(own_column >= 0)
    similarities[member, own_column[member]] = -np.inf
    # One integer key per cell, in the order (similarity descending, column ascending), makes a partition exact.
    bits = similarities.view(np.int32).astype(np.int64)
    keys = -np.where(bits < 0, bits ^ 0x7FFFFFFF, bits) * 2**32 + np.arange(similarities.shape[1])
    columns = np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1) & 0xFFFFFFFF
    return np.take_along_axis(similarities, columns, axis=1), columns
