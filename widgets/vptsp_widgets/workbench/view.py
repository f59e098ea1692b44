"""Map, gallery and why of one run, linked, with its confused classes and a table of the other runs behind them.

>>> from vptsp_widgets import Workbench
>>> bench = Workbench("runs/demo-1")  # doctest: +SKIP
>>> bench.space.selection, bench.focus  # doctest: +SKIP
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import pandas as pd
import traitlets

from vptsp.analysis.projection import Method
from vptsp.errors import UsageError
from vptsp.runs.progress import headless
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.linking import link
from vptsp_widgets.neighbours import Neighbours
from vptsp_widgets.picker.view import RunPicker
from vptsp_widgets.run_or_folder import Source, open_source
from vptsp_widgets.saved_page import write_page
from vptsp_widgets.view import View, told, with_still
from vptsp_widgets.workbench.awaited import Awaited

if TYPE_CHECKING:
    from vptsp_widgets.confused.view import ConfusedPairs
    from vptsp_widgets.why.view import WhyNeighbour

_ROOM = "1 1 440px"  # a view stands beside another where both have so much, below it elsewhere
_HIGH = "720px"  # of the confused classes, about as high as why: the map stays in reach
_WRAPPED = {"flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "6px"}
_NEIGHBOURS = 12  # in the gallery: as many as are seen beside the map
_LOADING = "The model is being loaded, to show why images are neighbours …"
_COMPARING = "Classes are being compared, to show which are taken for each other …"
_WHICH = "Classes that are taken for each other are shown when this cell is run."
_LATER = "Why images are neighbours is shown when this cell is run."


class Workbench(ipywidgets.VBox):
    """The views of a run side by side: what is selected or looked at in one moves the others.

    ``run`` is a run, its directory, or what :func:`~vptsp_widgets.run_or_folder.open_source` gives, which may be a
    folder of one's own images; empty: the newest finished run. ``split`` is test or train, ``method`` says how the map
    is made. The views are ``space``, ``gallery``, ``why``, ``confused`` and ``picker``; ``picker`` is none for images
    of no run. ``selection``, ``focus`` and ``run`` are theirs.

    Map and gallery are there at once. ``why`` needs the model, which takes seconds to load: it comes into its place
    after they are drawn, or when Python asks for it. Headless, all are there from the beginning. ``confused`` comes
    when its button is pressed, beside ``why``: a click on one of its images shows that query in the map and in the
    gallery, and in ``why`` the image that stands in its way.

    Raises RunError when there is no such run, or when it keeps no embeddings, naming the command that makes them.
    """

    selection = traitlets.List(traitlets.Unicode(), help="ids of the selected images, in the order of the rows")
    focus = traitlets.Unicode("", help="id of the image looked at; empty: none")
    run = traitlets.Unicode("", help="directory of the run shown; setting it shows another run in all views")

    def __init__(self, run: Source | Run | str | Path = "", split: str = "test", method: Method = "umap") -> None:
        self._source = run if isinstance(run, Source) else open_source(run, split)
        self.space, self.gallery = self._source.space(method), self._source.gallery()
        self.gallery.k = _NEIGHBOURS
        self.picker = RunPicker(self._source.run.path.parent) if self._source.run else None
        self._why: WhyNeighbour | None = None
        self._confused: ConfusedPairs | None = None
        self._making, self._failed, self._closed = threading.Lock(), False, False
        self._comparing, self._linking = threading.Lock(), threading.RLock()
        self._place = Awaited(self._bring_why, _LOADING, _LATER)
        self._pairs_place = Awaited(self._bring_confused, _COMPARING, _WHICH)
        for view in (self.space, self.gallery, self._place, self._pairs_place):
            view.layout.flex = _ROOM
        self._opener = ipywidgets.ToggleButton(
            description="Confused classes",
            tooltip="classes that are taken for each other, and from each mistake to its cause",
        )
        self._opener.observe(lambda _: self._arrange(), "value")
        self._above, self._row = ipywidgets.Box([], layout=_WRAPPED), ipywidgets.Box(self._shown(), layout=_WRAPPED)
        self._fold = ipywidgets.Accordion([self.picker] if self.picker else [], selected_index=None)
        super().__init__([*([self._fold] if self.picker else []), self._opener, self._above, self._row])
        self._undo = self._linked()
        self.run = self.space.run
        saved = self._source.saved
        self.focus = saved.ids[Neighbours(saved).mistake(np.random.default_rng(0))]
        if headless():
            self._bring_why()

    # --- why, which comes later --------------------------------------------------------------------
    @property
    def why(self) -> WhyNeighbour | None:
        """Loads the model, or waits until it is loaded; none where it cannot be, which its place says."""
        self._bring_why()
        return self._why

    def _bring_why(self) -> None:
        """Makes why and puts it in its place, unless it is there; in the thread of whoever calls."""
        with self._making:
            if self._why is not None or self._failed or self._closed:
                return
            try:
                self._why = self._source_now().why(next(iter(self.space.known([self.focus])), ""))
            except Exception as error:
                self._failed = True
                self._place.status = f"Why images are neighbours cannot be shown: {told(error)}"
                if isinstance(error, UsageError):
                    return
                raise
        # not under the lock: whoever hears of this may ask for why
        if self._closed:  # meanwhile
            self._why.close()
            return
        self._why.layout.flex = _ROOM
        if self._source.run:
            self._why.run = self.run  # another one may have been chosen meanwhile
        self._link_anew()
        self.focus = self.focus or self._why.query
        self._arrange()
        self._place.close()

    # --- confused classes, which are compared when somebody asks for them --------------------------
    @property
    def confused(self) -> ConfusedPairs | None:
        """Classes that are taken for each other; none where there are no two, which their place says."""
        self._bring_confused()
        return self._confused

    def _bring_confused(self) -> None:
        """As :meth:`_bring_why`."""
        with self._comparing:
            if self._confused is not None or self._closed:
                return
            try:
                found = self._source_now().confused()
            except Exception as error:
                self._pairs_place.status = told(error)
                if isinstance(error, UsageError):
                    return
                raise
            self._confused = found
        if self._closed:  # meanwhile
            found.close()
            return
        found.layout.flex, found.layout.max_height, found.layout.overflow = _ROOM, _HIGH, "auto"
        if self._source.run:
            found.run = self.run
        self._link_anew()
        self._arrange()
        self._pairs_place.close()

    def _source_now(self) -> Source:
        """Of the run that is shown, which may be another one than at first."""
        moved = self._source.run is not None and Path(self.run) != self._source.run.path
        return open_source(self.run, self._source.split) if moved else self._source

    def _arrange(self) -> None:
        """Confused classes, where they are open, stand beside why, above map and gallery."""
        shown = self._shown()
        if self._opener.value:
            self._row.children = shown[:2]
            self._above.children = (self._confused or self._pairs_place, shown[2])
        else:
            self._above.children = ()
            self._row.children = shown

    def _link_anew(self) -> None:
        with self._linking:
            undo, self._undo = self._undo, self._linked()
            undo()  # the last: nothing that is clicked meanwhile is missed

    def _linked(self) -> Callable[[], None]:
        # why is the last to hear of another run: it looks at a pair at once, which the others must have by then
        views = (self, self.picker, self.space, self.gallery, self._confused, self._why)
        return link(*[view for view in views if view is not None])

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
        if self._failed:  # another run may have a model
            self._failed = False
            self._place.again()
        if self._confused is None and self._pairs_place.status != _COMPARING:
            self._pairs_place.again()

    # --- display -------------------------------------------------------------------------------
    def save_html(self, path: str | Path) -> Path:
        """Write the views, live, as one file without a kernel, and return its path: see :meth:`View.save_html`."""
        self._bring_why()
        self._bring_confused()
        views = [view for view in (self.space, self.gallery, self._confused, self._why) if view is not None]
        blocks = [view.page_block(thumbnails=view is self.space) for view in views]
        return write_page(path, self.summary(), [*blocks, f"<noscript>{self.still()}</noscript>"])

    def still(self) -> str:
        """All views as HTML without scripts, one below the other."""
        self._bring_why()
        return self._still_now()

    def _still_now(self) -> str:
        return "".join(f'<div style="margin-bottom:18px">{view.still()}</div>' for view in self._shown())

    def _shown(self) -> tuple[View, ...]:
        return (self.space, self.gallery, self._why or self._place)

    def summary(self) -> str:
        """One line of text: what the workbench shows."""
        return f"Workbench of {plain(self.run or self.space.saved.folder)}: {self.space.counts()}"

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        now = SimpleNamespace(still=self._still_now, summary=self.summary)  # which waits for no model
        return with_still(now, super()._repr_mimebundle_, keywords)

    def close(self) -> None:
        """Close the workbench and its views; again does no harm."""
        if self.comm is None:
            return
        self._closed = True
        self._undo()
        for view in (self.space, self.gallery, self._why, self.picker, self._place, self._confused, self._pairs_place):
            if view is not None:
                view.close()
        self._opener.style.close()
        for box in {self._row, self._above, self._fold, *self.children}:
            box.layout.close()
            box.close()
        self.layout.close()
        super().close()
