"""The anatomy of a run's proxies: what each class's is made of, and what another alpha would have made of it.

>>> from vptsp_widgets.anatomy import ProxyAnatomy
>>> anatomy = ProxyAnatomy.of_run("runs/blossoms-vptsp_g-1")  # doctest: +SKIP
>>> anatomy.alpha, anatomy.score().accuracy  # doctest: +SKIP

The front end (``front/``) fuses, classifies and retrieves by itself, also while the kernel is busy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from vptsp.analysis.anatomy import AlphaScore, Anatomy
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.anatomy import data
from vptsp_widgets.anatomy.still import StillAnatomy, html_of
from vptsp_widgets.run_view import Content, RunView, run_of, thumbnails_of
from vptsp_widgets.view import shown

PERMUTATIONS = 1999


class ProxyAnatomy(RunView):
    """Learned O, semantic G and fused q of every training class, for any ``alpha``, beside the training images.

    ``alpha`` starts where the run trained; ``focus_class`` is the class looked at. Choosing one in the view
    selects its images, so that linked views of the training images show them, and an image focused there shows its
    class here. ``parts`` is the :class:`~vptsp.analysis.anatomy.Anatomy` that is shown: of large sets a sample,
    and every number is then among those shown.

    Raises RunError for a run without embeddings, snapshots or proxies. A run without semantic proxies is shown with
    its learned ones alone.
    """

    _front = "anatomy"

    alpha = traitlets.Float(0.5, help="share of O in q; 1: learned proxies only, 0: semantic only").tag(sync=True)
    focus_class = traitlets.Unicode("", help="name of the class looked at")
    _class = traitlets.Int(0).tag(sync=True)
    _facts = traitlets.Dict().tag(sync=True)
    _class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _prompts = traitlets.List(traitlets.Int(), help="guided prompt of each class, from 0; empty: none").tag(sync=True)
    _rows = traitlets.Bytes(b"").tag(sync=True)  # int32 (n,): the view's row of each image shown
    _labels = traitlets.Bytes(b"").tag(sync=True)  # int32 (n,)
    _dots = traitlets.Bytes(b"").tag(sync=True)  # float32 (2, c, n): of O and of G with each image
    _lengths = traitlets.Bytes(b"").tag(sync=True)  # float32 (3, c): |O|², |G|², O·G
    _places = traitlets.Bytes(b"").tag(sync=True)  # float32, by frame: images, O, G, mean
    _rho = traitlets.Bytes(b"").tag(sync=True)  # float32, one for each step of alpha

    def __init__(self, whole: Anatomy, saved: SavedEmbeddings | None = None, **traits: Any) -> None:
        super().__init__(self._content_of(whole, saved), **traits)
        self._begin()

    @classmethod
    def of_run(cls, run: Run | str | Path, **traits: Any) -> Self:
        """The proxies of a finished run, or of one that is training, and its training images."""
        return cls._opened(run, {}, **traits)

    @classmethod
    def _parts_of(cls, run: Run) -> dict[str, Any]:
        saved = SavedEmbeddings.of_run(run, "train")
        return {"whole": Anatomy.of_run(run, saved), "saved": saved}

    def _content_of(self, whole: Anatomy, saved: SavedEmbeddings | None) -> Content:
        if not len(whole.ids):
            raise DataError(f"{whole.name} holds no training images that its proxies could be compared with")
        self._whole, self.parts = whole, (parts := data.choose(whole))
        self.correlations, rho, without = data.correlations(parts, PERMUTATIONS)
        thumbnails = thumbnails_of(saved)
        notes = [without] if without else []
        if parts is not whole:
            notes.append(
                f"{len(parts.class_names):,} of {len(whole.class_names):,} classes and {len(parts.ids):,} of "
                f"{len(whole.ids):,} images shown; every number is among these"
            )
        if saved is not None and saved.left_out:
            notes.append(saved.left_out_note)
        if parts.semantic is None:
            notes.append("this run has no semantic proxies, so there is nothing to fuse: learned proxies only")
        place = {name: row for row, name in enumerate(whole.ids)}
        traits = {
            **data.arrays(parts),
            "alpha": whole.alpha,
            "_rho": rho,
            "_rows": np.array([place[name] for name in parts.ids], dtype="<i4").tobytes(),
            "_class_names": [plain(name) for name in parts.class_names],
            "_prompts": [] if parts.prompt_of_class is None else parts.prompt_of_class.tolist(),
            "_facts": {
                "name": plain(whole.name),
                "epoch": whole.epoch,
                "trained": whole.alpha,
                "semantic": parts.semantic is not None,
                "notes": notes,
                "correlations": self.correlations,
                "thumbnails": thumbnails is not None,
            },
        }
        return Content(whole.ids, traits, thumbnails, run_of(saved))

    def _begin(self) -> None:
        """The class looked at stays so where it is shown."""
        if self.focus_class not in self.parts.class_names:
            self.focus_class = self._telling_class()
        self._class = self.parts.row_of(self.focus_class)

    # --- numbers --------------------------------------------------------------------------------
    def score(self, alpha: float | None = None) -> AlphaScore:
        """Proxy classification and proxy-to-image retrieval of what is shown; ``alpha`` none is the slider's."""
        return self.parts.score(self.alpha if alpha is None else alpha)

    def gains(self) -> pd.DataFrame:
        """The table of classes at the slider's alpha, those that semantics help most first."""
        return self.parts.classes(self.alpha)

    def _telling_class(self) -> str:
        """The class that semantics help most; without them, the one that its proxy finds worst."""
        table = self.gains()
        return str(table.index[0] if self.parts.semantic is not None else table["ap_learned"].idxmin())

    def prompts(self) -> pd.DataFrame:
        """The guided prompts and their classes at the slider's alpha; DataError for a run without guided prompts."""
        return self.parts.prompts(self.alpha)

    # --- state ----------------------------------------------------------------------------------
    @traitlets.validate("alpha")
    def _check_alpha(self, proposal: Any) -> float:
        self.parts.fused(proposal["value"])  # says what is legal
        return float(proposal["value"])

    @traitlets.validate("focus_class")
    def _check_class(self, proposal: Any) -> str:
        name = proposal["value"]
        if name and name not in self.parts.class_names and name in self._whole.class_names:
            raise DataError(f"{plain(name)!r} is not among the {len(self.parts.class_names)} classes shown")
        if name:
            self.parts.row_of(name)
        return str(name)

    @traitlets.observe("focus_class")
    def _send_class(self, change: Any) -> None:
        if change["new"]:
            self._class = self.parts.row_of(change["new"])

    @traitlets.observe("_class")
    @shown
    def _take_class(self, change: Any) -> None:
        self.focus_class = self.parts.class_names[change["new"]]

    @traitlets.observe("focus")
    @shown
    def _focus_chooses_class(self, change: Any) -> None:
        """An image focused in a linked view shows its class here."""
        if change["new"]:
            label = self._whole.labels[self._row[change["new"]]]
            if self._whole.class_names[label] in self.parts.class_names:
                self.focus_class = self._whole.class_names[label]

    # --- display --------------------------------------------------------------------------------
    def summary(self) -> str:
        score = self.score()
        alpha = f"alpha {self.alpha:g}, " if self.parts.semantic is not None else "learned proxies only, "
        return (
            f"Proxy anatomy of {plain(self._whole.name)}: {len(self.parts.class_names):,} classes, {alpha}"
            f"accuracy {100 * score.accuracy:.1f} %, MAP@R {100 * score.map_at_r:.1f} %"
        )

    def still(self) -> str:
        """Map, curves, tables and nearest images as HTML without scripts."""
        shown = StillAnatomy(
            parts=self.parts,
            alpha=self.alpha,
            trained=self._facts["trained"],
            focus_class=self.focus_class,
            gains=self.gains(),
            rho=np.frombuffer(self._rho, "<f4"),
            correlations=self.correlations,
            notes=self._facts["notes"],
            summary=self.summary(),
        )
        return html_of(shown, self._thumbnails)
