"""Two runs side by side: their maps laid on each other, one lasso for both, and the images that changed.

>>> from vptsp_widgets import TwoRuns
>>> both = TwoRuns("runs/demo-1", "runs/demo-2")  # doctest: +SKIP
>>> both.flips.listed("lost")  # ids of queries that were right and are wrong  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd

from vptsp.analysis.projection import Method, project
from vptsp.analysis.two_runs import CHANGES, Comparison, compare, laid_onto, restlessness, shared_images
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.flips.view import FlipList
from vptsp_widgets.linking import link
from vptsp_widgets.saved_page import write_page
from vptsp_widgets.space import data
from vptsp_widgets.space.view import SpaceExplorer
from vptsp_widgets.view import View, with_still

Compared = SavedEmbeddings | Run | str | Path
_ALIKE = ("colour", "solo", "find", "labels", "density", "truth")  # what both maps show in the same way


class TwoRuns(ipywidgets.VBox):
    """Maps of the images that two runs share, ``first`` and ``second``, and ``flips``, those that changed, below them.

    A run is given as such, by its directory, or as saved embeddings, of which one may be another epoch's or method's.
    The second map is laid on the first (:func:`~vptsp.analysis.two_runs.laid_onto`). Selecting and looking at an image
    does the same in all three, and both maps have the same colours; three columns say how each image changed:
    ``change`` of what it finds first, ``neighbours kept`` and ``moved``. ``note`` counts what only one of them has.

    Raises DataError for runs with fewer than four images in common.
    """

    def __init__(
        self, first: Compared, second: Compared, split: str = "test", method: Method = "umap", seed: int = 0
    ) -> None:
        saved, titles = zip(*(_opened(one, split) for one in (first, second)), strict=True)
        titles = titles if titles[0] != titles[1] else tuple(f"{title} ({n})" for n, title in enumerate(titles, 1))
        shared = shared_images(saved[0].ids, saved[1].ids)
        ours, theirs = saved[0].only(shared.first), saved[1].only(shared.second)
        self.note = shared.note
        self.changes = compare(ours, theirs)
        self.noise, onto = restlessness(ours.embeddings, method, seed)
        laid = laid_onto(project(theirs.embeddings, method, seed=seed), onto)
        jumps = np.linalg.norm(laid - onto, axis=1)
        self.first, self.second = (
            _map(one, points, self.changes, jumps) for one, points in ((ours, onto), (theirs, laid))
        )
        for view, title in zip((self.first, self.second), titles, strict=True):
            view._title = plain(title)
        self.flips = FlipList(ours, self.changes, jumps, titles, self.noise, notes=[self.note] if self.note else [])
        for view in (self.first, self.second):
            view.layout.flex = "1 1 440px"
        row = ipywidgets.Box(
            [self.first, self.second], layout={"flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "6px"}
        )
        super().__init__([row, self.flips])
        self._undo = link(self.first, self.second, self.flips)
        self.first.observe(self._show_alike, "view_state")
        self.second.observe(self._show_alike, "view_state")

    def _show_alike(self, change: Any) -> None:
        other = self.second if change["owner"] is self.first else self.first
        wanted = {name: change["new"][name] for name in _ALIKE}
        if wanted["colour"] not in {column.name for column in other.columns}:
            return  # tags of one run
        if any(other.view_state[name] != value for name, value in wanted.items()):
            other.view_state = {**other.view_state, **wanted}

    @property
    def table(self) -> pd.DataFrame:
        """How each image changed, by id: class, change, neighbours kept, moved."""
        return self.first.table[[data.CLASS, *_columns(self.changes, np.zeros(len(self.first.ids)), []).columns]]

    # --- display -------------------------------------------------------------------------------
    @property
    def _views(self) -> tuple[View, ...]:
        return self.first, self.second, self.flips

    def save_html(self, path: str | Path) -> Path:
        """Write all three, live, as one file without a kernel, and return its path: see :meth:`View.save_html`."""
        blocks = [view.page_block(thumbnails=view is self.first) for view in self._views]
        return write_page(path, self.summary(), [*blocks, f"<noscript>{self.still()}</noscript>"])

    def still(self) -> str:
        """All three as HTML without scripts, one below the other."""
        return "".join(f'<div style="margin-bottom:18px">{view.still()}</div>' for view in self._views)

    def summary(self) -> str:
        """One line of text: what is compared."""
        return "; ".join(filter(None, (self.flips.summary(), self.note)))

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        return with_still(self, super()._repr_mimebundle_, keywords)

    def close(self) -> None:
        """Close all three and the boxes around them; again does no harm."""
        if self.comm is None:
            return
        self._undo()
        for view in self._views:
            view.close()
        for box in self.children[:1]:
            box.layout.close()
            box.close()
        self.layout.close()
        super().close()


def _opened(one: Compared, split: str) -> tuple[SavedEmbeddings, str]:
    if isinstance(one, SavedEmbeddings):
        return one, one.name
    run = Run.of(one)
    return SavedEmbeddings.of_run(run, split), run.name


def _map(saved: SavedEmbeddings, points: np.ndarray, found: Comparison, jumps: np.ndarray) -> SpaceExplorer:
    tables = [_columns(found, jumps, saved.ids), data.nearest_columns(saved), data.attribute_columns(saved)]
    columns = pd.concat([table for table in tables if table is not None], axis=1)
    columns = columns.loc[:, ~columns.columns.duplicated()]  # an attribute of such a name
    return SpaceExplorer(saved, points, columns=columns, view_state={"colour": "change"})


def _columns(found: Comparison, jumps: np.ndarray, ids: list[str]) -> pd.DataFrame:
    there = [word for word in CHANGES if (found.change == word).any()]
    return pd.DataFrame(
        {
            "change": pd.Categorical(found.change, there),
            "neighbours kept": found.kept,
            "moved": np.asarray(jumps, dtype=np.float32),
        },
        index=pd.Index(ids) if ids else None,
    )
