"""Exact nearest-neighbour search over embeddings, and the results object that metrics and views take.

A similarity is the cosine rounded to fp32, and neighbours are ordered by (similarity descending, gallery
row ascending). Fast matrix products do not give that order: they round differently from one column to the
next, so that even identical images need not tie. The search therefore takes two steps:

1. a few more than k candidates per query by a plain fp32 product: FAISS ``IndexFlatIP`` on the CPU (measured faster
   than ``torch.mm`` + ``topk``, see ``benchmarks/evaluation.py``), torch on a CUDA device;
2. candidates closer to each other than fp32 can tell apart are scored again in fp64, which holds products
   of fp32 numbers exactly; where the k-th and the next one are so close, the whole row is.

Dimensions: N images, E embedding size, Q queries, G gallery images, k neighbours, B queries in a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TypeAlias

import faiss
import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from vptsp.errors import DataError

# What users hand over is checked by `search`, which says what is wrong, and not by jaxtyping.
Array: TypeAlias = np.ndarray | Tensor
Candidates: TypeAlias = tuple[Float32[Tensor, "B m"], Int64[Tensor, "B m"]]

_SPARE = 4  # candidates beyond k, among which a gap in similarity decides who is in
_PAIRS_AT_ONCE = 2**14  # (pair, E) products held in fp64 when single candidates are scored again
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


@torch.no_grad()
def search(
    embeddings: Array,
    labels: Array,
    is_query: Array | None = None,
    is_gallery: Array | None = None,
    k: int | None = None,
    at_least: int = 1,
    block: int | None = None,
    device: torch.device | str | None = None,
) -> RetrievalResults:
    """Exact k nearest gallery images of every query by cosine similarity.

    Takes embeddings (N, E) of any floating type and integer labels (N,); booleans ``is_query`` and
    ``is_gallery`` (N,) pick rows, None picks all of them (self-retrieval). ``k`` None is the largest R plus
    one, enough for every metric over R or R + 1 ranks, or ``at_least`` if that is more.
    ``block`` is the number of queries searched at once. ``device`` None is where the embeddings lie.

    Raises DataError for embeddings that are not finite, lengths that differ, and an empty query or gallery.
    """
    vectors = unit_rows(embeddings, device)
    row_labels = _checked_labels(labels, len(vectors))
    query_rows = _chosen_rows(is_query, len(vectors), "is_query", "query")
    gallery_rows = _chosen_rows(is_gallery, len(vectors), "is_gallery", "gallery")
    relevant = _count_relevant(row_labels, query_rows, gallery_rows)
    if k is None:
        k = max(int(relevant.max()) + 1, at_least)
    if k < 1:
        raise DataError(f"k is {k}; it must be at least 1")
    if block is None:
        block = max(1, min(4096, 2**28 // len(gallery_rows)))  # similarities of a block: 1 GiB at most

    queries = vectors[torch.from_numpy(query_rows).to(vectors.device)]
    gallery = vectors[torch.from_numpy(gallery_rows).to(vectors.device)]
    column_of_row = np.full(len(vectors), -2)  # -1 stands for ranks beyond the gallery
    column_of_row[gallery_rows] = np.arange(len(gallery_rows))
    own_column = torch.from_numpy(column_of_row[query_rows]).to(vectors.device)

    with _full_precision(vectors.device):
        similarities, columns = _exact_neighbors(queries, gallery, own_column, k, block)
    found = columns.cpu().numpy()
    positions = np.where(found < 0, -1, gallery_rows[found])
    return RetrievalResults(
        query_positions=query_rows,
        query_labels=row_labels[query_rows],
        neighbor_positions=positions,
        neighbor_labels=np.where(found < 0, -1, row_labels[positions]),
        similarities=similarities.cpu().numpy(),
        relevant=relevant,
    )


# --- input -------------------------------------------------------------------------------------------


def unit_rows(embeddings: Array, device: torch.device | str | None = None) -> Float32[Tensor, "N E"]:
    """Embeddings scaled to length 1; DataError if any is not finite."""
    vectors = torch.as_tensor(embeddings).detach().to(device=device, dtype=torch.float32)
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise DataError(f"embeddings have shape {tuple(vectors.shape)}; they must be (images, size)")
    bad = int((~vectors.isfinite().all(dim=1)).sum())
    if bad:
        raise DataError(f"{bad} of {len(vectors)} embeddings hold NaN or infinity; leave those images out")
    norms = torch.linalg.vector_norm(vectors, dim=1, keepdim=True, dtype=torch.float64)
    # in fp64, so that neither tiny nor huge embeddings lose their direction; a zero vector stays zero
    return (vectors / norms.clamp_min(torch.finfo(torch.float64).tiny)).float()


def _checked_labels(labels: Array, images: int) -> Int64[np.ndarray, " N"]:
    array = labels.cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.shape != (images,):
        raise DataError(f"{images} embeddings but labels of shape {array.shape}; give one label per image")
    if array.dtype.kind not in "iu":
        raise DataError(f"labels are {array.dtype}; they must be integers")
    return array.astype(np.int64)


def _chosen_rows(mask: Array | None, images: int, name: str, role: str) -> Int64[np.ndarray, " n"]:
    chosen = np.ones(images, dtype=bool) if mask is None else np.asarray(mask)
    if chosen.shape != (images,) or chosen.dtype != bool:
        raise DataError(f"{name} is {chosen.dtype} {chosen.shape}; it must be boolean ({images},)")
    if not chosen.any():
        raise DataError(f"the {role} set is empty: none of {images} images belongs to it")
    return np.flatnonzero(chosen).astype(np.int64)


def _count_relevant(labels: np.ndarray, query_rows: np.ndarray, gallery_rows: np.ndarray) -> np.ndarray:
    classes, inverse = np.unique(labels, return_inverse=True)
    in_gallery = np.bincount(inverse[gallery_rows], minlength=len(classes))
    return in_gallery[inverse[query_rows]] - np.isin(query_rows, gallery_rows)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """No TF32 and no autocast inside, whatever training has set."""
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "ieee"
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        matmul.fp32_precision = before


# --- search ------------------------------------------------------------------------------------------


def _exact_neighbors(queries: Tensor, gallery: Tensor, own_column: Tensor, k: int, block: int) -> Candidates:
    """Similarities and gallery columns (Q, k); ``own_column`` (Q,) is -2 for queries not in the gallery."""
    similarities = torch.empty(len(queries), k, device=queries.device)
    columns = torch.empty(len(queries), k, dtype=torch.int64, device=queries.device)
    undecided = torch.empty(len(queries), dtype=torch.bool, device=queries.device)
    nearest = _torch_candidates(gallery) if gallery.is_cuda else _faiss_candidates(gallery)
    # Twice the rounding error of a product of unit vectors, sqrt(E) u (probabilistic bound of Higham and
    # Mary, SIAM J. Sci. Comput. 41, 2019): beyond it, fp32 order is the true order.
    margin = 2 * queries.shape[1] ** 0.5 * 2.0**-24
    for start in range(0, len(queries), block):
        part = slice(start, start + block)
        found = _without_own(*nearest(queries[part], k + _SPARE + 1), own_column[part])
        close = found[0][:, :-1] - found[0][:, 1:] <= margin  # rank j against rank j + 1
        undecided[part] = close[:, k - 1 :].all(dim=1)
        _settle_near_ties(queries[part], gallery, *found, close & ~undecided[part, None])
        similarities[part], columns[part] = found[0][:, :k], found[1][:, :k]
    rows, step = undecided.nonzero().flatten(), max(1, _CELLS_AT_ONCE // len(gallery))
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        similarities[chosen], columns[chosen] = _score_rows(queries[chosen], gallery, own_column[chosen], k)
    return similarities, columns


def _faiss_candidates(gallery: Tensor) -> Callable[[Tensor, int], Candidates]:
    index = faiss.IndexFlatIP(gallery.shape[1])
    index.add(gallery.numpy())

    def nearest(queries: Tensor, m: int) -> Candidates:
        similarities, columns = map(torch.from_numpy, index.search(queries.numpy(), m))
        return similarities.masked_fill_(columns < 0, -torch.inf), columns

    return nearest


def _torch_candidates(gallery: Tensor) -> Callable[[Tensor, int], Candidates]:
    def nearest(queries: Tensor, m: int) -> Candidates:
        similarities, columns = (queries @ gallery.T).topk(min(m, len(gallery)))
        missing = (0, m - columns.shape[1])
        pad = torch.nn.functional.pad
        return pad(similarities, missing, value=-torch.inf), pad(columns, missing, value=-1)

    return nearest


def _without_own(similarities: Tensor, columns: Tensor, own_column: Tensor) -> Candidates:
    """Candidates (B, m) to (B, m - 1): the query itself is dropped, or the last one where it is absent."""
    last = columns.shape[1] - 1
    dropped = torch.full_like(own_column, last)
    row, rank = (columns == own_column[:, None]).nonzero(as_tuple=True)
    dropped[row] = rank
    before = torch.arange(last, device=columns.device) < dropped[:, None]
    return (
        torch.where(before, similarities[:, :-1], similarities[:, 1:]),
        torch.where(before, columns[:, :-1], columns[:, 1:]),
    )


def _settle_near_ties(queries: Tensor, gallery: Tensor, similarities: Tensor, columns: Tensor, close: Tensor) -> None:
    """Score and order in place the candidates (B, m) that ``close`` (B, m - 1) ties to the next rank."""
    near = torch.zeros_like(columns, dtype=torch.bool)
    near[:, :-1] = close
    near[:, 1:] |= close
    row, rank = near.nonzero(as_tuple=True)
    column, exact = columns[row, rank], similarities[row, rank]
    for start in range(0, len(row), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        exact[part] = (queries[row[part]].double() * gallery[column[part]].double()).sum(dim=1).float()
    # By row, then similarity, then column; each group of near ties of a row stays in its own ranks, since
    # groups are further apart than any correction.
    order = column.argsort()
    order = order[exact[order].argsort(descending=True, stable=True)]
    order = order[row[order].argsort(stable=True)]
    similarities[row, rank], columns[row, rank] = exact[order], column[order]


def _score_rows(queries: Tensor, gallery: Tensor, own_column: Tensor, k: int) -> Candidates:
    """The k nearest by fp64 products with the whole gallery."""
    similarities = (queries.double() @ gallery.double().T).float() + 0.0  # no negative zero
    member = (own_column >= 0).nonzero().flatten()
    similarities[member, own_column[member]] = -torch.inf
    # One integer key per cell, in the order (similarity descending, column ascending), makes topk exact.
    bits = similarities.view(torch.int32).long()
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)  # integers in the order of the floats
    last = len(gallery) - 1
    keys = ordered * 2**32 + (last - torch.arange(len(gallery), device=gallery.device))
    columns = last - (keys.topk(k).values & 0xFFFFFFFF)
    return similarities.gather(1, columns), columns
