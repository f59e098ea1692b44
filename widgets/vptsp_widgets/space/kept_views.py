"""A view of the map that was kept, on a map that may have changed since: what can be shown of it, and what is said."""

from __future__ import annotations

import base64
import html
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from vptsp.errors import DataError
from vptsp.runs.kept_views import KeptView
from vptsp.text import plain, safe
from vptsp_widgets.space.data import CLASS, Column
from vptsp_widgets.space.handle_state import handles_there
from vptsp_widgets.space.state import VIEW_STATE, whole_state

_SMALL = (240, 171)  # pixels at most of a picture in the panel, which shows it at half the size
_HOW_TO_OPEN = (
    "In JupyterLab, Trust HTML in the tab that opens makes it live; "
    "a middle click opens it live in a tab of the browser"
)
_NEAR = 1e-3  # of a map's extent: what its ends may differ by, rounded otherwise on another processor


@dataclass(frozen=True)
class Here:
    """The map that a view is opened on."""

    columns: Sequence[Column]
    proxy_kinds: Sequence[str]
    proxy_names: Sequence[str]
    row: Mapping[str, int]  # of each image, by id
    made: Mapping[str, Any]
    span: Sequence[Sequence[float]]
    handled: Sequence[str] | None = None  # classes whose proxies are handles


@dataclass(frozen=True)
class Opened:
    """A state, a selection (ids) and a focus that the map can show; ``note`` says what is not there, "" if all is."""

    state: dict[str, Any]
    selection: list[str]
    focus: str
    note: str


def span_of(points: np.ndarray) -> list[list[float]]:
    """[lowest, highest] of places (N, D) on each axis; empty where there are none."""
    rows = points[np.isfinite(points).all(axis=1)]
    if not len(rows):
        return []
    return np.stack([rows.min(axis=0), rows.max(axis=0)], axis=1).astype(float).round(6).tolist()


def opened(view: KeptView, here: Here) -> Opened:
    """What there is of a kept view; nothing raises, whatever the file of views holds."""
    missing: list[str] = []
    state = {name: value for name, value in view.state.items() if name in VIEW_STATE and _fits(name, value)}
    if not _same_map(view, here):
        state = {name: value for name, value in state.items() if name not in ("x", "y", "zoom", "turn")}
        missing.append(f"its place, which is on a map {made_in_words(view.made)} that was another")
    state["handles"], gone = _handles_of(state.get("handles", {}), here, _same_map(view, here))
    missing += gone
    state = _columns_there(state, here, missing)
    selection = [one for one in view.selection if one in here.row]
    if lost := [one for one in view.selection if one not in here.row]:
        first = plain(lost[0], 60)
        missing.append(f"{len(lost):,} of the {len(view.selection):,} images selected, the first is {first!r}")
    focus = view.focus if view.focus in here.row else ""
    if view.focus and not focus:
        missing.append(f"the image in focus, {plain(view.focus, 60)!r}")
    names = [column.name for column in here.columns]
    try:
        state = whole_state(state, names, here.proxy_kinds)
    except DataError:
        state = whole_state({}, names, here.proxy_kinds)
        missing.append("what its file says of the map")
    note = f"the view {plain(view.name, 60)!r} has parts that are not here: {', '.join(missing)}" if missing else ""
    return Opened(
        state, sorted(selection, key=lambda one: here.row[one]), focus, f"{note}; the rest is shown" if note else ""
    )


def _handles_of(state: Mapping[str, Any], here: Here, same_map: bool) -> tuple[dict[str, Any], list[str]]:
    if here.handled is None:
        return {}, ["its proxies as handles"] if state else []
    return handles_there(state, here.handled, here.row, same_map)


def _fits(name: str, value: Any) -> bool:
    """Whether a value is of the kind that the state has under a name."""
    if name in ("x", "y"):
        return value is None or isinstance(value, (int, float))
    if name == "zoom":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if not isinstance(value, type(VIEW_STATE[name])):
        return False
    return name not in ("solo", "proxies") or all(isinstance(one, str) for one in value)


def _same_map(view: KeptView, here: Here) -> bool:
    if view.made.get("method") != here.made.get("method") or view.made.get("alone", 0) != here.made.get("alone", 0):
        return False
    try:
        then, now = np.array(view.span, dtype=float), np.array(here.span, dtype=float)
    except (TypeError, ValueError):
        return False
    if then.shape != now.shape or not now.size:
        return then.shape == now.shape
    return bool(np.allclose(then, now, rtol=0, atol=_NEAR * float((now[:, 1] - now[:, 0]).max() or 1)))


def made_in_words(made: Mapping[str, Any]) -> str:
    """As in "a map by UMAP" or "a map of 12 images alone, by PCA"."""
    method = made.get("method")
    how = {"umap": "by UMAP", "pca": "by PCA"}.get(str(method), "of given coordinates")
    alone = made.get("alone")
    how = f"of {alone:,} images alone, {how}," if isinstance(alone, int) and alone else how
    return f"in three dimensions {how}" if made.get("dimensions") == 3 else how


def _columns_there(state: dict[str, Any], here: Here, missing: list[str]) -> dict[str, Any]:
    """The state without columns and values that are not there, which ``missing`` hears of."""
    values = {column.name: column.values for column in here.columns}
    gone: list[str] = []
    colour, solo = state.get("colour", CLASS), state.get("solo", [])
    if colour not in values:
        gone, state = [colour], {**state, "colour": CLASS, "solo": []}
    elif left := set(solo) - set(values[colour] or ()):
        missing.append(f"{len(left):,} of the {len(solo):,} categories shown alone")
        state = {**state, "solo": [value for value in solo if value not in left]}
    conditions = []
    for one in state.get("filter", []):
        name = one.get("column") if isinstance(one, Mapping) else None
        if name == "" or name in values:
            conditions.append(one)
        elif isinstance(name, str):
            gone.append(name)
    gone = list(dict.fromkeys(gone))
    if gone:
        missing.append(f"column{'s' if len(gone) > 1 else ''} {', '.join(repr(plain(name, 60)) for name in gone)}")
    found = state.get("find", "")
    if found and found not in (*(values.get(CLASS) or ()), *here.proxy_names):
        missing.append(f"the class {plain(found, 60)!r} that was found")
        state = {**state, "find": ""}
    return {**state, "filter": conditions} if "filter" in state else state


# --- as it is shown ------------------------------------------------------------------------------
def small_of(png: bytes) -> bytes:
    """The picture as a JPEG for the panel."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        small = picture.convert("RGB")
        small.thumbnail(_SMALL, Image.Resampling.LANCZOS)
        small.save(buffer, format="JPEG", quality=82)
    return buffer.getvalue()


def for_front(views: Mapping[str, KeptView], smalls: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """As the panel takes them, the one kept last first; ``smalls`` are small pictures by name."""
    return [
        {
            "name": name,
            "shown": plain(name, 60),
            "said": _said(view),
            "date": day(view.date),
            "key": view.key,
            "picture": "data:image/jpeg;base64," + base64.b64encode(smalls[name]).decode() if smalls.get(name) else "",
        }
        for name, view in reversed(list(views.items()))
    ]


def _said(view: KeptView) -> str:
    """What is special in it, in few words."""
    several = {name: value for name, value in view.state.items() if isinstance(value, list)}
    solo, filters = len(several.get("solo", [])), len(several.get("filter", []))
    parts = [f"{len(view.selection):,} selected"] if view.selection else []
    parts += [f"{solo} shown alone"] if solo else []
    parts += [f"{filters} filter{'s' if filters > 1 else ''}"] if filters else []
    return " · ".join([*parts, f"by {plain(view.state.get('colour', CLASS), 24)}"])


def day(seconds: float) -> str:
    """A time as a date and minutes, where this runs."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, OSError, ValueError):
        return ""


class KeptStill:
    """A kept view as a cell of a notebook shows it: its picture, a link and the line of Python that open it.

    It is plain HTML, so that it stays in the notebook without a kernel. The link is the way to the ``page`` from where
    the kernel runs, which is the notebook's folder; empty: there is none.
    """

    def __init__(self, view: KeptView, figure: str, code: str, page: str = "") -> None:
        self.view, self._figure, self.code, self.page = view, figure, code, page

    def _repr_html_(self) -> str:
        way = html.escape(quote(self.page, safe="/"))
        link = f'<a href="{way}" title="{html.escape(_HOW_TO_OPEN)}">Open it</a> as a page, ' if self.page else ""
        return (
            f'{self._figure}<p style="font-size:13px;margin:6px 0;max-width:860px">'
            f"Kept as <b>{safe(self.view.name)}</b> on {day(self.view.date)}. {link or 'It opens '}"
            f"{'or ' if link else ''}on the live map by "
            f'<span style="font-family:monospace">{html.escape(self.code)}</span></p>'
        )

    def __repr__(self) -> str:
        page = f", and {self.page} is a page of it" if self.page else ""
        return f"View kept as {plain(self.view.name)!r} on {day(self.view.date)}; {self.code} opens it{page}"


def without_scripts(figure: str) -> str:
    """What a page of a view shows where scripts do not run, as JupyterLab opens one."""
    return (
        f'<noscript>{figure}<p style="font-size:13px;max-width:860px">This is a picture, as scripts do not run '
        "here. In JupyterLab, <b>Trust HTML</b> above makes it the map to work with.</p></noscript>"
    )
