"""Query and neighbour side by side: where the model looks in each, and which prompts bring them together.

>>> from vptsp_widgets.why import WhyNeighbour
>>> WhyNeighbour.of_run("runs/blossoms-vptsp_g-1")  # doctest: +SKIP
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from vptsp.analysis.explain import Attention, why_no_effects
from vptsp.data.folder import any_folder
from vptsp.data.images import ImageSet
from vptsp.errors import DataError
from vptsp.runs.checkpoints import load_beside
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.progress import headless
from vptsp.runs.run import Run
from vptsp.settings.build import ConfiguredModel
from vptsp.text import plain
from vptsp_widgets.view import View, shown, told
from vptsp_widgets.why.pair import Explained, Neighbours
from vptsp_widgets.why.pictures import Pictures
from vptsp_widgets.why.still import why_still

CANDIDATES = 10
_PAIRS_KEPT = 32
_PATIENCE = 1.0  # seconds that a live view spends on effects before it is shown


class WhyNeighbour(View):
    """Why is this image a neighbour of that one?

    ``query`` and ``neighbour`` are ids that can be read, set and observed; ``focus`` is the query, so that a linked
    view chooses it. A new query comes with its nearest image of another class. ``block`` and ``head`` (-1: the mean)
    say which attention is shown.

    Raises DataError for embeddings of fewer than two images, and RunError for a model that cannot be loaded.
    """

    _front = "why"

    run = traitlets.Unicode("", help="directory of the run shown; setting it shows another")
    query = traitlets.Unicode("", help="id of the query")
    neighbour = traitlets.Unicode("", help="id of the image it is compared with")
    block = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(-1, help="-1: mean over the heads").tag(sync=True)
    opacity = traitlets.Float(0.8).tag(sync=True)
    _wanted = traitlets.Dict().tag(sync=True)  # front to kernel: {number, query, neighbour} as rows
    _pair = traitlets.Dict().tag(sync=True)  # kernel to front: what is shown
    _query_picture = traitlets.Bytes(b"").tag(sync=True)  # JPEG
    _neighbour_picture = traitlets.Bytes(b"").tag(sync=True)
    _patches = traitlets.Bytes(b"").tag(sync=True)  # float32 (2, L, H, h, w)
    _prompts = traitlets.Bytes(b"").tag(sync=True)  # float32 (2, L, H, N)
    _effects = traitlets.Bytes(b"").tag(sync=True)  # float32 (rows computed so far, N)

    def __init__(
        self,
        saved: SavedEmbeddings,
        model: ConfiguredModel | Run | str | Path,
        images: ImageSet | Pictures | str | Path | None = None,
        query: str = "",
        neighbour: str = "",
        **traits: Any,
    ) -> None:
        self._take(saved, model, images)
        self._split = "test"
        self._moving = False  # query, focus and neighbour are being set together
        self._number = self._stamp = 0
        super().__init__(saved.ids, **traits)
        self.query = query or self.focus or self.ids[self._near.mistake(np.random.default_rng(0))]
        if neighbour:
            self.neighbour = neighbour

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test", **traits: Any) -> WhyNeighbour:
        """The images that a run embedded of a split (``train`` or ``test``), and the model that embedded them."""
        run = Run.of(run)
        saved = SavedEmbeddings.of_run(run, split)
        view = cls(saved, run, Pictures.of_run(run, split, saved), **traits)
        view._split = split
        view.set_trait("run", str(run.path))
        return view

    def _take(
        self,
        saved: SavedEmbeddings,
        model: ConfiguredModel | Run | str | Path,
        images: ImageSet | Pictures | str | Path | None,
    ) -> None:
        if len(saved) < 2:
            raise DataError(f"{saved.folder} holds {len(saved)} embedded images; a query and a neighbour are two")
        self.saved = saved
        self.model = model if isinstance(model, ConfiguredModel) else load_beside(model, saved)
        self._sources = _pictures(images, saved)
        self._near = Neighbours(saved)
        self._kept: OrderedDict[tuple[str, str], Explained] = OrderedDict()

    @traitlets.observe("run")
    @shown
    def _show_run(self, change: Any) -> None:
        if not change["new"] or Path(change["new"]) == self.saved.folder.parent.parent:
            return  # it is shown already
        self.status = "reading the run"
        run = Run.open(change["new"])
        saved = SavedEmbeddings.of_run(run, self._split)
        self._take(saved, run, Pictures.of_run(run, self._split, saved))
        self.selection, self.focus = [], ""
        self.ids, self._row = tuple(saved.ids), {name: row for row, name in enumerate(saved.ids)}
        self._moving = True
        try:
            self.query = self.neighbour = ""
        finally:
            self._moving = False
        self.query = self.ids[self._near.mistake(np.random.default_rng(0))]

    # --- what it says, for Python --------------------------------------------------------------
    @property
    def similarity(self) -> float:
        """Cosine similarity of the pair, by the model."""
        return self._explained().similarity

    @property
    def attention(self) -> Attention:
        """Attention in query and neighbour (the first two of its arrays' I)."""
        return self._explained().attention

    @property
    def effects(self) -> np.ndarray:
        """Change of the similarity without each prompt, float32 (blocks, prompts); computed when first asked for."""
        self._compute_effects((self.query, self.neighbour))
        return self._explained().effects

    # --- the pair --------------------------------------------------------------------------------
    @traitlets.validate("query", "neighbour")
    def _check_image(self, proposal: Any) -> str:
        return self._check_focus(proposal)

    @traitlets.observe("focus")
    @shown
    def _focus_is_query(self, change: Any) -> None:
        if change["new"]:
            self.query = change["new"]

    @traitlets.observe("query", "neighbour")
    def _on_pair(self, change: Any) -> None:
        if self._moving or not self.query:
            return
        with self.lock:
            self._moving = True
            try:
                if change["name"] == "query" or not self.neighbour:
                    self.neighbour = self.ids[self._near.of_another_class(self._row[self.query])]
                self.focus = self.query
                self._publish()
            finally:
                self._moving = False

    @traitlets.observe("_wanted")
    @shown
    def _take_wanted(self, change: Any) -> None:
        """The front end's wish; of several that wait, the widget's channel delivers the last one."""
        self._number = int(change["new"]["number"])
        try:
            self._show_wanted(change["new"])
        except Exception as error:  # the front end waits for an answer
            self.send({"kind": "failed", "number": self._number, "text": told(error)})
            raise

    def _show_wanted(self, wanted: dict[str, Any]) -> None:
        if wanted.get("mistake"):
            query, neighbour = self._near.mistake(np.random.default_rng()), -1
        else:
            query, neighbour = int(wanted["query"]), int(wanted["neighbour"])
        self._moving = True
        try:
            self.query = self.focus = self.ids[query]
            self.neighbour = self.ids[neighbour if neighbour >= 0 else self._near.of_another_class(query)]
            self._publish()
        finally:
            self._moving = False

    # --- what it takes to explain ----------------------------------------------------------------
    def _explained(self) -> Explained:
        key = (self.query, self.neighbour)
        if key not in self._kept:
            self._kept[key] = Explained(self.model, self._sources, key)
            while len(self._kept) > _PAIRS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _publish(self) -> None:
        explained, found = self._explained(), self._explained().attention
        row = self._row[self.query]
        ranked, similarities = self._near.ranked(row)
        listed = list(ranked[:CANDIDATES])
        if self._row[self.neighbour] not in listed:
            listed.append(self._row[self.neighbour])
        ranks = {int(other): rank for rank, other in enumerate(ranked, start=1)}
        _, blocks, heads, height, width = found.patches.shape
        self._stamp += 1
        with self.hold_sync():
            self.block = min(self.block, blocks - 1) if self._stamp > 1 else blocks - 1
            self.head = min(self.head, heads - 1)
            self._query_picture, self._neighbour_picture = explained.pictures
            self._patches, self._prompts = found.patches.tobytes(), found.prompts.tobytes()
            self._effects = explained.effects.tobytes()
            self._pair = {
                "number": self._number,
                "stamp": self._stamp,  # so that an equal pair is an answer too
                "query": self._image(row),
                "neighbour": self._row[self.neighbour],
                "candidates": [
                    {**self._image(other), "rank": ranks.get(int(other), 0), "similarity": float(similarities[other])}
                    for other in listed
                ],
                "similarity": explained.similarity,
                "shape": {"blocks": blocks, "heads": heads, "grid": [height, width], "pooled": found.pooled},
                "prompts": found.prompts.shape[-1],
                "effect_rows": len(self.model.prompts()),
                "without": why_no_effects(self.model) or "",
            }
            self.status = explained.note or self.saved.left_out_note

    def _image(self, row: int) -> dict[str, Any]:
        label = int(self.saved.labels[row])
        same = label == self.saved.labels[self._row[self.query]]
        return {
            "row": int(row),
            "id": plain(self.ids[row], 120),
            "class": plain(self.saved.class_names[label]),
            "same": bool(same),
        }

    def _on_effects(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """The front end shows a pair without its effects. They take seconds on large models: not in this thread."""
        pair = (self.query, self.neighbour)

        def compute() -> None:
            try:
                self._compute_effects(pair)
            except Exception as error:
                self.status = told(error)

        threading.Thread(target=compute, daemon=True).start()

    def _compute_effects(self, pair: tuple[str, str], seconds: float = math.inf) -> None:
        """Block by block, until another pair is wanted or the time is over."""
        end = time.monotonic() + seconds
        with self.lock:
            explained = self._explained()
        with explained.lock:
            while not explained.complete and (self.query, self.neighbour) == pair and time.monotonic() < end:
                effects = explained.advance()
                if (self.query, self.neighbour) == pair:  # another one may have come meanwhile
                    self._effects = effects.tobytes()

    # --- display ----------------------------------------------------------------------------------
    def state_for_page(self) -> dict[str, Any]:
        _ = self.effects  # a page has nobody to compute them
        return super().state_for_page()

    def still(self) -> str:
        """The pair as HTML; in a live notebook with the effects that are known after a second, as it says."""
        self._compute_effects((self.query, self.neighbour), math.inf if headless() else _PATIENCE)
        return why_still(self, self._explained().effects)

    def summary(self) -> str:
        shown = [self.saved.class_names[self.saved.labels[self._row[name]]] for name in (self.query, self.neighbour)]
        return f"WhyNeighbour of {plain(shown[0])} and {plain(shown[1])}, similarity {self.similarity:.3f}"


def _pictures(images: ImageSet | Pictures | str | Path | None, saved: SavedEmbeddings) -> Pictures:
    if images is None or isinstance(images, Pictures):
        return images or Pictures(None, saved)
    found = images if isinstance(images, ImageSet) else any_folder(Path(images))
    return Pictures(lambda side: found, saved)
