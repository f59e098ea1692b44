"""Keeping views of the map under a name, and opening them: what the map has beside :mod:`.view` for that."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from vptsp.analysis.projection import Method
from vptsp.errors import DataError, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.kept_views import KeptView, KeptViews
from vptsp.text import plain
from vptsp_widgets.run_view import RunView
from vptsp_widgets.saved_page import write_page
from vptsp_widgets.space.data import CLASS, Column
from vptsp_widgets.space.kept_views import Here, KeptStill, for_front, opened, small_of, span_of, without_scripts
from vptsp_widgets.space.still import Drawn, StillMap, drawn, figure_of, strip_of

MOST_ON_PAGE = 20_000  # images of a map whose views have pages unless asked for; a larger one takes seconds


def kept_map(saved: SavedEmbeddings, view: str) -> tuple[Method, int]:
    """How and in how many dimensions the map is to be made for a view to be opened on it; UMAP, 2 where none is named.

    Raises DataError for a name under which nothing is kept.
    """
    made = KeptViews.of(saved).named(view).made if view else {}
    return "pca" if made.get("method") == "pca" else "umap", 3 if made.get("dimensions") == 3 else 2


class KeepsViews(RunView):
    """A map whose views can be kept with the run (:mod:`vptsp.runs.kept_views`) and opened again, also on a page."""

    _kept_views = traitlets.List(traitlets.Dict()).tag(sync=True)  # those kept, as for_front has them

    view_state: traitlets.Dict[str, Any]
    saved: SavedEmbeddings
    columns: list[Column]
    points: np.ndarray
    glyphs: dict[str, np.ndarray]
    made: Mapping[str, Any]  # how the map was made
    seed: int
    _store: KeptViews
    _proxies: Any
    _alone: Any

    _handled: Any

    def _handle_names(self) -> Sequence[str] | None:
        raise NotImplementedError

    def _handled_by(self, state: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
        raise NotImplementedError

    def _handles_on_page(self, state: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def _still_map(self, selected: Sequence[str] | None = None) -> StillMap:
        raise NotImplementedError

    # --- for Python ----------------------------------------------------------------------------
    @property
    def views(self) -> list[str]:
        """Names of the views that are kept, the latest at the end."""
        return list(self._store.read())

    def keep_view(self, name: str) -> KeptStill:
        """Keep what the map shows under a name: where one looks, colours, filter, selection, focus, and a picture.

        Of a run, it is kept with the run. What is returned shows the picture in a notebook's cell, and stays there. A
        view of this name that was kept before is replaced. Raises DataError for an empty name, RunError where the run
        cannot be written.
        """
        self._keep(name)
        return self.kept_view(name.strip())

    def open_view(self, name: str) -> None:
        """Show a view that was kept; what it names and is not here any more is said, and the rest shown.

        Raises DataError for a name under which nothing is kept, with those there are.
        """
        view = self._store.named(name)
        if view.state.get("truth") is True and not self.view_state["truth"]:
            self.view_state = {**self.view_state, "truth": True}  # it may be coloured by columns that this makes
        before = self._now()
        if handles := opened(view, self._here()).state["handles"]:
            self.view_state = {**self.view_state, "handles": handles}  # likewise
        found = opened(view, self._here())
        with self.hold_sync():
            self.view_state, self.selection, self.focus = found.state, found.selection, found.focus
        self.status = found.note
        self.send({"kind": "opened", "name": view.name, "note": found.note, "before": before, "after": self._now()})

    def forget_view(self, name: str) -> None:
        """Take a name away again. Raises DataError for one under which nothing is kept."""
        self._store.forget(name)
        self._show_views()

    def kept_view(self, name: str, page: bool | None = None) -> KeptStill:
        """A kept view as its picture in a notebook's cell, with the line of Python that opens it, and a link that does.

        The link leads to a ``page`` of the view, a file beside the view's picture that needs no kernel; none: where the
        map has up to 20,000 images. Raises DataError for a name under which nothing is kept, and where a page is asked
        for of embeddings that have no folder.
        """
        if page and self._store.path is None:
            raise DataError(
                f"{plain(self.saved.name)} has no folder for a page; save_html writes one where you say, and "
                "SavedEmbeddings.write keeps embeddings in a folder"
            )
        if page is None:
            page = self._store.path is not None and len(self.saved) <= MOST_ON_PAGE
        view = self._store.named(name)
        figure = self._figure_of(view)
        return KeptStill(view, figure, self._code_for(view), self._page_of(view, figure) if page else "")

    # --- how -----------------------------------------------------------------------------------
    def _take_views(self, saved: SavedEmbeddings) -> tuple[list[dict[str, Any]], str]:
        """From now on those of these images; as the panel takes them, and why there are none."""
        self._store = KeptViews.of(saved)
        try:
            return self._for_front(), ""
        except RunError as error:
            self._store = KeptViews(None)
            return [], f"views are not kept: {error}"

    def _for_front(self) -> list[dict[str, Any]]:
        views = self._store.read()
        return for_front(views, {name: self._store.small(view) for name, view in views.items()})

    def _show_views(self) -> None:
        self._kept_views = self._for_front()

    def _keep(self, name: str) -> KeptView:
        picture = drawn(self._still_map())
        now = KeptView(
            name,
            dict(self.view_state),
            tuple(self.selection),
            self.focus,
            {**self.made, "alone": self._alone},
            span_of(self.points),
            picture.note,
        )
        kept = self._store.keep(now, picture.png, small_of(picture.png))
        self._show_views()
        return kept

    def _here(self) -> Here:
        return Here(
            self.columns,
            list(self.glyphs),
            self._proxies["names"],
            self._row,
            {**self.made, "alone": self._alone},
            span_of(self.points),
            self._handle_names(),
        )

    def _now(self) -> dict[str, Any]:
        rows = [self._row[name] for name in self.selection]
        focused = self._row.get(self.focus, -1)
        return {"state": dict(self.view_state), "rows": rows, "focused": focused, "handled": dict(self._handled)}

    def _code_for(self, view: KeptView) -> str:
        folder = Path(self.saved.folder)
        if self.run and view.made.get("method") in ("umap", "pca"):
            options = "" if folder.name == "test" else f", split={folder.name!r}"
            options += f", seed={self.seed}" if self.seed else ""
            return f"{type(self).__name__}.of_run({self.run!r}{options}, view={view.name!r})"
        return f"space.open_view({view.name!r})"

    # --- messages ------------------------------------------------------------------------------
    def _on_views(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """The panel was opened: others may have kept views since."""
        self._show_views()

    def _on_keep_view(self, content: dict[str, Any], buffers: list[Any]) -> None:
        name = str(content["name"]).strip()
        before = self._store.read().get(name)
        kept = self._keep(name)
        code = f"space.kept_view({kept.name!r})"
        self.send(
            {
                "kind": "view_kept",
                "name": kept.name,
                "key": kept.key,
                "before": before.key if before else "",
                "code": code,
            }
        )

    def _on_open_view(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.open_view(str(content["name"]))

    def _on_view_back(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._store.restore(str(content["name"]), str(content["key"]))
        self._show_views()

    # --- pages ---------------------------------------------------------------------------------
    def _figure_of(self, view: KeptView) -> str:
        strip = strip_of(self._still_map(self.known(view.selection)), self._thumbnails)
        picture = Drawn(self._store.picture(view), view.note, str(view.state.get("colour", CLASS)))
        return figure_of(self.saved.name, picture, strip) if picture.png else "<p>The file of its picture is gone.</p>"

    def _page_of(self, view: KeptView, figure: str) -> str:
        """The way from here to a page that shows the view, which is written; empty where none can be.

        Without scripts, as JupyterLab shows a page at first, it is the picture.
        """
        path = self._store.page_path(view)
        if path is None:
            return ""
        found = opened(view, self._here())
        rows = np.array([self._row[one] for one in found.selection], dtype="<i4")
        focused = self._row.get(found.focus, -1)
        handled = self._handles_on_page(found.state["handles"])
        block = self.page_block(
            view_state=found.state, _selected=rows.tobytes(), _focused=focused, status=found.note, **handled
        )
        try:
            write_page(path, f"{view.name}, a view of the map of {self.saved.name}", [block, without_scripts(figure)])
        except OSError:
            return ""  # a run that can only be read has its picture all the same
        return Path(os.path.relpath(path.resolve(), Path.cwd())).as_posix()

    def state_for_page(self) -> dict[str, Any]:
        """With each kept view as it is opened where no kernel is."""
        answers, here = {}, self._here()
        for name, view in self._store.read().items():
            found = opened(view, here)
            rows = [self._row[one] for one in found.selection]
            focused = self._row.get(found.focus, -1)
            answers[name] = {"state": found.state, "rows": rows, "focused": focused, "note": found.note}
            answers[name]["handled"], answers[name]["changed"] = self._handled_by(found.state["handles"])
        return super().state_for_page() | {"_view_answers": answers}
