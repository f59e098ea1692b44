"""A gallery of embeddings that answers queries at once: exact, or approximate for very large galleries.

:func:`vptsp.evaluation.ranking.search` scores whole sets and builds what it needs each time; a :class:`GalleryIndex` is
built once, can grow and shrink, and is kept on disk. Its exact kind ranks as ``search`` does, ties included. It is held
in memory; :class:`vptsp.evaluation.index.StoredIndex` is not, and is changed where it lies.

Dimensions: G gallery images, E embedding size, Q queries, k neighbours.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Int64

from vptsp.errors import ConfigError, DataError, RunError, explained
from vptsp.evaluation.index.protocol import (
    Description,
    Found,
    Recall,
    Where,
    checked_queries,
    checked_vectors,
    require_new,
    require_some_left,
    require_there,
)
from vptsp.evaluation.index.scan import scores
from vptsp.evaluation.ranking import Array, faiss_own, rounding_margin
from vptsp.files import read_json, write_bytes, write_json

Kind: TypeAlias = Literal["exact", "hnsw", "ivf"]
_faiss: Any = faiss  # its type stubs do not know the search parameters
_SPARE = 4  # candidates beyond k: where the next one is clearly less similar, the k are certain
_MOST_REMOVED = 0.25  # share of removed images from which an approximate index is built anew
_PER_LIST = 39  # images per list of an inverted file, below which FAISS warns of poor lists
_SAMPLED, _SAMPLED_K = 100, 10  # queries and neighbours by which the recall of an approximate kind is measured
_SCORED_AT_ONCE = 4096
_REMEDY = "build the index again and save it"


def check_kind(kind: object) -> None:
    """Raises ConfigError for a kind of index that there is not."""
    if kind not in get_args(Kind):
        raise ConfigError(f"index kind {kind!r} is unknown; legal: {', '.join(get_args(Kind))}")


class GalleryIndex:
    """Embeddings by id, searched by cosine similarity; :meth:`build` makes one, :meth:`load` reads one.

    ``exact`` compares with every image (FAISS ``IndexFlatIP``). ``ivf`` compares with the images of the ``effort``
    nearest of about 4 sqrt(G) lists (``IndexIVFFlat``), ``hnsw`` follows a graph of neighbours, ``effort`` candidates
    at a time (``IndexHNSWFlat``). Whatever an approximate index finds has exact similarities, in order.

    ``ids`` are the images in the order in which they were added. A graph cannot lose a node: removed images of the
    approximate kinds stay as dead nodes that are passed over, until they are a quarter and the index is built anew.

    It is an :class:`~vptsp.evaluation.index.Index`: :meth:`find` answers with ids, :meth:`search` with rows.
    """

    def __init__(self, index: Any, ids: Sequence[str], alive: np.ndarray, kind: Kind, effort: int) -> None:
        self.kind, self.effort = kind, effort
        self._index = index  # of all images ever added, by number
        self._alive = alive  # bool, per number
        self._take(ids)

    @classmethod
    def build(
        cls, embeddings: Array, ids: Sequence[str], kind: Kind = "exact", effort: int | None = None
    ) -> GalleryIndex:
        """An index of embeddings (G, E), of any length, under unique ids.

        ``effort`` is candidates followed (``hnsw``, 128) or lists searched (``ivf``, 16): more finds more, and takes
        longer. Raises DataError for embeddings and ids that do not fit, ConfigError for an unknown kind.
        """
        check_kind(kind)
        vectors = checked_vectors(embeddings, ids)
        if not len(vectors):
            raise DataError("there are no images to build an index of")
        effort = effort or {"exact": 1, "hnsw": 128, "ivf": 16}[kind]
        return cls(_filled(vectors, kind), ids, np.ones(len(vectors), dtype=bool), kind, effort)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> int:
        """Embedding size E."""
        return int(self._index.d)

    # --- search ---------------------------------------------------------------------------------
    def search(
        self, vectors: Array, k: int, exclude_ids: Sequence[str | None] | None = None
    ) -> tuple[Int64[np.ndarray, "Q k"], Float32[np.ndarray, "Q k"]]:
        """Rows of ``ids`` and cosine similarities of the k nearest images of each vector (Q, E), nearest first.

        ``exclude_ids`` names for each query the image that it is, which it must not find; ids that are not in the
        index exclude nothing. Equal similarities are ordered by row. Ranks that nothing was found for hold row -1
        and similarity -inf. Raises DataError for vectors of another size or not finite, and for k < 1.
        """
        queries, excluded = checked_queries(vectors, k, exclude_ids, self.size)
        return self._nearest(queries, k, excluded, None)

    def find(
        self, vectors: Array, k: int, exclude_ids: Sequence[str | None] | None = None, where: Where | None = None
    ) -> Found:
        """As :meth:`search`, with ids instead of rows, and among the ids ``where`` only, if there are any.

        Raises DataError for an expression as well: images have no columns here.
        """
        queries, excluded = checked_queries(vectors, k, exclude_ids, self.size)
        if isinstance(where, str):
            raise DataError(
                f"the filter {where!r} needs columns, and an index in memory has none; give ids, or build the index "
                "in a folder: vptsp index build"
            )
        among = None if where is None else np.isin(np.arange(len(self)), [self._row.get(name, -1) for name in where])
        rows, similarities = self._nearest(queries, k, excluded, among)
        return Found([[self.ids[row] for row in line if row >= 0] for line in rows.tolist()], similarities, self.recall)

    def _nearest(
        self,
        queries: Float32[np.ndarray, "Q E"],
        k: int,
        excluded: Sequence[str | None],
        among: Bool[np.ndarray, " G"] | None,
    ) -> tuple[Int64[np.ndarray, "Q k"], Float32[np.ndarray, "Q k"]]:
        own = np.array([self._row.get(name, -1) if name is not None else -1 for name in excluded], dtype=np.int64)
        allowed = self._alive.copy()
        if among is not None:
            allowed[np.flatnonzero(allowed)[~among]] = False
        rows = np.full((len(queries), k), -1)
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        there = int(allowed.sum())
        wanted = min(k + _SPARE + 1, len(self._alive))
        parameters = self._parameters(wanted, allowed)
        rough, candidates = faiss_own(self._index, "search")(queries, wanted, params=parameters)
        for query, vector in enumerate(queries):
            found = candidates[query][candidates[query] >= 0]
            cosines = scores(vector, faiss_own(self._index, "reconstruct_batch")(found))
            unsure = len(found) == wanted < there and not self._settled(cosines, rough[query, -1], k)
            if self.kind == "exact" and unsure:
                found, cosines = np.arange(len(self)), scores(vector, self._vectors())
                found, cosines = found[allowed], cosines[allowed]
            found = self._row_of[found]
            others = found != own[query]
            found, cosines = found[others], cosines[others]
            order = np.lexsort((found, -cosines))[:k]
            rows[query, : len(order)], similarities[query, : len(order)] = found[order], cosines[order]
        return rows, similarities

    def _settled(self, cosines: Float32[np.ndarray, " m"], worst: float, k: int) -> bool:
        """Whether no image beyond the candidates can be among the k nearest, one excluded image allowed for."""
        return bool(np.sort(cosines)[::-1][k] > worst + rounding_margin(self.size))

    def _parameters(self, wanted: int, allowed: Bool[np.ndarray, " M"]) -> Any:
        selector = None if allowed.all() else faiss.IDSelectorBatch(np.flatnonzero(allowed))
        if self.kind == "exact":
            return None if selector is None else _faiss.SearchParameters(sel=selector)
        if self.kind == "ivf":
            return _faiss.SearchParametersIVF(sel=selector, nprobe=min(self.effort, self._index.nlist))
        return _faiss.SearchParametersHNSW(sel=selector, efSearch=max(self.effort, wanted))

    # --- change ---------------------------------------------------------------------------------
    def add(
        self,
        embeddings: Array,
        ids: Sequence[str],
        columns: Mapping[str, Sequence[Any]] | None = None,
        *,
        replace: bool = False,
    ) -> None:
        """Add embeddings (n, E) under new ids; with ``replace``, images whose ids are there give way to the new ones.

        Raises DataError, with the index unchanged, if they do not fit, and for columns, which are not kept in memory.
        """
        vectors = checked_vectors(embeddings, ids, self.size)
        if columns:
            raise DataError("an index in memory keeps no columns; leave them out, or build the index in a folder")
        known = [name for name in ids if name in self._row]
        if not replace:
            require_new(ids, self._row)
        self._index.add(vectors)
        self._alive[np.flatnonzero(self._alive)[[self._row[name] for name in known]]] = False
        self._alive = np.concatenate([self._alive, np.ones(len(vectors), dtype=bool)])
        gone = set(known)
        ids = [*(name for name in self.ids if name not in gone), *ids]
        self._build_anew_if_many_are_dead()
        self._take(ids)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove images. Raises DataError, with the index unchanged, for unknown ids and when none would be left."""
        require_there(ids, self._row)
        gone = set(ids)
        require_some_left(len(gone), len(self))
        kept = np.array([name not in gone for name in self.ids])
        self._alive[np.flatnonzero(self._alive)[~kept]] = False
        self._build_anew_if_many_are_dead()
        self._take([name for name in self.ids if name not in gone])

    def _build_anew_if_many_are_dead(self) -> None:
        """Of the exact kind, if any is: its rows are numbers."""
        if self._alive.all() or (self.kind != "exact" and self._alive.mean() >= 1 - _MOST_REMOVED):
            return
        self._index = _filled(self._vectors()[self._alive], self.kind)
        self._alive = np.ones(self._index.ntotal, dtype=bool)

    def _take(self, ids: Sequence[str]) -> None:
        self.ids = list(ids)
        self._recall: Recall | None = None  # of what was there before
        self._row = {name: row for row, name in enumerate(self.ids)}
        self._row_of = np.where(self._alive, np.cumsum(self._alive) - 1, -1)  # number -> row

    def _vectors(self) -> Float32[np.ndarray, "M E"]:
        return faiss_own(self._index, "reconstruct_n")(0, self._index.ntotal)

    # --- what it is -----------------------------------------------------------------------------
    @property
    def recall(self) -> Recall | None:
        """What an approximate kind finds of the true ten, for a seeded sample of its own images; none: all of it.

        Measured when it is first asked for after a change, and kept with the index.
        """
        if self._recall is None and self.kind != "exact":
            rows = np.sort(np.random.default_rng(0).choice(len(self), min(_SAMPLED, len(self)), replace=False))
            vectors = self._vectors()[self._alive]
            own, queries = [self.ids[row] for row in rows], vectors[rows]
            true = _nearest_cosines(vectors, rows, min(_SAMPLED_K, len(self) - 1))
            _, found = self._nearest(queries, _SAMPLED_K, own, None)
            share = (found[:, : true.shape[1]] >= np.nextafter(true[:, -1:], -1)).mean() if true.size else 1.0
            self._recall = Recall(float(share), _SAMPLED_K, len(rows))
        return self._recall

    def describe(self) -> Description:
        """What it is, and what its answers are worth."""
        return Description(f"{self.kind} in memory", len(self), self.size, 0, self.recall)

    # --- files ----------------------------------------------------------------------------------
    def save(self, folder: str | Path) -> None:
        """Write the index into a folder, in place of the one that it holds. A crash leaves the old one or the new one.

        ``index.json`` holds the ids and names the file of the vectors, which is FAISS's own format.
        """
        folder, data = Path(folder), faiss.serialize_index(self._index).tobytes()
        digest = hashlib.sha256(data).hexdigest()
        name = f"vectors-{digest[:16]}.faiss"
        write_bytes(folder / name, data)
        removed = np.flatnonzero(~self._alive)
        facts: dict[str, Any] = {"kind": self.kind, "effort": self.effort, "vectors": name, "sha256": digest}
        facts |= {"removed": removed.tolist(), "ids": self.ids}
        facts |= {"recall": asdict(self.recall)} if self.recall else {}
        write_json(folder / "index.json", {**facts, "checksum": _checksum(facts)})  # last: it decides
        with explained(folder):
            for old in folder.glob("vectors-*.faiss"):
                if old.name != name:
                    old.unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: str | Path) -> GalleryIndex:
        """An index that :meth:`save` wrote. Raises RunError for files that are missing or damaged."""
        folder = Path(folder)
        facts = _checked_facts(folder / "index.json")
        path = folder / facts["vectors"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}); {_REMEDY}") from None
        if hashlib.sha256(data).hexdigest() != facts["sha256"]:  # FAISS would crash on some damaged files
            raise RunError(f"{path} is damaged or cut off; {_REMEDY}")
        index = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        alive = np.ones(index.ntotal, dtype=bool)
        removed = np.array(facts["removed"], dtype=int)
        if len(facts["ids"]) + len(removed) != len(alive) or (
            len(removed) and not 0 <= removed.min() <= removed.max() < len(alive)
        ):
            raise RunError(f"{folder / 'index.json'} does not fit its vectors; {_REMEDY}")
        alive[removed] = False
        loaded = cls(index, facts["ids"], alive, facts["kind"], facts["effort"])
        loaded._recall = Recall(**facts["recall"]) if "recall" in facts else None
        return loaded


def _checksum(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _checked_facts(file: Path) -> dict[str, Any]:
    """What ``index.json`` says. Raises RunError where it is damaged, by its checksum (older files have none)."""
    facts = read_json(file, _REMEDY)
    damaged = RunError(f"{file} is damaged; {_REMEDY}")
    if not isinstance(facts, dict):
        raise damaged
    given = facts.pop("checksum", None)
    whole = {"kind": str, "effort": int, "vectors": str, "sha256": str, "removed": list, "ids": list}
    if given not in (None, _checksum(facts)) or not all(isinstance(facts.get(n), kind) for n, kind in whole.items()):
        raise damaged
    if facts["kind"] not in get_args(Kind) or Path(facts["vectors"]).name != facts["vectors"]:
        raise damaged
    return facts


def _nearest_cosines(
    vectors: Float32[np.ndarray, "G E"], rows: Int64[np.ndarray, " S"], k: int
) -> Float32[np.ndarray, "S k"]:
    """The k largest cosines of chosen rows with all others, descending, as they are scored."""
    best = np.full((len(rows), k), -np.inf, dtype=np.float32)
    queries = vectors[rows].astype(np.float64)
    for start in range(0, len(vectors), _SCORED_AT_ONCE) if k else ():
        block = vectors[start : start + _SCORED_AT_ONCE].astype(np.float64)
        cosines = (queries @ block.T).astype(np.float32)
        here = np.flatnonzero((rows >= start) & (rows < start + len(block)))
        cosines[here, rows[here] - start] = -np.inf
        best = np.sort(np.hstack([best, cosines]), axis=1)[:, : -k - 1 : -1]
    return best


def _filled(vectors: Float32[np.ndarray, "n E"], kind: Kind) -> Any:
    """A FAISS index of unit vectors, by inner product."""
    size = vectors.shape[1]
    index: Any
    if kind == "exact":
        index = faiss.IndexFlatIP(size)
    elif kind == "hnsw":
        index = faiss.IndexHNSWFlat(size, 32, faiss.METRIC_INNER_PRODUCT)
    else:
        lists = max(1, min(round(4 * math.sqrt(len(vectors))), len(vectors) // _PER_LIST))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(size), size, lists, faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1  # a single list is no reason to warn
        index.train(vectors)
        index.make_direct_map()  # so that vectors can be read back
    index.add(vectors)
    return index
