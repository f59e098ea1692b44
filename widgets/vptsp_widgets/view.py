"""What every view shares: rows known by stable ids, a selection, a focus, thumbnails, a still form, errors shown.

A view is a façade: it owns data and state in Python, and its front end (:mod:`vptsp_widgets.front`) only draws. The
front end knows images as rows; Python knows them by id, so that a selection means the same in every view.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import anywidget
import numpy as np
import traitlets

from vptsp.errors import DataError, UsageError
from vptsp.runs.progress import headless
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import plain
from vptsp_widgets import front
from vptsp_widgets.options import require_options
from vptsp_widgets.saved_page import pages_of, write_page

Handler = TypeVar("Handler", bound=Callable[..., Any])


def told(error: Exception) -> str:
    """An error for a status line: those that are written for people as they are, others with their kind."""
    return str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"


def shown(act: Handler) -> Handler:
    """A callback whose error appears in the view's status line: JupyterLab shows those of callbacks nowhere."""

    @functools.wraps(act)
    def guarded(view: View, *values: Any) -> Any:
        try:
            with view.lock:
                return act(view, *values)
        except Exception as error:
            view.status = told(error)

    return guarded  # type: ignore[return-value]


def with_still(view: Any, live: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
    """Widget, still and text in one bundle: an untrusted notebook shows the still; headless, there is no widget.

    ``view`` has ``still()`` and ``summary()``; ``live(**keywords)`` is the bundle of the widget alone.
    """
    bundle = {"text/html": view.still(), "text/plain": view.summary()}
    if headless():
        return bundle
    found = live(**keywords)
    data, metadata = found if isinstance(found, tuple) else (found, {})
    return {**(data or {}), **bundle}, metadata


class View(anywidget.AnyWidget):
    """Base of the views. ``selection`` (ids) and ``focus`` (one id, or "") can be read, set, observed and linked.

    Subclasses name their front end in ``_front``, give ``still()`` and handle messages of kind ``x`` in ``_on_x``.
    """

    _front: ClassVar[str] = ""

    selection = traitlets.List(traitlets.Unicode(), help="ids of the selected images, in the order of the rows")
    focus = traitlets.Unicode("", help="id of the image looked at; empty: none")
    status = traitlets.Unicode("").tag(sync=True)
    # int32 rows; a browser's buffers arrive as memoryviews, which the trait would refuse
    _selected = traitlets.Bytes(b"").tag(sync=True, from_json=lambda value, view: bytes(value))
    _focused = traitlets.Int(-1).tag(sync=True)
    _atlas = traitlets.Dict(allow_none=True).tag(sync=True)

    def __init_subclass__(cls, **keywords: Any) -> None:
        if "_front" in vars(cls):  # not for the subclass that traitlets makes of each widget that gets traits
            # text, not a path: anywidget watches paths, and the watch keeps closed widgets alive
            cls._esm, cls._css = front.module(cls._front), front.style(cls._front)
        super().__init_subclass__(**keywords)

    def __init__(self, ids: Sequence[str] = (), thumbnails: Thumbnails | None = None, **traits: Any) -> None:
        require_options(type(self), traits)
        self.lock = threading.RLock()  # callbacks may run in another thread than the cell
        self._take_ids(ids)
        self._thumbnails = thumbnails
        super().__init__(**traits)
        if thumbnails is not None:
            self._atlas = thumbnails.layout(self.ids)
        self.on_msg(self._receive)

    def _take_ids(self, ids: Sequence[str]) -> None:
        row = {name: row for row, name in enumerate(ids)}
        if len(row) != len(ids):
            raise DataError(f"{len(ids) - len(row)} of {len(ids)} image ids are not unique")
        self.ids, self._row = tuple(ids), row

    def _take_images(self, ids: Sequence[str], thumbnails: Thumbnails | None) -> None:
        """Other rows from now on. What was selected and focused has to be cleared before."""
        self._take_ids(ids)
        self._thumbnails = thumbnails
        self._atlas = thumbnails.layout(self.ids) if thumbnails else {}

    # --- selection and focus -------------------------------------------------------------------
    def known(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that this view has, in the order of its rows."""
        return [self.ids[row] for row in sorted({self._row[name] for name in ids if name in self._row})]

    @traitlets.validate("selection")
    def _check_selection(self, proposal: Any) -> list[str]:
        unknown = [name for name in proposal["value"] if name not in self._row]
        if unknown:
            raise DataError(
                f"{len(unknown)} of the ids to select are not in this view, the first is {plain(unknown[0])!r}; "
                "known(ids) gives those that are"
            )
        return self.known(proposal["value"])

    @traitlets.validate("focus")
    def _check_focus(self, proposal: Any) -> str:
        if proposal["value"] and proposal["value"] not in self._row:
            raise DataError(f"{plain(proposal['value'])!r} is not an image of this view")
        return str(proposal["value"])

    @traitlets.observe("selection")
    def _send_selection(self, change: Any) -> None:
        self._selected = np.array([self._row[name] for name in change["new"]], dtype="<i4").tobytes()

    @traitlets.observe("_selected")
    @shown
    def _take_selection(self, change: Any) -> None:
        self.selection = [self.ids[row] for row in np.frombuffer(change["new"], dtype="<i4")]

    @traitlets.observe("focus")
    def _send_focus(self, change: Any) -> None:
        self._focused = self._row.get(change["new"], -1)

    @traitlets.observe("_focused")
    @shown
    def _take_focus(self, change: Any) -> None:
        self.focus = self.ids[change["new"]] if change["new"] >= 0 else ""

    # --- messages ------------------------------------------------------------------------------
    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        self._handle(content, buffers)

    @shown
    def _handle(self, content: dict[str, Any], buffers: list[Any]) -> None:
        getattr(self, f"_on_{content['kind']}")(content, buffers)

    def _on_page(self, content: dict[str, Any], buffers: list[Any]) -> None:
        assert self._thumbnails is not None
        page = int(content["page"])
        self.send({"kind": "page", "page": page}, [self._thumbnails.page_bytes(page)])

    def open(self) -> None:
        """Open the channel to the front end, on which messages take the way that the front end chose.

        ipykernel (7.4) would send them to the shell from which this view last spoke: to the one that runs cells
        after every cell that touches the view, so that the view would be deaf for as long as the next cell runs.
        """
        super().open()
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = None

    def close(self) -> None:
        """Close the view and its layout, which ipywidgets would keep for as long as the kernel lives."""
        if self.comm is not None:
            self.layout.close()
        super().close()

    # --- display -------------------------------------------------------------------------------
    def state_for_page(self) -> dict[str, Any]:
        """What the front end sees, for :func:`vptsp_widgets.front.page_block`: bytes and JSON values by name."""
        own = {name for name in self.trait_names(sync=True) if not name.startswith(("_model", "_view", "_esm", "_css"))}
        skipped = {"layout", "tabbable", "tooltip", "comm", "_dom_classes", "_anywidget_id"}
        return {name: getattr(self, name) for name in sorted(own - skipped)}

    def page_block(self, label: str = "", thumbnails: bool = True, **changes: Any) -> str:
        """The view, live, as HTML for a page without a kernel; ``label`` is what a screen reader calls it.

        Without ``thumbnails`` it uses those of another block of the page. ``changes`` are of the state, by name.
        """
        pages = pages_of(self._thumbnails) if thumbnails else ()
        return front.page_block(self._front, self.state_for_page() | changes, pages, label or self.summary())

    def save_html(self, path: str | Path) -> Path:
        """Write the view as one file that needs no kernel and no network, and return its path.

        It stays live, as far as a kernel has no part in it, and has its still for readers without scripts. Thumbnails
        are in it up to 5 MB. Raises UsageError for a path that is no name of a page.
        """
        return write_page(path, self.summary(), [self.page_block(), f"<noscript>{self.still()}</noscript>"])

    def still(self) -> str:
        """The view as HTML without scripts, as JupyterLab keeps it in notebooks that it does not trust."""
        raise NotImplementedError

    def summary(self) -> str:
        """One line of text: what this view shows."""
        return f"{type(self).__name__} of {len(self.ids):,} images"

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        return with_still(self, super()._repr_mimebundle_, keywords)
