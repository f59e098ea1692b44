"""A gallery to search a set of images: by image, class, proxy or a file of one's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from jaxtyping import Float32

from vptsp.analysis.maps import proxies_of
from vptsp.errors import ConfigError, DataError, RunError
from vptsp.evaluation.indexes import GalleryIndex, Kind, check_kind
from vptsp.evaluation.search import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.thumbnails import Thumbnails
from vptsp.settings.build import ConfiguredModel
from vptsp.text import plain
from vptsp_widgets.gallery.queries import QueryLists, true_ranks
from vptsp_widgets.gallery.still import html_of
from vptsp_widgets.uploads import Uploads
from vptsp_widgets.view import View, shown, told

_PAGES_KEPT = 12  # thumbnail pages that the front end keeps


class RetrievalGallery(View):
    """Choose a query and see its most similar gallery images, ranked, with similarity, class, right or wrong.

    ``focus`` is the id of the image that is searched with: setting it, here or in a linked view, searches. It is ""
    while a proxy or a file is the query. ``selection`` is what the user has picked among the tiles (Space, or a click
    with Ctrl) and is never changed by a search; set from Python or a linked view to two images or more, those are
    shown as a plain grid to choose a query from. ``results`` is the ranked table of the current query.

    ``model`` (a run, an inference checkpoint or a model; loaded when first needed) embeds files of the user's own.
    ``proxies`` are (C, E) by kind, with the class name of each row in ``proxy_names``. ``index`` is a kind of
    :class:`~vptsp.evaluation.indexes.GalleryIndex`, or one with the ids of the gallery images; the default is exact.

    Raises DataError for parts that do not fit together and ConfigError for an unknown kind of index.
    """

    _front = "gallery"

    run = traitlets.Unicode("", help="directory of the run shown; setting it shows another run, as link() does")
    k = traitlets.Int(24, min=1, max=500, help="neighbours shown").tag(sync=True)
    _query = traitlets.Dict(help="proxy or upload that is the query; empty: the image of focus").tag(sync=True)
    _ids = traitlets.Bytes(b"").tag(sync=True)  # UTF-8, with NUL between two ids
    _labels = traitlets.Bytes(b"").tag(sync=True)  # int32 (N,)
    _roles = traitlets.Bytes(b"").tag(sync=True)  # uint8 (N,): 1 query, 2 gallery, 3 both; empty: all are both
    _class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _proxy_kinds = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _proxy_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _can_embed = traitlets.Bool(False).tag(sync=True)
    _notes = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(
        self,
        saved: SavedEmbeddings,
        model: Run | str | Path | ConfiguredModel | None = None,
        proxies: Mapping[str, np.ndarray] | None = None,
        proxy_names: Sequence[str] = (),
        index: Kind | GalleryIndex = "exact",
        k: int = 24,
    ) -> None:
        self._split = "test"
        content = self._content(saved, model, proxies or {}, proxy_names, index)
        super().__init__(saved.ids, _thumbnails(saved), k=k, **content)

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test", **options: Any) -> RetrievalGallery:
        """The gallery of a run's images of ``split`` (test or train), with its model and its proxies."""
        run = Run.of(run)
        view = cls(**{**_of_run(run, split), **options})
        view._split = split
        view.set_trait("run", str(run.path))
        return view

    @classmethod
    def of_arrays(
        cls,
        embeddings: Any,
        labels: Sequence[Any] | None = None,
        *,
        images: Sequence[str | Path] | None = None,
        ids: Sequence[str] | None = None,
        **options: Any,
    ) -> RetrievalGallery:
        """The gallery of embeddings of one's own, without a run: arrays, or a file of them.

        Takes what :meth:`SavedEmbeddings.write <vptsp.runs.embeddings.SavedEmbeddings.write>` does, or what that
        returned. Raises DataError for parts that do not fit together.
        """
        if isinstance(embeddings, SavedEmbeddings):
            return cls(embeddings, **options)
        return cls(SavedEmbeddings.of_arrays(embeddings, labels, images=images, ids=ids), **options)

    def _content(
        self,
        saved: SavedEmbeddings,
        model: Run | str | Path | ConfiguredModel | None,
        proxies: Mapping[str, np.ndarray],
        proxy_names: Sequence[str],
        index: Kind | GalleryIndex,
    ) -> dict[str, Any]:
        """The synced traits for these images; sets what Python itself keeps of them."""
        if not len(saved):
            why = f"; {saved.left_out_note}" if saved.left_out else ""
            raise DataError(f"{saved.folder} holds no images that could be searched{why}")
        everyone = np.ones(len(saved), dtype=bool)
        is_query = everyone if saved.is_query is None else saved.is_query
        is_gallery = everyone if saved.is_gallery is None else saved.is_gallery
        size = saved.embeddings.shape[1]
        _check_index(index, [saved.ids[row] for row in np.flatnonzero(is_gallery)], size)
        self.proxies = {kind: _checked_proxies(kind, rows, size, proxy_names) for kind, rows in proxies.items()}
        self.saved, self._given_index, self._is_query, self._is_gallery = saved, index, is_query, is_gallery
        self._unit, self._gallery_rows = unit_rows(saved.embeddings).numpy(), np.flatnonzero(is_gallery)
        self.uploads = Uploads(model, saved)
        for name in ("index", "lists"):
            self.__dict__.pop(name, None)
        notes = [saved.left_out_note] if saved.left_out else []
        if not (saved.folder / "tiles.json").is_file():
            notes.append(f"no thumbnails: {plain(saved.folder / 'tiles.json', 200)} is missing")
        return {
            "_ids": "\0".join(name.replace("\0", " ") for name in saved.ids).encode(errors="replace"),
            "_labels": saved.labels.astype("<i4").tobytes(),
            "_roles": b"" if saved.is_query is None else (is_query + 2 * is_gallery).astype("u1").tobytes(),
            "_class_names": list(saved.class_names),
            "_proxy_kinds": list(self.proxies),
            "_proxy_names": list(proxy_names),
            "_can_embed": model is not None,
            "_notes": notes,
        }

    @traitlets.observe("run")
    @shown
    def _show_run(self, change: Any) -> None:
        if not change["new"] or (not change["old"] and Path(change["new"]) == self.saved.folder.parent.parent):
            return  # what is shown already
        given = _of_run(Run.open(change["new"]), self._split)
        kind = self._given_index.kind if isinstance(self._given_index, GalleryIndex) else self._given_index
        content = self._content(**given, index=kind)
        saved = given["saved"]
        with self.hold_sync():  # the front end must not see the rows of one run with the names of another
            self.selection, self.focus, self._query = [], "", {}
            self.ids, self._row = tuple(saved.ids), {name: row for row, name in enumerate(saved.ids)}
            self._thumbnails = _thumbnails(saved)
            self._atlas = self._thumbnails.layout(self.ids) if self._thumbnails else {}
            for name, value in content.items():
                self.set_trait(name, value)
            self.status = ""

    @cached_property
    def index(self) -> GalleryIndex:
        """The index of the gallery images; built at the first search."""
        if isinstance(self._given_index, GalleryIndex):
            return self._given_index
        ids = [self.saved.ids[row] for row in self._gallery_rows]
        return GalleryIndex.build(self._unit[self._gallery_rows], ids, self._given_index)

    @cached_property
    def lists(self) -> QueryLists:
        """Mistakes, hardest negatives and near duplicates; searched for at their first use."""
        return QueryLists(self._unit, self.saved.labels, self._is_query, self._is_gallery)

    # --- queries from Python ----------------------------------------------------------------------
    def query_proxy(self, kind: str, class_name: str) -> None:
        """Search with the proxy of a class: what does this proxy think its class looks like?"""
        if kind not in self.proxies:
            legal = ", ".join(self.proxies) or "none, as this gallery was made without proxies"
            raise ConfigError(f"there are no proxies of kind {plain(kind)!r}; legal: {legal}")
        if class_name not in self._proxy_names:
            raise ConfigError(f"there is no proxy of a class {plain(class_name)!r}")
        self._ask({"proxy": [kind, self._proxy_names.index(class_name)]})

    def query_file(self, path: str | Path) -> None:
        """Search with an image file, embedded as the model embeds test images."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); give the path of an image") from None
        self._ask({"upload": self.uploads.keep(data, Path(path).name), "name": Path(path).name})

    def _ask(self, query: dict[str, Any]) -> None:
        self.focus = ""
        self._query = query

    @traitlets.observe("focus")
    def _image_is_query(self, change: Any) -> None:
        if change["new"]:
            self._query = {}

    @property
    def results(self) -> pd.DataFrame:
        """Ranked neighbours of the current query: rank, id, class, similarity, right (none where nobody knows)."""
        columns = ["rank", "id", "class", "similarity", "right"]
        query = self._current()
        if not query:
            return pd.DataFrame(columns=columns)
        answer, labels = self._answer(query, self.k), self.saved.labels
        known = answer["label"] >= 0
        lines = [
            (rank, self.ids[row], self.saved.class_names[labels[row]], similarity, bool(labels[row] == answer["label"]))
            for rank, (row, similarity) in enumerate(zip(answer["rows"], answer["similarities"], strict=True), start=1)
        ]
        return pd.DataFrame([line if known else (*line[:4], None) for line in lines], columns=columns)

    def _current(self) -> dict[str, Any]:
        return dict(self._query) or ({"row": self._row[self.focus]} if self.focus else {})

    # --- answers ------------------------------------------------------------------------------------
    def _answer(self, query: dict[str, Any], k: int) -> dict[str, Any]:
        """Rows and similarities of the nearest gallery images, and the ranks of those of the query's class."""
        vector, label, own = self._resolve(query)
        found, similarities = self.index.search(vector[None], k, [None if own is None else self.ids[own]])
        near = found[0] >= 0
        rows = self._gallery_rows[found[0][near]]
        certain = rows if self.index.kind == "exact" else rows[:0]
        ranks = true_ranks(self._unit @ vector, self.saved.labels == label, self._is_gallery, own, certain)
        return {
            "rows": rows.tolist(),
            "similarities": similarities[0][near].tolist(),
            "label": label,
            "ranks": ranks.tolist(),
            "relevant": len(ranks),
            "precision": float((ranks <= len(ranks)).mean()) if len(ranks) else None,
        }

    def _resolve(self, query: dict[str, Any]) -> tuple[Float32[np.ndarray, " E"], int, int | None]:
        """Unit vector, label (-1: no class of these images) and own row of a query."""
        if "proxy" in query:
            kind, number = query["proxy"]
            name, names = self._proxy_names[number], self.saved.class_names
            return self.proxies[kind][number], names.index(name) if name in names else -1, None
        if "upload" in query:
            return self.uploads.embedding(query["upload"]), -1, None
        row = int(query["row"])
        return self._unit[row], int(self.saved.labels[row]), row

    @contextlib.contextmanager
    def _answering(self, content: dict[str, Any]) -> Iterator[None]:
        """A request that fails is answered too: the front end waits for it."""
        self.status = ""
        try:
            yield
        except Exception as error:
            self.send({"kind": "failed", "number": content["number"], "text": told(error)})
            raise

    def _on_query(self, content: dict[str, Any], buffers: list[Any]) -> None:
        with self._answering(content):
            query = content["query"]
            answer = self._answer(query, self.k)
            # of a large set, the few tiles to show: fetching the pages that hold them takes seconds
            tiles = [*answer["rows"], *([query["row"]] if "row" in query else [])] if self._many_pages() else []
            pictures = self._thumbnails.jpegs([self.ids[row] for row in tiles]) if self._thumbnails else []
            preview = [self.uploads.preview(query["upload"])] if "upload" in query else []
            message = {"kind": "result", "number": content["number"], "tiles": tiles, **answer}
            self.send(message, [*preview, *pictures])

    def _many_pages(self) -> bool:
        return self._thumbnails is not None and len(self._thumbnails.place) > _PAGES_KEPT * self._thumbnails.per_side**2

    def _on_upload(self, content: dict[str, Any], buffers: list[Any]) -> None:
        with self._answering(content):
            key = self.uploads.keep(bytes(buffers[0]), str(content["name"]))
            self.send({"kind": "uploaded", "number": content["number"], "upload": key})

    def _on_list(self, content: dict[str, Any], buffers: list[Any]) -> None:
        with self._answering(content):
            found = self.lists.named(content["which"])
            self.send({"kind": "list", "number": content["number"], "which": content["which"], **found})

    # --- without a kernel -----------------------------------------------------------------------------
    def state_for_page(self, queries: int = 2000, k: int = 12, seed: int = 0) -> dict[str, Any]:
        """The state with the answers in it: k neighbours of all images, or of a seeded sample of ``queries``."""
        state = super().state_for_page() | {"k": k, "_query": {}, "_can_embed": False, "_proxy_kinds": []}
        state |= self.lists.table(queries, k, seed)
        if state["_focused"] not in np.frombuffer(state["_table_rows"], dtype="<i4"):
            state["_focused"] = -1
        return state

    def still(self) -> str:
        """The current query and its nearest images; without a query, a few with right and wrong neighbours."""
        return html_of(self)

    def _name(self, query: dict[str, Any]) -> str:
        if "proxy" in query:
            kind, number = query["proxy"]
            return f"the {kind} proxy of {plain(self._proxy_names[number])}"
        if "upload" in query:
            return f"the file {plain(query['name'])}"
        row = query["row"]
        return f"{plain(self.ids[row])} of class {plain(self.saved.class_names[self.saved.labels[row]])}"

    def summary(self) -> str:
        """One line: the images, and the query with the rank of its first right image."""
        text = f"RetrievalGallery of {len(self.ids):,} images of {len(set(self.saved.labels.tolist())):,} classes"
        query = self._current()
        if not query:
            return text
        ranks = self._answer(query, 1)["ranks"]
        return f"{text}; query: {self._name(query)}" + (f", first right image at rank {ranks[0]}" if ranks else "")


def _of_run(run: Run, split: str) -> dict[str, Any]:
    saved = SavedEmbeddings.of_run(run, split)
    proxies, names = proxies_of(run, saved)
    return {"saved": saved, "model": run, "proxies": proxies, "proxy_names": names}


def _thumbnails(saved: SavedEmbeddings) -> Thumbnails | None:
    try:
        return saved.thumbnails
    except RunError:
        return None  # _notes say so


def _check_index(index: Kind | GalleryIndex, ids: list[str], size: int) -> None:
    if not isinstance(index, GalleryIndex):
        check_kind(index)
    elif index.ids != ids or index.size != size:
        raise DataError(
            f"the index holds {len(index)} images of {index.size} numbers each; it must hold these {len(ids)} gallery "
            f"images, in their order, of {size} numbers each"
        )


def _checked_proxies(kind: str, rows: np.ndarray, size: int, names: Sequence[str]) -> Float32[np.ndarray, "C E"]:
    if np.shape(rows) != (len(names), size):
        raise DataError(
            f"{kind} proxies have shape {np.shape(rows)}; with {len(names)} proxy_names and embeddings of {size} "
            f"numbers they must be ({len(names)}, {size})"
        )
    return unit_rows(np.ascontiguousarray(rows)).numpy()
