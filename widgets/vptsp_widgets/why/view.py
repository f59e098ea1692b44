"""Query and neighbour side by side: where the model looks in each, and which prompts bring them together.

>>> from vptsp_widgets.why import WhyNeighbour
>>> WhyNeighbour.of_run("runs/blossoms-vptsp_g-1")  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import traitlets

from vptsp.analysis.explain import Attention, prompted_blocks, visual_prompts, why_no_effects
from vptsp.analysis.guided_prompts import speakers
from vptsp.core.guidance.prompts import GuidedPrompts
from vptsp.data.image_set import ImageSet
from vptsp.errors import DataError
from vptsp.runs.checkpoints import load_beside
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.progress import headless
from vptsp.runs.run import Run
from vptsp.settings.build import ConfiguredModel
from vptsp.text import plain
from vptsp_widgets.neighbours import Neighbours
from vptsp_widgets.options import require_options
from vptsp_widgets.pictures import Pictures
from vptsp_widgets.run_view import Content, RunView, run_of
from vptsp_widgets.view import shown, told
from vptsp_widgets.why.description import description
from vptsp_widgets.why.pair import Explained, ExplainedPairs
from vptsp_widgets.why.still import StillPair, html_of

_PATIENCE = 1.0  # seconds that a live view spends on effects before it is shown


class WhyNeighbour(RunView):
    """Why is this image a neighbour of that one?

    ``query`` and ``neighbour`` are ids that can be read, set and observed; ``focus`` is the query, so that a linked
    view chooses it. A new query comes with its nearest image of another class. ``block`` and ``head`` (-1: the mean)
    say which attention is shown.

    Raises DataError for embeddings of fewer than two images, and RunError for a model that cannot be loaded.
    """

    _front = "why"

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
        require_options(type(self), traits)  # before the model is loaded
        self._moving = False
        self._number = self._stamp = 0
        super().__init__(self._content_of(saved, model, images), **traits)
        self.query = query or self.focus or self._mistaken()
        if neighbour:
            self.neighbour = neighbour

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test", **traits: Any) -> Self:
        """The images that a run embedded of a split (``train`` or ``test``), and the model that embedded them."""
        return cls._opened(run, {"split": split}, **traits)

    @classmethod
    def _parts_of(cls, run: Run, split: str = "test") -> dict[str, Any]:
        saved = SavedEmbeddings.of_run(run, split)
        return {"saved": saved, "model": run, "images": Pictures.of_run(run, split, saved)}

    def _content_of(
        self,
        saved: SavedEmbeddings,
        model: ConfiguredModel | Run | str | Path,
        images: ImageSet | Pictures | str | Path | None,
    ) -> Content:
        if len(saved) < 2:
            raise DataError(f"{saved.folder} holds {len(saved)} embedded images; a query and a neighbour are two")
        self.model = model if isinstance(model, ConfiguredModel) else load_beside(model, saved)
        self.saved, self._sources, self._near = saved, Pictures.of(images, saved), Neighbours(saved)
        self._pairs = ExplainedPairs(self.model, self._sources)
        self._speaks = self._spoken_for()
        return Content(saved.ids, {}, run=run_of(saved))

    def _spoken_for(self) -> dict[int, list[str]]:
        """The classes that each guided prompt speaks for, in words, by block from 0; empty where there are none."""
        prompts, place = self.model.prompts, run_of(self.saved)
        if not isinstance(prompts, GuidedPrompts) or place is None or not (place / "config.json").is_file():
            return {}
        found = speakers(place, self.saved)
        return {} if found is None else {block: found.words() for block in prompts.guided_blocks}

    def _begin(self) -> None:
        with self._together():
            self.query = self.neighbour = ""
        self.query = self._mistaken()

    def _mistaken(self, seed: int | None = 0) -> str:
        """A query whose nearest image is of another class."""
        return self.ids[self._near.mistake(np.random.default_rng(seed))]

    # --- what it says, for Python --------------------------------------------------------------
    @property
    def similarity(self) -> float:
        """Cosine similarity of the pair, by the embeddings kept: what every other view says of it.

        ``effects`` are changes of what the model says now, which at low precision is another number in the third digit.
        """
        _, similarities = self._near.ranked(self._row[self.query])
        return float(similarities[self._row[self.neighbour]])

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

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """Query, focus and neighbour are set as one: that they change is no news then."""
        self._moving = True
        try:
            yield
        finally:
            self._moving = False

    @traitlets.observe("focus")
    @shown
    def _focus_is_query(self, change: Any) -> None:
        if change["new"]:
            self.query = change["new"]

    @traitlets.observe("query", "neighbour")
    def _on_pair(self, change: Any) -> None:
        if self._moving or not self.query:
            return
        with self.lock, self._together():
            if change["name"] == "query" or not self.neighbour:
                self.neighbour = self.ids[self._near.of_another_class(self._row[self.query])]
            self.focus = self.query
            self._publish()

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
            query, neighbour = self._row[self._mistaken(seed=None)], -1
        else:
            query, neighbour = int(wanted["query"]), int(wanted["neighbour"])
        with self._together():
            self.query = self.focus = self.ids[query]
            self.neighbour = self.ids[neighbour if neighbour >= 0 else self._near.of_another_class(query)]
            self._publish()

    # --- what it takes to explain ----------------------------------------------------------------
    def _explained(self) -> Explained:
        return self._pairs.of(self.query, self.neighbour)

    def _publish(self) -> None:
        explained, found = self._explained(), self._explained().attention
        _, blocks, heads, _, _ = found.patches.shape
        rows = self._row[self.query], self._row[self.neighbour]
        said = description(self.saved, self._near, self.model, explained, *rows, self._speaks)
        self._stamp += 1
        with self.hold_sync():
            self.block = min(self.block, blocks - 1) if self._stamp > 1 else blocks - 1
            self.head = min(self.head, heads - 1)
            self._query_picture, self._neighbour_picture = explained.pictures
            self._patches, self._prompts = found.patches.tobytes(), found.prompts.tobytes()
            self._effects = explained.effects.tobytes()
            # the stamp: so that an equal pair is an answer too
            self._pair = {"number": self._number, "stamp": self._stamp, **said}
            self.status = explained.note or self.saved.left_out_note

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
        explained = self._explained()
        pair = StillPair(
            ids=(self.query, self.neighbour),
            classes=self._classes(),
            pictures=explained.pictures,
            patches=explained.attention.patches,
            similarity=self.similarity,
            effects=explained.effects,
            blocks=prompted_blocks(self.model),
            without=why_no_effects(self.model) or "",
            visual=visual_prompts(self.model),
            note=self.saved.left_out_note if self.saved.left_out else "",
            speaks=self._speaks,
        )
        return html_of(pair)

    def summary(self) -> str:
        query, neighbour = map(plain, self._classes())
        return f"WhyNeighbour of {query} and {neighbour}, similarity {self.similarity:.3f}"

    def _classes(self) -> tuple[str, str]:
        """Names of the classes of both images."""
        query, neighbour = (self.saved.labels[self._row[name]] for name in (self.query, self.neighbour))
        return self.saved.class_names[query], self.saved.class_names[neighbour]
