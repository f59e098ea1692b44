"""Map, gallery and why of one run, linked, with a table of the other runs folded above them.

>>> from vptsp_widgets import Workbench
>>> bench = Workbench("runs/demo-1")  # doctest: +SKIP
>>> bench.space.selection, bench.focus  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd
import traitlets

from vptsp.analysis.projection import Method
from vptsp.errors import RunError
from vptsp.runs.run import Run
from vptsp.text import plain, safe
from vptsp_widgets.linking import link
from vptsp_widgets.picker.view import RunPicker
from vptsp_widgets.run_or_folder import Source, open_source
from vptsp_widgets.saved_page import write_page
from vptsp_widgets.view import View, with_still

_ROOM = "1 1 440px"  # a view stands beside another where both have so much, below it elsewhere
_NEIGHBOURS = 12  # in the gallery: as many as are seen beside the map


class Workbench(ipywidgets.VBox):
    """The views of a run side by side: what is selected or looked at in one moves the others.

    ``run`` is a run, its directory, or what :func:`~vptsp_widgets.run_or_folder.open_source` gives, which may be a
    folder of one's own images; empty: the newest finished run. ``split`` is test or train, ``method`` says how the map
    is made. The views are ``space``, ``gallery``, ``why`` and ``picker``; ``why`` is none, and said so, for a run whose
    model cannot be loaded, ``picker`` for images of no run. ``selection``, ``focus`` and ``run`` are theirs.

    Raises RunError when there is no such run, or when it keeps no embeddings, naming the command that makes them.
    """

    selection = traitlets.List(traitlets.Unicode(), help="ids of the selected images, in the order of the rows")
    focus = traitlets.Unicode("", help="id of the image looked at; empty: none")
    run = traitlets.Unicode("", help="directory of the run shown; setting it shows another run in all views")

    def __init__(self, run: Source | Run | str | Path = "", split: str = "test", method: Method = "umap") -> None:
        source = run if isinstance(run, Source) else open_source(run, split)
        self.space, self.gallery = source.space(method), source.gallery()
        self.gallery.k = _NEIGHBOURS
        self.why, without = None, ""
        try:
            self.why = source.why()
        except RunError as error:
            without = f"Why images are neighbours cannot be shown: {error}"
        self.picker = RunPicker(source.run.path.parent) if source.run else None
        views = [view for view in (self.space, self.gallery, self.why) if view is not None]
        for view in views:
            view.layout.flex = _ROOM
        self._row = ipywidgets.Box(
            views, layout={"flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "6px"}
        )
        self._fold = ipywidgets.Accordion([self.picker] if self.picker else [], selected_index=None)
        note = [ipywidgets.HTML(safe(without, 400))] if without else []
        super().__init__([*([self._fold] if self.picker else []), self._row, *note])
        # why is the last to hear of another run: it looks at a pair at once, which the others must have by then
        self._undo = link(*[view for view in (self, self.picker, *views) if view is not None])
        self.run = self.space.run
        if self.why is not None:
            self.focus = self.why.query

    def known(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that the views have, in the order of their rows."""
        return self.space.known(ids)

    @property
    def selected(self) -> pd.DataFrame:
        """What the map knows of the images selected, tags among it, by id."""
        return self.space.selected

    @property
    def status(self) -> str:
        """What the views say of themselves, such as a run that could not be shown."""
        return self.space.status

    @traitlets.observe("run")
    def _name_run(self, change: Any = None) -> None:
        if self.picker is not None:
            self._fold.titles = (f"Run: {plain(Path(self.run).name)} – choose another",)

    # --- display -------------------------------------------------------------------------------
    def save_html(self, path: str | Path) -> Path:
        """Write the views, live, as one file without a kernel, and return its path: see :meth:`View.save_html`."""
        blocks = [view.page_block(thumbnails=view is self.space) for view in self._shown()]
        return write_page(path, self.summary(), [*blocks, f"<noscript>{self.still()}</noscript>"])

    def still(self) -> str:
        """All views as HTML without scripts, one below the other."""
        return "".join(f'<div style="margin-bottom:18px">{view.still()}</div>' for view in self._shown())

    def _shown(self) -> list[View]:
        return [view for view in (self.space, self.gallery, self.why) if view is not None]

    def summary(self) -> str:
        """One line of text: what the workbench shows."""
        return f"Workbench of {plain(self.run or self.space.saved.folder)}: {self.space.counts()}"

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        return with_still(self, super()._repr_mimebundle_, keywords)

    def close(self) -> None:
        """Close the workbench and its views; again does no harm."""
        if self.comm is None:
            return
        self._undo()
        for view in (self.space, self.gallery, self.why, self.picker):
            if view is not None:
                view.close()
        for box in {self._row, self._fold, *self.children}:
            box.layout.close()
            box.close()
        self.layout.close()
        super().close()
