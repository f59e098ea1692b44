"""Pairs of classes that are taken for each other, side by side.

>>> from vptsp_widgets.confused import ConfusedPairs
>>> confused = ConfusedPairs.of_run("runs/blossoms-vptsp_g-1")  # doctest: +SKIP
>>> confused.pairs  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from vptsp.errors import DataError, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.proxies import proxies_beside
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.confused.data import Pairs
from vptsp_widgets.confused.still import StillPairs, html_of
from vptsp_widgets.run_view import Content, RunView, run_of, thumbnails_of
from vptsp_widgets.view import shown

ORDERS = ("images", "proxies")


class ConfusedPairs(RunView):
    """The most confused pairs of classes, a list to choose from; of the one chosen, both classes' images.

    ``order`` is ``"images"``, pairs whose images are each other's hard negatives, or ``"proxies"``, pairs whose
    proxies overlap (training classes only: test classes have none). ``pair`` is the place in that list; choosing one
    selects the images of both classes, in linked views as well. An image that is clicked is their ``focus``, and
    ``neighbour`` the image that stands in its way, which a linked ``WhyNeighbour`` explains; Back returns.

    ``proxies`` (C, E) are those of the C classes of ``saved``, fused as the loss sees them. ``split`` says which
    images these are (blocks of one page share the test images), ``note`` what else is to be said of them.
    Raises DataError for images of fewer than two classes and for proxies that do not fit.
    """

    _front = "confused"

    order = traitlets.Unicode("images", help="images or proxies").tag(sync=True)
    pair = traitlets.Int(0, help="place of the pair shown in the list").tag(sync=True)
    neighbour = traitlets.Unicode("", help="id of the image that the focus is compared with; empty: none")
    _against = traitlets.Int(-1).tag(sync=True)  # its row
    _wrong = traitlets.Bytes(b"").tag(sync=True)  # int32 (N,): the hard negative of each image, -1: none
    _lists = traitlets.Dict().tag(sync=True)  # order -> pairs
    _class_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _labels = traitlets.Bytes(b"").tag(sync=True)  # int32 (N,)
    _about = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        saved: SavedEmbeddings,
        proxies: np.ndarray | None = None,
        order: str = "images",
        most: int = 20,
        split: str = "test",
        note: str = "",
        **traits: Any,
    ) -> None:
        if most < 1:
            raise DataError(f"most={most} pairs leaves nothing to show; give 1 or more")
        self._most = most
        super().__init__(self._content_of(saved, proxies, split, note), **traits)
        self.order = order

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test", **options: Any) -> Self:
        """The confused pairs of a run's classes of ``split`` (test or train); of train with the run's proxies."""
        return cls._opened(run, {"split": split}, **options)

    @classmethod
    def _parts_of(cls, run: Run, split: str = "test") -> dict[str, Any]:
        saved = SavedEmbeddings.of_run(run, split)
        parts: dict[str, Any] = {"saved": saved, "split": split, "proxies": None, "note": ""}
        try:
            return parts | {"proxies": _proxies(run, saved) if split == "train" else None}
        except RunError as error:
            return parts | {"note": plain(error, 200)}

    def _content_of(self, saved: SavedEmbeddings, proxies: np.ndarray | None, split: str, note: str) -> Content:
        if proxies is not None and proxies.shape != (len(saved.class_names), saved.embeddings.shape[1]):
            raise DataError(
                f"proxies are {proxies.shape}, but there are {len(saved.class_names)} classes "
                f"and embeddings of size {saved.embeddings.shape[1]}"
            )
        found = Pairs(saved, proxies)
        self.saved, self._hard_negatives = saved, found.wrong
        notes = [note] if note else []
        if saved.left_out:
            notes.append(saved.left_out_note)
        thumbnails = thumbnails_of(saved)
        if not thumbnails:
            notes.append("there are no thumbnails; images are shown by name")
        traits = {
            "_lists": {"images": found.by_images(self._most), "proxies": found.by_proxies(self._most)},
            "_class_names": [plain(name) for name in saved.class_names],
            "_labels": saved.labels.astype("<i4").tobytes(),
            "_wrong": found.wrong.astype("<i4").tobytes(),
            "_about": {
                "name": plain(saved.name),
                "split": split,
                "notes": notes,
                "thumbnails": thumbnails is not None,
                "images": len(saved),
                "classes": len(np.unique(saved.labels)),
            },
        }
        return Content(saved.ids, traits, thumbnails, run_of(saved))

    def _begin(self) -> None:
        """The first pair, whose images nobody has selected yet."""
        if not self._lists[self.order]:
            self.order = "images"
        self.pair = 0
        self.selection = []

    # --- numbers --------------------------------------------------------------------------------
    @property
    def pairs(self) -> pd.DataFrame:
        """The list: names, how many images have the other class as hard negative, mistakes, cosine of the proxies."""
        names = self.saved.class_names
        rows = [
            {
                "first": names[pair["classes"][0]],
                "second": names[pair["classes"][1]],
                "hard_negatives": sum(pair["toward"]),
                "mistakes": pair["mistakes"],
                "images": sum(pair["images"]),
                "most_similar": pair["links"][0][2] if pair["links"] else np.nan,
                "proxy_cosine": np.nan if pair["proxies"] is None else pair["proxies"],
            }
            for pair in self._lists[self.order]
        ]
        columns = ["first", "second", "hard_negatives", "mistakes", "images", "most_similar", "proxy_cosine"]
        return pd.DataFrame(rows, columns=columns)

    def choose(self, first: str, second: str) -> None:
        """Show the pair of these two classes. Raises DataError for a class or a pair that is not in the list."""
        for name in (first, second):
            if name not in self.saved.class_names:
                known = f"the {self._about['classes']:,} classes of {plain(self.saved.name)}"
                raise DataError(f"there is no class {plain(name)!r} among {known}")
        wanted = {self.saved.class_names.index(name) for name in (first, second)}
        for place, pair in enumerate(self._lists[self.order]):
            if set(pair["classes"]) == wanted:
                self.pair = place
                return
        raise DataError(
            f"{plain(first)!r} and {plain(second)!r} are not among the {len(self._lists[self.order])} most confused "
            "pairs; most=NUMBER lists more"
        )

    @traitlets.validate("order")
    def _check_order(self, proposal: Any) -> str:
        order = proposal["value"]
        if order not in ORDERS:
            raise DataError(f"order={plain(order)!r} is unknown; legal: {', '.join(ORDERS)}")
        if not self._lists[order]:
            raise DataError(
                "proxies belong to training classes, and there are none here; use split='train' of a run that trains "
                "proxies, or order='images'"
            )
        return str(order)

    @traitlets.validate("pair")
    def _check_pair(self, proposal: Any) -> int:
        known = len(self._lists[self.order])
        if not 0 <= proposal["value"] < known:
            raise DataError(f"pair={proposal['value']} is not in the list, which holds 0 to {known - 1}")
        return int(proposal["value"])

    @traitlets.observe("order")
    def _start_at_the_first(self, change: Any) -> None:
        self.pair = 0

    @traitlets.observe("pair")
    @shown
    def _select_both_classes(self, change: Any) -> None:
        classes = self._lists[self.order][change["new"]]["classes"]
        self.selection = [self.ids[row] for row in np.flatnonzero(np.isin(self.saved.labels, classes))]

    # --- from a mistake to its cause, and back -----------------------------------------------------
    def look(self, image: str, neighbour: str = "") -> None:
        """Make an image the focus of all linked views, beside ``neighbour``, or its hard negative if that is empty.

        Raises DataError for ids that this view does not have.
        """
        self.focus = image
        hard = int(self._hard_negatives[self._row[image]])
        self.neighbour = neighbour or (self.ids[hard] if hard >= 0 else "")

    def _on_look(self, content: dict[str, Any], buffers: list[Any]) -> None:
        against = int(content["against"])
        self.look(self.ids[int(content["row"])], self.ids[against] if against >= 0 else "")

    def _on_return(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """As it was before a step: pair, selection and focus."""
        order, pair, focus, against = content["order"], *(int(content[name]) for name in ("pair", "row", "against"))
        self.order = order
        self.pair = pair
        self.selection = [self.ids[int(row)] for row in content["selected"]]
        self.focus = self.ids[focus] if focus >= 0 else ""
        self.neighbour = self.ids[against] if against >= 0 else ""

    @traitlets.validate("neighbour")
    def _check_neighbour(self, proposal: Any) -> str:
        return self._check_focus(proposal)

    @traitlets.observe("neighbour")
    def _send_neighbour(self, change: Any) -> None:
        self._against = self._row.get(change["new"], -1)

    @traitlets.observe("focus")
    def _beside_nobody(self, change: Any) -> None:
        self.neighbour = ""  # until somebody says beside which

    # --- display --------------------------------------------------------------------------------
    def summary(self) -> str:
        first = self.pairs.iloc[self.pair]
        names = f"{plain(first['first'])} and {plain(first['second'])}"
        mistaken = f"{first['mistakes']} of {first['images']} images mistaken"
        return f"Confused pairs of {plain(self.saved.name)}: {names}, {mistaken}"

    def still(self) -> str:
        """The list as a table, and the chosen pair's images, as HTML without scripts."""
        about = self._about
        shown = StillPairs(
            name=about["name"],
            notes=about["notes"],
            classes=about["classes"],
            pairs=self._lists[self.order],
            order=self.order,
            chosen=self.pair,
            ids=self.ids,
            labels=self.saved.labels,
            class_names=self.saved.class_names,
        )
        return html_of(shown, self._thumbnails)


def _proxies(run: Run, saved: SavedEmbeddings) -> np.ndarray | None:
    """Fused proxies (C, E) of the images' classes and epoch; none for classes that the run has not trained."""
    snapshot = proxies_beside(run, saved)
    place = {name: row for row, name in enumerate(snapshot.index.class_names)}
    if not set(saved.class_names) <= place.keys():
        return None
    fused = snapshot.proxies.get("fused", snapshot.proxies["learned"])
    return fused[[place[name] for name in saved.class_names]]
