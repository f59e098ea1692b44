"""Exact nearest-neighbour search over embeddings, and the results object that metrics and views take.

A similarity is the cosine rounded to fp32, and neighbours are ordered by (similarity descending, gallery
row ascending). Fast matrix products do not give that order: they round differently from one column to the
next, so that even identical images need not tie. The search therefore takes two steps:

1. k + 2 candidates per query by a plain fp32 product: FAISS ``IndexFlatIP`` on the CPU (measured faster
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
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from vptsp.errors import DataError

Embeddings: TypeAlias = Float[Tensor, "N E"] | Float[np.ndarray, "N E"]
Candidates: TypeAlias = tuple[Float32[Tensor, "B m"], Int64[Tensor, "B m"]]

_PAIRS_AT_ONCE = 2**14  # (pair, E) products held in fp64 when single candidates are scored again
_CELLS_AT_ONCE = 2**25  # (query, gallery) similarities held in fp64 when whole rows are


@dataclass(frozen=True)
class RetrievalResults:
    """Ranked neighbours of Q queries, as rows of the embedding matrix that was searched.

    A query that is in the gallery is never its own neighbour; other images with the same embedding are.
    Ranks beyond the gallery hold position -1, label -1 and similarity -inf.
    """

    query_positions: Int64[np.ndarray, " Q"]
    query_labels: Int64[np.ndarray, " Q"]
    neighbor_positions: Int64[np.ndarray, "Q k"]  # most similar first
    neighbor_labels: Int64[np.ndarray, "Q k"]
    similarities: Float32[np.ndarray, "Q k"]
    relevant: Int64[np.ndarray, " Q"]  # R: gallery images of the query's class other than itself

    def __post_init__(self) -> None:
        queries, ranked = (len(self.query_positions),), self.neighbor_positions.shape
        if len(ranked) != 2 or not all(ranked) or ranked[:1] != queries:
            raise ValueError(f"neighbor_positions must be (Q={queries[0]}, k) and not empty, not {ranked}")
        for field in fields(self):
            array = getattr(self, field.name)
            expected = queries if field.name in ("query_positions", "query_labels", "relevant") else ranked
            dtype = np.float32 if field.name == "similarities" else np.int64
            if array.shape != expected or array.dtype != dtype:
                raise ValueError(
                    f"{field.name} must be {np.dtype(dtype)} {expected}, not {array.dtype} {array.shape}"
                )
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
    embeddings: Embeddings,
    labels: Int64[np.ndarray, " N"] | Int64[Tensor, " N"],
    is_query: Bool[np.ndarray, " N"] | None = None,
    is_gallery: Bool[np.ndarray, " N"] | None = None,
    k: int | None = None,
    at_least: int = 1,
    block: int | None = None,
    device: torch.device | str | None = None,
) -> RetrievalResults:
    """Exact k nearest gallery images of every query by cosine similarity.

    ``is_query`` and ``is_gallery`` pick rows; None picks all of them (self-retrieval). ``k`` None is the
    largest R plus one, enough for every metric over R or R + 1 ranks, or ``at_least`` if that is more.
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
    column_of_row = np.full(len(vectors), -1)
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


def unit_rows(embeddings: Embeddings, device: torch.device | str | None = None) -> Float32[Tensor, "N E"]:
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


def _checked_labels(labels: np.ndarray | Tensor, images: int) -> Int64[np.ndarray, " N"]:
    array = labels.cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.shape != (images,):
        raise DataError(f"{images} embeddings but labels of shape {array.shape}; give one label per image")
    if array.dtype.kind not in "iu":
        raise DataError(f"labels are {array.dtype}; they must be integers")
    return array.astype(np.int64)


def _chosen_rows(mask: np.ndarray | None, images: int, name: str, role: str) -> Int64[np.ndarray, " n"]:
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
    """Similarities and gallery columns (Q, k); ``own_column`` (Q,) is -1 for queries not in the gallery."""
    similarities = torch.empty(len(queries), k, device=queries.device)
    columns = torch.empty(len(queries), k, dtype=torch.int64, device=queries.device)
    undecided = torch.empty(len(queries), dtype=torch.bool, device=queries.device)
    nearest = _torch_candidates(gallery) if gallery.is_cuda else _faiss_candidates(gallery)
    # Twice the rounding error of a product of unit vectors, 2 sqrt(E) u (probabilistic bound of Higham and
    # Mary, SIAM J. Sci. Comput. 41, 2019): beyond it, fp32 order is the true order.
    margin = 4 * queries.shape[1] ** 0.5 * 2.0**-24
    for start in range(0, len(queries), block):
        rows = slice(start, start + block)
        found = _without_own(*nearest(queries[rows], k + 2), own_column[rows])
        close = found[0][:, :-1] - found[0][:, 1:] <= margin  # rank j against rank j + 1
        undecided[rows] = close[:, -1]
        similarities[rows], columns[rows] = _settle_near_ties(queries[rows], gallery, *found, close)
    for chosen in undecided.nonzero().flatten().split(max(1, _CELLS_AT_ONCE // len(gallery))):
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
    own = (columns == own_column[:, None]) & (columns >= 0)
    dropped = torch.where(own.any(dim=1), own.int().argmax(dim=1), last)
    kept = torch.arange(last, device=columns.device).expand(len(columns), last)
    kept = kept + (kept >= dropped[:, None])
    return similarities.gather(1, kept), columns.gather(1, kept)


def _settle_near_ties(
    queries: Tensor, gallery: Tensor, similarities: Tensor, columns: Tensor, close: Tensor
) -> Candidates:
    """Order the first k of k + 1 candidates; ``close`` (B, k): fp32 cannot tell a rank from the next one."""
    similarities, columns = similarities[:, :-1], columns[:, :-1]
    near = close.clone()
    near[:, 1:] |= close[:, :-1]
    near &= ~close[:, -1:]  # those rows are scored as a whole
    for pairs in near.nonzero().split(_PAIRS_AT_ONCE):
        row, rank = pairs.unbind(dim=1)
        products = queries[row].double() * gallery[columns[row, rank]].double()
        similarities[row, rank] = products.sum(dim=1).float()
    rows = near.any(dim=1).nonzero().flatten()
    similarities[rows], columns[rows] = _top(similarities[rows], columns[rows], columns.shape[1])
    return similarities, columns


def _score_rows(queries: Tensor, gallery: Tensor, own_column: Tensor, k: int) -> Candidates:
    """The k nearest by fp64 products with the whole gallery."""
    similarities = (queries.double() @ gallery.double().T).float()
    member = (own_column >= 0).nonzero().flatten()
    similarities[member, own_column[member]] = -torch.inf
    columns = torch.arange(len(gallery), device=gallery.device).expand_as(similarities)
    return _top(similarities, columns, k)


def _top(similarities: Tensor, columns: Tensor, k: int) -> Candidates:
    """The k first in the order (similarity descending, column ascending), by one unique integer key each."""
    flip, low = 0x7FFFFFFF, 0xFFFFFFFF
    bits = (similarities + 0.0).view(torch.int32).long()  # + 0.0: no negative zero
    ordered = torch.where(bits < 0, bits ^ flip, bits)  # integers in the order of the floats
    keys = ((ordered << 32) + (low - 1 - columns)).topk(k).values
    ordered = keys >> 32
    bits = torch.where(ordered < 0, ordered ^ flip, ordered)
    return bits.int().view(torch.float32), low - 1 - (keys & low)
