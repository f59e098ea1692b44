"""Similarities of pairs of images, and the threshold that says which pairs are of one class.

>>> from vptsp_widgets.verification import SimilarityHistogram
>>> similarities = SimilarityHistogram.of_run("runs/blossoms-vptsp_g-1")  # doctest: +SKIP
>>> similarities.threshold = 0.5  # doctest: +SKIP
>>> similarities.rates  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd
import traitlets

from vptsp.analysis.image_pairs import FoundPair, ImagePairs
from vptsp.analysis.verification import AtThreshold, Verification, counted
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.run_view import Content, EmbeddingsView, run_of, thumbnails_of
from vptsp_widgets.verification.still import StillHistogram, html_of
from vptsp_widgets.verification.words import said
from vptsp_widgets.view import shown

ORDERS = ("worst", "nearest")
FALSE_ACCEPT_RATES = (0.01, 0.001, 0.0001)  # at which the true accept rate is given
_PAIRS = 8  # of either kind of mistake that are shown
Pairs = dict[str, list[tuple[int, int, float, int]]]  # of impostors and genuine pairs: row, row, cosine, bin


class SimilarityHistogram(EmbeddingsView):
    """How similar pairs of one class are, and others: two histograms, and between them a ``threshold`` to be moved.

    A pair is taken for one of the same class if its cosine is at least ``threshold``, which is kept at an edge of the
    histograms' bins, 0.0005 apart; at first it is where both kinds of mistakes are equally frequent. Below are some
    mistakes of the threshold, no image twice: with ``order`` ``"worst"`` the pairs that are farthest on its wrong side,
    with ``"nearest"`` those that are nearest to it. ``log`` draws the counts in powers of ten.

    ``split`` says which images these are; blocks of one page share the test images. Raises DataError where there is
    nothing to tell apart.
    """

    _front = "verification"

    threshold = traitlets.Float(0.0, help="cosine from which on a pair is taken for one class").tag(sync=True)
    log = traitlets.Bool(False, help="whether counts are drawn in powers of ten").tag(sync=True)
    order = traitlets.Unicode("worst", help="worst or nearest: which mistakes are shown").tag(sync=True)
    _genuine = traitlets.Bytes(b"").tag(sync=True)  # float64 (B,), counts of the bins
    _impostors = traitlets.Bytes(b"").tag(sync=True)
    _worst = traitlets.Dict().tag(sync=True)  # Pairs, of which a threshold shows those that it gets wrong
    _near = traitlets.Dict().tag(sync=True)  # the same at one `edge`; empty until they are looked for
    _labels = traitlets.Bytes(b"").tag(sync=True)  # int32 (N,)
    _class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _about = traitlets.Dict().tag(sync=True)

    verification: Verification  # the counts, and what is true of all thresholds

    def __init__(
        self, saved: SavedEmbeddings, threshold: float | None = None, split: str = "test", **traits: Any
    ) -> None:
        content = self._content_of(saved, split)
        super().__init__(content, threshold=self._equal() if threshold is None else threshold, **traits)

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test", **options: Any) -> Self:
        """The pairs of a run's images of ``split`` (test or train)."""
        return cls._opened(run, {"split": split}, **options)

    @classmethod
    def _parts_of(cls, run: Run, split: str = "test") -> dict[str, Any]:
        return {"saved": SavedEmbeddings.of_run(run, split), "split": split}

    def _content_of(self, saved: SavedEmbeddings, split: str) -> Content:
        if not saved.has_classes:
            raise DataError(
                f"nobody said which classes the images of {plain(saved.name)} are of; pairs of one class take labels"
            )
        if not len(saved):
            raise DataError(f"no image of {plain(saved.name)} can be compared: {saved.left_out_note or 'it is empty'}")
        pairs = ImagePairs(saved.embeddings, saved.labels, saved.is_query, saved.is_gallery)
        verification, worst = counted(pairs), pairs.wrong(_PAIRS)
        self.saved, self.verification, self._image_pairs = saved, verification, pairs
        notes = [saved.left_out_note, saved.no_thumbnails_note]
        if verification.queries < verification.of_queries:
            drawn = f"{verification.queries:,} of {verification.of_queries:,} queries"
            notes.append(f"counted are the pairs of {drawn}, drawn at random by seed 0")
        thumbnails = thumbnails_of(saved)
        traits = {
            "_genuine": verification.genuine.astype("<f8").tobytes(),
            "_impostors": verification.impostors.astype("<f8").tobytes(),
            "_worst": _by_kind(*worst),
            "_near": {},
            "_class_names": [plain(name) for name in saved.class_names],
            "_labels": saved.labels.astype("<i4").tobytes(),
            "_about": {
                "name": plain(saved.name),
                "split": split,
                "notes": [note for note in notes if note],
                "thumbnails": thumbnails is not None,
                "auc": verification.auc,
                "equal": {"rate": verification.equal_error.rate, "threshold": verification.equal_error.threshold},
                # where buttons lead, as numbers of edges
                "equal_edge": verification.edge(verification.equal_error.threshold),
                "false_accepts": [
                    [rate, None if at is None else verification.edge(at.threshold)]
                    for rate, at in ((rate, verification.at_false_accept_rate(rate)) for rate in FALSE_ACCEPT_RATES)
                ],
            },
        }
        return Content(saved.ids, traits, thumbnails, run_of(saved))

    def _begin(self) -> None:
        self.threshold = self._equal()
        if not self._near:
            self._look_near()

    def _equal(self) -> float:
        return self.verification.at(self.verification.equal_error.threshold).threshold

    # --- what is chosen -------------------------------------------------------------------------
    @traitlets.validate("threshold")
    def _check_threshold(self, proposal: Any) -> float:
        return self.verification.at(proposal["value"]).threshold

    @traitlets.validate("order")
    def _check_order(self, proposal: Any) -> str:
        if proposal["value"] not in ORDERS:
            raise DataError(f"order={plain(proposal['value'])!r} is unknown; legal: {', '.join(ORDERS)}")
        return str(proposal["value"])

    @traitlets.observe("threshold", "order")
    @shown
    def _threshold_rests(self, change: Any) -> None:
        self._look_near()

    def _look_near(self) -> None:
        if self.order == "nearest":
            edge = self.verification.edge(self.threshold)
            self._near = {"edge": edge, **_by_kind(*self._image_pairs.wrong(_PAIRS, edge))}

    # --- numbers --------------------------------------------------------------------------------
    @property
    def at(self) -> AtThreshold:
        """Rates and counts at the threshold."""
        return self.verification.at(self.threshold)

    @property
    def rates(self) -> pd.DataFrame:
        """Rates at the threshold, at that of equal errors, and at false accept rates; empty where pairs are too few."""
        found: dict[str, AtThreshold | None]
        found = {"chosen": self.at, "equal error": self.verification.at(self.verification.equal_error.threshold)}
        found |= {f"FAR {rate:g}": self.verification.at_false_accept_rate(rate) for rate in FALSE_ACCEPT_RATES}
        names = ("threshold", "true_accept_rate", "false_accept_rate", "false_reject_rate", "precision", "accuracy")
        rows = [[None if at is None else getattr(at, name) for name in names] for at in found.values()]
        return pd.DataFrame(rows, index=list(found), columns=list(names), dtype=float)

    @property
    def mistakes(self) -> pd.DataFrame:
        """The pairs that are shown: ids, classes, cosine; ``same`` says whether they are of one class."""
        names = self.saved.names
        rows = [
            (self.ids[one], self.ids[other], names[one], names[other], cosine, kind == "genuine")
            for kind, pairs in self._shown_pairs().items()
            for one, other, cosine, _ in pairs
        ]
        columns = ["first", "second", "first_class", "second_class", "cosine", "same"]
        return pd.DataFrame(rows, columns=columns)

    def _shown_pairs(self) -> Pairs:
        edge = self.verification.edge(self.threshold)
        found = self._near if self.order == "nearest" else self._worst
        return {
            "impostors": [pair for pair in found.get("impostors", []) if pair[3] >= edge],
            "genuine": [pair for pair in found.get("genuine", []) if pair[3] < edge],
        }

    # --- display --------------------------------------------------------------------------------
    def summary(self) -> str:
        at = self.at
        return (
            f"Similarities of pairs of {plain(self.saved.name)}: a threshold of {at.threshold:.3f} "
            f"{said(at.true_accept_rate, at.false_accept_rate)}"
        )

    def still(self) -> str:
        """The histograms, the numbers at the threshold and some of its mistakes, as HTML without scripts."""
        about, pairs = self._about, self._shown_pairs()
        picture = StillHistogram(
            name=about["name"],
            notes=about["notes"],
            counts=(self.verification.genuine, self.verification.impostors),
            at=self.at,
            equal=self.verification.equal_error,
            rows=[(rate, self.verification.at_false_accept_rate(rate)) for rate in FALSE_ACCEPT_RATES],
            area=self.verification.auc,
            pairs=[(pairs["impostors"], "other classes, accepted"), (pairs["genuine"], "same class, rejected")],
            ids=self.ids,
            names=self.saved.names,
            log=self.log,
        )
        return html_of(picture, self._thumbnails)


def _by_kind(impostors: Sequence[FoundPair], genuine: Sequence[FoundPair]) -> Pairs:
    named = {"impostors": impostors, "genuine": genuine}
    return {kind: [(one.first, one.second, one.cosine, one.bin) for one in pairs] for kind, pairs in named.items()}
