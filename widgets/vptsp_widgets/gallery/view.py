"""A gallery to search a set of images: by image, class, proxy or a file of one's own."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import traitlets

from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.data.image_set import ImageSet
from vptsp.errors import ConfigError, DataError, DataWarning
from vptsp.evaluation.gallery_index import Kind
from vptsp.evaluation.index import Index
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.gallery.searched import Query, Searched, TextEncoder
from vptsp_widgets.gallery.still import html_of
from vptsp_widgets.pictures import Pictures
from vptsp_widgets.run_view import Content, EmbeddingsView, run_of, thumbnails_of
from vptsp_widgets.view import told

if TYPE_CHECKING:
    from vptsp.settings.build import ConfiguredModel

_PAGES_KEPT = 12  # thumbnail pages that the front end keeps; of larger sets it gets single tiles


class RetrievalGallery(EmbeddingsView):
    """Choose a query and see its most similar gallery images, ranked, with similarity, class, right or wrong.

    ``focus`` is the id of the image that is searched with: setting it, here or in a linked view, searches. It is ""
    while a proxy or a file is the query. ``selection`` is what the user has picked among the tiles (Space, or a click
    with Ctrl) and is never changed by a search; set from Python or a linked view to two images or more, those are
    shown as a plain grid to choose a query from. ``results`` is the ranked table of the current query.

    ``model`` (a run, an inference checkpoint or a model; loaded when first needed) embeds files of the user's own.
    ``images`` (a set, or a folder) are looked at in full size; without, the files that the embeddings were made of, or
    thumbnails. ``proxies`` are (C, E) by kind, with the class name of each row in ``proxy_names``. ``index`` is a kind
    of :class:`~vptsp.evaluation.gallery_index.GalleryIndex`, an index with the ids of the gallery images, or its folder
    (``vptsp index build`` makes one); the default is exact. What an approximate one finds is shown beside the query.
    ``text_encoder`` embeds words in the space of the images, (E,) numbers, so that they can be searched with: the text
    side of a model such as CLIP (:mod:`vptsp.evaluation.image_text`).

    Raises DataError for parts that do not fit together and ConfigError for an unknown kind of index.
    """

    _front = "gallery"

    k = traitlets.Int(24, min=1, max=500, help="neighbours shown").tag(sync=True)
    _query = traitlets.Dict(help="proxy, upload or text that is the query; empty: the image of focus").tag(sync=True)
    _ids = traitlets.Bytes(b"").tag(sync=True)  # UTF-8, with NUL between two ids
    _labels = traitlets.Bytes(b"").tag(sync=True)  # int32 (N,)
    _roles = traitlets.Bytes(b"").tag(sync=True)  # uint8 (N,): 1 query, 2 gallery, 3 both; empty: all are both
    _class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _proxy_kinds = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _proxy_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _can_embed = traitlets.Bool(False).tag(sync=True)
    _takes_text = traitlets.Bool(False).tag(sync=True)
    _singly = traitlets.Bool(False).tag(sync=True)  # whether thumbnails are sent one by one
    _notes = traitlets.List(traitlets.Unicode()).tag(sync=True)

    searched: Searched  # the images, and all that they can be searched with

    def __init__(
        self,
        saved: SavedEmbeddings,
        model: Run | str | Path | ConfiguredModel | None = None,
        proxies: Mapping[str, np.ndarray] | None = None,
        proxy_names: Sequence[str] = (),
        index: Kind | Index | Path = "exact",
        k: int = 24,
        images: ImageSet | Pictures | str | Path | None = None,
        text_encoder: TextEncoder | None = None,
    ) -> None:
        content = self._content_of(saved, model, proxies or {}, proxy_names, index, images, text_encoder)
        super().__init__(content, k=k)

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test", **options: Any) -> Self:
        """The gallery of a run's images of ``split`` (test or train), with its model and its proxies."""
        return cls._opened(run, {"split": split}, **options)

    @classmethod
    def _parts_of(cls, run: Run, split: str = "test") -> dict[str, Any]:
        saved = SavedEmbeddings.of_run(run, split)
        proxies, names = proxies_of(run, saved)
        pictures = Pictures.of_run(run, split, saved)
        return {"saved": saved, "model": run, "proxies": proxies, "proxy_names": names, "images": pictures}

    def _content_of(
        self,
        saved: SavedEmbeddings,
        model: Run | str | Path | ConfiguredModel | None,
        proxies: Mapping[str, np.ndarray],
        proxy_names: Sequence[str],
        index: Kind | Index | Path | None = None,
        images: ImageSet | Pictures | str | Path | None = None,
        text_encoder: TextEncoder | None = None,
    ) -> Content:
        index = self.searched.kind if index is None else index
        self.searched = searched = Searched(saved, model, proxies, proxy_names, index, images, text_encoder)
        notes = [saved.left_out_note] if saved.left_out else []
        notes += [saved.no_thumbnails_note] if saved.no_thumbnails_note else []
        roles = searched.is_query + 2 * searched.is_gallery
        thumbnails = thumbnails_of(saved)
        traits: dict[str, Any] = {
            "_query": {},
            "_ids": "\0".join(name.replace("\0", " ") for name in saved.ids).encode(errors="replace"),
            "_labels": saved.labels.astype("<i4").tobytes(),
            "_roles": b"" if saved.is_query is None else roles.astype("u1").tobytes(),
            "_class_names": list(saved.class_names),
            "_proxy_kinds": list(searched.proxies),
            "_proxy_names": searched.proxy_names,
            "_can_embed": searched.can_embed,
            "_takes_text": text_encoder is not None,
            "_singly": thumbnails is not None and len(thumbnails.place) > _PAGES_KEPT * thumbnails.per_side**2,
            "_notes": notes,
        }
        return Content(saved.ids, traits, thumbnails, run_of(saved))

    # --- what is searched -------------------------------------------------------------------------
    @property
    def saved(self) -> SavedEmbeddings:
        """The images."""
        return self.searched.saved

    @property
    def proxies(self) -> dict[str, np.ndarray]:
        """Unit proxies (C, E) by kind."""
        return self.searched.proxies

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
        self._ask({"upload": self.searched.uploads.keep(data, Path(path).name), "name": Path(path).name})

    def query_text(self, words: str) -> None:
        """Search with words. What their encoder warns of is a DataWarning here and stands in the view as well.

        Raises ConfigError without a text encoder, DataError for no words.
        """
        if not words.strip():
            raise DataError("there are no words to search with; write what the images should show")
        # refused here, where the call is
        if note := self.searched.nearest({"text": words}, 1)["note"]:
            warnings.warn(note, DataWarning, stacklevel=2)
        self._ask({"text": words})

    def _ask(self, query: Query) -> None:
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
        answer, labels = self.searched.answer(query, self.k), self.saved.labels
        known = answer["label"] >= 0
        lines = [
            (rank, self.ids[row], self.saved.class_names[labels[row]], similarity, bool(labels[row] == answer["label"]))
            for rank, (row, similarity) in enumerate(zip(answer["rows"], answer["similarities"], strict=True), start=1)
        ]
        return pd.DataFrame([line if known else (*line[:4], None) for line in lines], columns=columns)

    @property
    def selected(self) -> pd.DataFrame:
        """The class of each selected image, by id."""
        names = [self.saved.class_names[self.saved.labels[self._row[name]]] for name in self.selection]
        return pd.DataFrame({"class": names}, index=pd.Index(self.selection, name="id", dtype=object))

    def _current(self) -> Query:
        return dict(self._query) or ({"row": self._row[self.focus]} if self.focus else {})

    # --- answers ------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _answering(self, content: dict[str, Any], said: str | None = "") -> Iterator[None]:
        """A request that fails is answered too: the front end waits for it. None as ``said`` leaves what is said."""
        if said is not None:
            self.status = said
        try:
            yield
        except Exception as error:
            self.send({"kind": "failed", "number": content["number"], "text": told(error)})
            raise

    def _on_query(self, content: dict[str, Any], buffers: list[Any]) -> None:
        with self._answering(content):
            query = content["query"]
            answer = self.searched.nearest(query, self.k)
            # of a large set, the few tiles to show: fetching the pages that hold them takes seconds
            tiles = [*answer["rows"], *([query["row"]] if "row" in query else [])] if self._singly else []
            pictures = self._tiles(tiles)
            preview = [self.searched.uploads.preview(query["upload"])] if "upload" in query else []
            message = {"kind": "result", "number": content["number"], "tiles": tiles, **answer}
            self.send(message, [*preview, *pictures])

    def _on_ranks(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """They take a look at the whole gallery, so they are asked for once the pictures are there."""
        with self._answering(content, said=None):
            ranks = self.searched.ranks(content["query"], content["certain"])
            self.send({"kind": "ranks", "number": content["number"], **ranks})

    def _on_large(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """The whole picture of an image; one that cannot be had is answered with its thumbnail and a note."""
        row = int(content["row"])
        picture = self.searched.pictures.whole(self.ids[row])
        self.send({"kind": "large", "row": row, "note": self.searched.pictures.note(self.ids[row])}, [picture])

    def _on_pair(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """How similar two images are, and at which rank of the gallery each finds the other."""
        rows = [int(row) for row in content["rows"]]
        similarity, ranks = self.searched.pair(*rows)
        self.send({"kind": "pair", "rows": rows, "similarity": similarity, "ranks": ranks})

    def _tiles(self, rows: Sequence[int]) -> list[bytes]:
        return self._thumbnails.jpegs([self.ids[row] for row in rows]) if self._thumbnails else []

    def _on_tiles(self, content: dict[str, Any], buffers: list[Any]) -> None:
        rows = [int(row) for row in content["rows"]]
        self.send({"kind": "tiles", "rows": rows}, self._tiles(rows))

    def _on_upload(self, content: dict[str, Any], buffers: list[Any]) -> None:
        with self._answering(content):
            key = self.searched.uploads.keep(bytes(buffers[0]), str(content["name"]))
            self.send({"kind": "uploaded", "number": content["number"], "upload": key})

    def _on_list(self, content: dict[str, Any], buffers: list[Any]) -> None:
        with self._answering(content):
            found = self.searched.lists.named(content["which"])
            self.send({"kind": "list", "number": content["number"], "which": content["which"], **found})

    def _text_trouble(self, query: Query) -> str:
        """Why words cannot be searched with, or nothing: a view is shown whatever its user's encoder does."""
        try:
            self.searched.nearest(query, 1)
        except Exception as error:
            return f"{self.searched.name(query)} could not be searched with: {told(error)}"
        return ""

    # --- without a kernel -----------------------------------------------------------------------------
    def state_for_page(self, queries: int = 2000, k: int = 12, seed: int = 0) -> dict[str, Any]:
        """The state with the answers in it: k neighbours of all images, or of a seeded sample of ``queries``."""
        state = super().state_for_page() | {"k": k, "_query": {}, "_can_embed": False, "_proxy_kinds": []}
        state |= {"_takes_text": False}
        state |= self.searched.lists.table(queries, k, seed)
        if state["_focused"] not in np.frombuffer(state["_table_rows"], dtype="<i4"):
            state["_focused"] = -1
        return state

    def still(self) -> str:
        """The current query and its nearest images; without a query, a few with right and wrong neighbours."""
        query, notes = self._current(), list(self._notes)
        if "text" in query and (why := self._text_trouble(query)):
            query, notes = {}, [why, *notes]
        return html_of(self.searched, query, self.k, self._thumbnails, notes)

    def summary(self) -> str:
        """One line: the images, and the query with the rank of its first right image."""
        text = f"RetrievalGallery of {len(self.ids):,} images of {len(set(self.saved.labels.tolist())):,} classes"
        query = self._current()
        if not query or ("text" in query and self._text_trouble(query)):
            return text
        ranks = self.searched.answer(query, 1)["ranks"]
        return f"{text}; query: {self.searched.name(query)}" + (
            f", first right image at rank {ranks[0]}" if ranks else ""
        )
