"""Embedded images that can be searched: with one of them, with the proxy of a class, or with a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from vptsp.data.image_set import ImageSet
from vptsp.errors import ConfigError, DataError, DataWarning
from vptsp.evaluation.gallery_index import GalleryIndex, Kind, check_kind
from vptsp.evaluation.index import Index
from vptsp.evaluation.index.opened import open_index
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.gallery.queries import QueryLists, true_ranks
from vptsp_widgets.pictures import Pictures
from vptsp_widgets.uploads import Uploads

if TYPE_CHECKING:
    from vptsp.settings.build import ConfiguredModel

# {"row": row}, {"proxy": [kind, number]}, {"upload": key, "name": name} or {"text": words}
Query = dict[str, Any]
TextEncoder = Callable[[str], Any]  # of words to a vector (E,) in the space of the images


class Searched:
    """N images, who of them is query and gallery, and what else they can be searched with.

    ``proxies`` are (C, E) by kind, of the classes ``proxy_names``; ``model`` embeds files; ``images`` are where the
    whole pictures come from. ``index`` is a kind of one in memory, an index of the gallery images, or its folder.
    ``text_encoder`` embeds words; what it warns of (DataWarning), as that it has cut them, stands beside the answer.

    Raises DataError for parts that do not fit together, and ConfigError for an unknown kind of index.
    """

    def __init__(
        self,
        saved: SavedEmbeddings,
        model: Run | str | Path | ConfiguredModel | None,
        proxies: Mapping[str, np.ndarray],
        proxy_names: Sequence[str],
        index: Kind | Index | Path,
        images: ImageSet | Pictures | str | Path | None = None,
        text_encoder: TextEncoder | None = None,
    ) -> None:
        if not len(saved):
            why = f"; {saved.left_out_note}" if saved.left_out else ""
            raise DataError(f"{saved.folder} holds no images that could be searched{why}")
        everyone = np.ones(len(saved), dtype=bool)
        self.saved = saved
        self.is_query: Bool[np.ndarray, " N"] = everyone if saved.is_query is None else saved.is_query
        self.is_gallery: Bool[np.ndarray, " N"] = everyone if saved.is_gallery is None else saved.is_gallery
        self.gallery_rows: Int64[np.ndarray, " G"] = np.flatnonzero(self.is_gallery)
        size = saved.embeddings.shape[1]
        self._given = open_index(index) if isinstance(index, Path) else index
        _check_index(self._given, [saved.ids[row] for row in self.gallery_rows], size)
        self._row = {saved.ids[row]: int(row) for row in self.gallery_rows}
        self.proxies = {kind: _checked_proxies(kind, rows, size, proxy_names) for kind, rows in proxies.items()}
        self.proxy_names = list(proxy_names)
        self.unit: Float32[np.ndarray, "N E"] = unit_rows(saved.embeddings)
        self.can_embed = model is not None
        self.text_encoder = text_encoder
        self._of_words: dict[str, tuple[Float32[np.ndarray, " E"], str]] = {}  # the last ones
        self.uploads = Uploads(model, saved)
        self.pictures = Pictures.of(images, saved)

    @property
    def kind(self) -> Kind:
        """Of the index, with which another set can be searched alike; an index on disk is of its own images only."""
        if isinstance(self._given, GalleryIndex):
            return self._given.kind
        return self._given if isinstance(self._given, str) else "exact"

    @cached_property
    def index(self) -> Index:
        """The index of the gallery images; built at the first search."""
        if not isinstance(self._given, str):
            return self._given
        ids = [self.saved.ids[row] for row in self.gallery_rows]
        return GalleryIndex.build(self.unit[self.gallery_rows], ids, self._given)

    @cached_property
    def lists(self) -> QueryLists:
        """Mistakes, hardest negatives and near duplicates; searched for at their first use."""
        return QueryLists(self.unit, self.saved.labels, self.is_query, self.is_gallery)

    def answer(self, query: Query, k: int) -> dict[str, Any]:
        """:meth:`nearest` and :meth:`ranks` of a query."""
        nearest = self.nearest(query, k)
        return nearest | self.ranks(query, [] if nearest["recall"] else nearest["rows"])

    def nearest(self, query: Query, k: int) -> dict[str, Any]:
        """Rows and similarities of the nearest gallery images, the query's label (-1: not known), and R, all of that.

        ``recall`` says of an approximate answer how much of the truth it holds; it is "" for an exact one. ``note`` is
        what the text encoder warned of, or "".
        """
        vector, label, own = self._resolve(query)
        found = self.index.find(vector[None], k, [None if own is None else self.saved.ids[own]])
        true = (self.saved.labels == label) & self.is_gallery
        return {
            "rows": [self._row[name] for name in found.ids[0]],
            "similarities": found.similarities[0][: len(found.ids[0])].tolist(),
            "recall": "" if found.recall is None else str(found.recall),
            "note": self._of_text(query["text"])[1] if "text" in query else "",
            "label": label,
            "relevant": int(true.sum()) - (own is not None and bool(true[own])),
        }

    def ranks(self, query: Query, certain: Sequence[int]) -> dict[str, Any]:
        """Ranks among the whole gallery of the images of the query's class, and how many of the first R are right.

        ``certain`` are the nearest rows as an exact search found them; they come first.
        """
        vector, label, own = self._resolve(query)
        true, first = self.saved.labels == label, np.array(certain, dtype=np.int64)
        ranks = true_ranks(self.unit @ vector, true, self.is_gallery, own, first)
        return {
            "ranks": ranks.tolist(),
            "precision": float((ranks <= len(ranks)).mean()) if len(ranks) else None,
        }

    def pair(self, first: int, second: int) -> tuple[float, list[int | None]]:
        """Cosine similarity of two images, and the rank of each among what the other finds; none: not in it."""
        ranks: list[int | None] = []
        for row, other in ((first, second), (second, first)):
            similar = self.unit @ self.unit[row]
            ahead = (similar > similar[other]) | ((similar == similar[other]) & (np.arange(len(similar)) < other))
            ahead[row] = False
            ranks.append(int((ahead & self.is_gallery).sum()) + 1 if self.is_gallery[other] else None)
        return float(self.unit[first] @ self.unit[second]), ranks

    def _resolve(self, query: Query) -> tuple[Float32[np.ndarray, " E"], int, int | None]:
        """Unit vector, label (-1: no class of these images) and own row of a query."""
        if "proxy" in query:
            kind, number = query["proxy"]
            name, names = self.proxy_names[number], self.saved.class_names
            return self.proxies[kind][number], names.index(name) if name in names else -1, None
        if "upload" in query:
            return self.uploads.embedding(query["upload"]), -1, None
        if "text" in query:
            return self._of_text(query["text"])[0], -1, None
        row = int(query["row"])
        return self.unit[row], int(self.saved.labels[row]), row

    def _of_text(self, words: str) -> tuple[Float32[np.ndarray, " E"], str]:
        """Unit vector of words, and what their encoder warned of."""
        if self.text_encoder is None:
            raise ConfigError("this gallery has no text_encoder to search by words with; make it with one, as CLIP has")
        if words in self._of_words:
            return self._of_words[words]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DataWarning)
            found = self.text_encoder(words)
        said = [str(each.message) for each in caught if issubclass(each.category, DataWarning)]
        for other in caught:
            if not issubclass(other.category, DataWarning):
                warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
        detached = found.detach().cpu() if hasattr(found, "detach") else found
        vector, size = np.asarray(detached, dtype=np.float32), self.unit.shape[1]
        if vector.shape != (size,) or not np.isfinite(vector).all() or not vector.any():
            raise DataError(
                f"text_encoder gave an array of shape {vector.shape} for {plain(words)!r}; it must be {size} finite "
                "numbers, not all 0, in the space of these images"
            )
        # asked for again by table, still and line
        self._of_words = {words: (unit_rows(vector[None])[0], " ".join(said))}
        return self._of_words[words]

    def name(self, query: Query) -> str:
        """What a query is called in a sentence."""
        if "proxy" in query:
            kind, number = query["proxy"]
            return f"the {kind} proxy of {plain(self.proxy_names[number])}"
        if "upload" in query:
            return f"the file {plain(query['name'])}"
        if "text" in query:
            return f"the words {plain(query['text'])!r}"
        row = query["row"]
        return f"{plain(self.saved.ids[row])} of class {plain(self.saved.class_names[self.saved.labels[row]])}"


def _check_index(index: Kind | Index, ids: list[str], size: int) -> None:
    if isinstance(index, str) or not hasattr(index, "describe"):  # isinstance of Index asks for all ids
        check_kind(index)
    elif set(index.ids) != set(ids) or index.size != size:
        raise DataError(
            f"the index holds {len(index)} images of {index.size} numbers each; it must hold these {len(ids)} gallery "
            f"images of {size} numbers each"
        )


def _checked_proxies(kind: str, rows: np.ndarray, size: int, names: Sequence[str]) -> Float32[np.ndarray, "C E"]:
    if np.shape(rows) != (len(names), size):
        raise DataError(
            f"{kind} proxies have shape {np.shape(rows)}; with {len(names)} proxy_names and embeddings of {size} "
            f"numbers they must be ({len(names)}, {size})"
        )
    return unit_rows(np.ascontiguousarray(rows))
