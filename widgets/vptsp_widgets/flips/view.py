"""Images that changed between two runs, as a list: what each found before, and what it finds now.

:class:`~vptsp_widgets.beside.TwoRuns` shows it below the maps of both runs.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from vptsp.analysis.two_runs import LOST, WON, Comparison
from vptsp.errors import DataError
from vptsp.figures.html import html_table
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.text import plain
from vptsp_widgets.run_view import thumbnails_of
from vptsp_widgets.view import View

ORDERS = {"lost": LOST, "won": WON, "neighbours": "most neighbours lost", "moved": "moved most on the map"}
_FOUND = 5  # neighbours of an image that are shown


class FlipList(View):
    """``order`` says which images are listed: lost (right in the first run, wrong in the second), won (the other way
    round), neighbours (those of which fewest are the same) or moved (farthest on the map). ``images`` are those of the
    first run, ``jumps`` (S,) how far each moved, of which up to ``noise`` is the projector's own; ``titles`` name both
    runs, and ``most`` images are listed at once.
    """

    _front = "flips"

    order = traitlets.Unicode("lost", help="lost, won, neighbours or moved").tag(sync=True)
    _lists = traitlets.Dict().tag(sync=True)  # order -> rows, those that changed most first
    _totals = traitlets.Dict().tag(sync=True)  # order -> how many there are
    _found = traitlets.Dict().tag(sync=True)  # row -> what it finds in either run, as [row, right]
    _classes = traitlets.List(traitlets.Unicode()).tag(sync=True)  # of each image
    _about = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        images: SavedEmbeddings,
        found: Comparison,
        jumps: np.ndarray,
        titles: Sequence[str],
        noise: float = 0.0,
        most: int = 60,
        notes: Sequence[str] = (),
        **traits: Any,
    ) -> None:
        ranked = {
            "lost": np.flatnonzero(found.change == LOST),
            "won": np.flatnonzero(found.change == WON),
            "neighbours": np.argsort(found.kept, kind="stable")[: int((found.kept < 1).sum())],
            "moved": np.argsort(-jumps, kind="stable")[: int((jumps > max(noise, 1e-9)).sum())],
        }
        for name in ("lost", "won"):  # those that kept fewest neighbours first
            ranked[name] = ranked[name][np.argsort(found.kept[ranked[name]], kind="stable")]
        lists = {name: rows[:most].tolist() for name, rows in ranked.items()}
        self._names = images.names
        listed = sorted({row for rows in lists.values() for row in rows})
        super().__init__(
            images.ids,
            thumbnails_of(images),
            _lists=lists,
            _totals={name: len(rows) for name, rows in ranked.items()},
            _found={
                str(row): {
                    "found": [_pairs(found, run, row) for run in (0, 1)],
                    "kept": round(float(found.kept[row]), 4),
                    "jump": round(float(jumps[row]), 4),
                }
                for row in listed
            },
            _classes=[plain(name) for name in images.names],
            _about={
                "titles": [plain(title, 80) for title in titles],
                "neighbours": found.neighbours[0].shape[1],
                "noise": round(float(noise), 4),
                "notes": list(notes),
            },
            **traits,
        )
        if "order" not in traits and not lists["lost"]:
            self.order = next((name for name, rows in lists.items() if rows), "lost")

    @traitlets.validate("order")
    def _check_order(self, proposal: Any) -> str:
        if proposal["value"] not in ORDERS:
            raise DataError(f"order={plain(proposal['value'])!r} is unknown; legal: {', '.join(ORDERS)}")
        return str(proposal["value"])

    def listed(self, order: str) -> list[str]:
        """Ids of the images of a list, those that changed most first."""
        return [self.ids[row] for row in self._lists[order]]

    def summary(self) -> str:
        first, second = self._about["titles"]
        lost, won = self._totals["lost"], self._totals["won"]
        return f"{first} and {second}: {lost:,} queries {LOST}, {won:,} {WON}"

    def still(self) -> str:
        """The list that is shown, as a table."""
        rows = []
        for row in self._lists[self.order][:20]:
            found = self._found[str(row)]["found"]
            rows.append(
                [plain(self.ids[row], 60), *(", ".join(self._names[other] for other, _ in one) for one in found)]
            )
        caption = (
            f"{ORDERS[self.order]}: {len(rows)} of {self._totals[self.order]:,} images, and whose images they find"
        )
        table = html_table(["image", *self._about["titles"]], rows, caption)
        return (
            f'<figure style="margin:0"><div style="font-weight:600">{html.escape(self.summary())}</div>{table}</figure>'
        )


def _pairs(found: Comparison, run: int, row: int) -> list[list[int]]:
    places, right = found.neighbours[run][row][:_FOUND], found.right[run][row][:_FOUND]
    return [[int(place), int(good)] for place, good in zip(places, right, strict=True) if place >= 0]
