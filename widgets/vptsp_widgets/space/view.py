"""The map: images and proxies as points of a plane, to look at, to search and to select from.

>>> from vptsp_widgets.space import SpaceExplorer
>>> space = SpaceExplorer.of_run("runs/blossoms-vptsp_g")  # doctest: +SKIP
>>> space.selection  # ids of what was lassoed  # doctest: +SKIP

Drawing, hovering and picking happen in the browser (``front/``), also while the kernel is busy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from vptsp.analysis.maps import proxies_of
from vptsp.analysis.projection import FEWEST_FOR_UMAP, Method, project
from vptsp.errors import DataError, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.snapshots import KINDS
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import plain
from vptsp_widgets.sampling import spread
from vptsp_widgets.space import data
from vptsp_widgets.space.still import html_of
from vptsp_widgets.view import View, shown

# what the front end remembers; x and y: the centre of the view in the map's units, none: the whole map's
VIEW_STATE: dict[str, Any] = {
    "x": None, "y": None, "zoom": 1.0, "colour": data.CLASS, "solo": [], "find": "",
    "labels": True, "proxies": list(KINDS), "arrows": True, "all": False,
}  # fmt: skip


class SpaceExplorer(View):
    """A map of embeddings; more than ``most`` images are sampled evenly by class, and the map says so.

    ``coordinates`` is an array (N, 2), or how to make one: ``"umap"`` or ``"pca"``. ``proxies`` maps any of learned,
    semantic and fused to (C, E) vectors, which are placed among the images, or to (C, 2) places on a given map;
    ``proxy_names`` are the C names of their classes. ``columns`` holds more to colour by: one row per image, in
    order or indexed by image id. ``cache`` is a folder for projections.

    ``view_state`` is the view as one small JSON object: camera (``x``, ``y``, ``zoom``), ``colour`` (a column),
    ``solo`` (the categories shown, empty for all), ``find`` (a class), ``labels``, ``proxies``, ``arrows`` and ``all``
    (whether to show images beyond the sample). What is not given is as at the start.

    Raises DataError for lengths that do not fit, naming both.
    """

    _front = "space"

    run = traitlets.Unicode("", help="directory of the run shown; setting it shows another run, as link() does")
    view_state = traitlets.Dict().tag(sync=True)
    _title = traitlets.Unicode("").tag(sync=True)
    _points = traitlets.Bytes(b"").tag(sync=True)  # float32 (N, 2)
    _codes = traitlets.Bytes(b"").tag(sync=True)  # a column after the other, 4 bytes per image, as _columns says
    _columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    _ids = traitlets.Bytes(b"").tag(sync=True)  # UTF-8, with NUL between two ids
    _sample = traitlets.Bytes(b"").tag(sync=True)  # int32 rows
    _glyphs = traitlets.Bytes(b"").tag(sync=True)  # float32 (kinds, C, 2)
    _proxies = traitlets.Dict().tag(sync=True)  # kinds and names
    _colours = traitlets.Bytes(b"").tag(sync=True)
    _axes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _notes = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(
        self,
        saved: SavedEmbeddings,
        coordinates: np.ndarray | Method = "umap",
        proxies: Mapping[str, np.ndarray] | None = None,
        proxy_names: Sequence[str] = (),
        columns: pd.DataFrame | None = None,
        most: int = 200_000,
        seed: int = 0,
        cache: Path | None = None,
        **traits: Any,
    ) -> None:
        self.most, self.seed = most, seed
        self.method: Method = coordinates if isinstance(coordinates, str) else "umap"
        self.split = "test"
        content = self._content(saved, coordinates, proxies or {}, proxy_names, columns, cache)
        super().__init__(saved.ids, _thumbnails(saved), **{"view_state": {}, **content, **traits})

    @classmethod
    def of_run(
        cls, run: Run | str | Path, split: str = "test", method: Method = "umap", **options: Any
    ) -> SpaceExplorer:
        """The map of a run's images of a split, with the proxies of their epoch.

        It can be coloured by class, by the classes' attributes and by whether the nearest image is of the same class.
        """
        run = Run.of(run)
        view = cls(**{**_of_run(run, split), "coordinates": method, **options})
        view.split = split
        view.set_trait("run", str(run.path))
        return view

    @classmethod
    def of_arrays(
        cls,
        embeddings: Any,
        labels: Sequence[Any] | None = None,
        *,
        images: Sequence[str | Path] | None = None,
        ids: Sequence[str] | None = None,
        columns: pd.DataFrame | None = None,
        method: Method = "umap",
        **options: Any,
    ) -> SpaceExplorer:
        """The map of embeddings of one's own, without a run: arrays, or a file of them.

        Takes what :meth:`SavedEmbeddings.write <vptsp.runs.embeddings.SavedEmbeddings.write>` does, or what that
        returned. Raises DataError for parts that do not fit together.
        """
        saved = embeddings
        if not isinstance(saved, SavedEmbeddings):
            saved = SavedEmbeddings.of_arrays(embeddings, labels, images=images, ids=ids, columns=columns)
        tables = [data.nearest_columns(saved)] if saved.has_classes and len(saved) else []
        tables += [saved.columns] if saved.columns is not None else []
        return cls(saved, method, columns=pd.concat(tables, axis=1) if tables else None, **options)

    # --- content -------------------------------------------------------------------------------
    def _content(
        self,
        saved: SavedEmbeddings,
        coordinates: np.ndarray | Method,
        proxies: Mapping[str, np.ndarray],
        proxy_names: Sequence[str],
        columns: pd.DataFrame | None,
        cache: Path | None,
    ) -> dict[str, Any]:
        """The synced traits for these images; sets what Python itself keeps of them."""
        if not len(saved):
            why = f"; {saved.left_out_note}" if saved.left_out else ""
            raise DataError(f"{saved.folder} holds no images that could be shown{why}")
        kinds = [kind for kind in KINDS if kind in proxies]
        if len(kinds) < len(proxies):
            raise DataError(f"proxies are {', '.join(map(str, proxies))}; legal kinds: {', '.join(KINDS)}")
        for kind in kinds:
            if len(proxies[kind]) != len(proxy_names):
                raise DataError(f"{len(proxies[kind])} {kind} proxies but {len(proxy_names)} proxy_names; give as many")
        vectors = [np.asarray(proxies[kind]) for kind in kinds]
        points, placed, axes = _placed(saved, coordinates, vectors, self.seed, cache)
        drawn = np.flatnonzero(np.isfinite(points).all(axis=1))
        notes = [saved.left_out_note] if saved.left_out else []
        if len(drawn) < len(points):
            notes.append(f"{len(points) - len(drawn):,} left out: their coordinates hold NaN or infinity")
        if not (saved.folder / "tiles.json").is_file():
            notes.append(f"no thumbnails: {saved.folder / 'tiles.json'} is missing")
        self.saved, self.points, self.glyphs = saved, points, dict(zip(kinds, placed, strict=True))
        self.columns = data.columns_of(saved, columns)
        self.sample = drawn[spread(saved.labels[drawn], self.most, self.seed)].astype("<i4")
        return {
            "_title": plain(saved.name),
            "_points": points.tobytes(),
            "_codes": b"".join(column.codes.tobytes() for column in self.columns),
            "_columns": [column.header() for column in self.columns],
            "_ids": "\0".join(_line(name) for name in saved.ids).encode(errors="replace"),
            "_sample": self.sample.tobytes(),
            "_glyphs": np.concatenate([*placed, np.empty((0, 2))]).astype("<f4").tobytes(),
            "_proxies": {"kinds": kinds, "names": [plain(name) for name in proxy_names]},
            "_colours": data.both_themes(self.columns),
            "_axes": list(axes),
            "_notes": notes,
        }

    @traitlets.observe("run")
    @shown
    def _show_run(self, change: Any) -> None:
        if not change["new"] or Path(change["new"]) == self.saved.folder.parent.parent:
            return  # it is shown already
        self.status = "reading the run"
        given = _of_run(Run.open(change["new"]), self.split)
        saved = given.pop("saved")
        content = self._content(saved, self.method, **given)
        with self.hold_sync():  # the front end must not see the rows of one run with the names of another
            self.selection, self.focus = [], ""
            self.ids, self._row = tuple(saved.ids), {name: row for row, name in enumerate(saved.ids)}
            self._thumbnails = _thumbnails(saved)
            self._atlas = self._thumbnails.layout(self.ids) if self._thumbnails else {}
            self.view_state = {}
            for name, value in content.items():
                self.set_trait(name, value)
            self.status = ""

    @traitlets.validate("view_state")
    def _check_view_state(self, proposal: Any) -> dict[str, Any]:
        given = proposal["value"]
        unknown = sorted(map(str, given.keys() - VIEW_STATE.keys()))
        if unknown:
            raise DataError(f"view_state has no {', '.join(unknown)}; it has {', '.join(VIEW_STATE)}")
        state = {**VIEW_STATE, **given}
        columns = [column.name for column in self.columns]
        if state["colour"] not in columns:
            given = plain(state["colour"])
            raise DataError(f"there is no column {given!r} to colour by; there are {', '.join(columns)}")
        for name in ("x", "y", "zoom"):
            value = state[name]
            if not (isinstance(value, (int, float)) and np.isfinite(value)) and (value is not None or name == "zoom"):
                raise DataError(f"view_state {name} is {value!r}; it must be a number")
        if not state["zoom"] > 0:
            raise DataError(f"view_state zoom is {state['zoom']!r}; it must be above 0, and 1 shows the whole map")
        return state

    # --- display -------------------------------------------------------------------------------
    def counts(self) -> str:
        """How many images are shown, of how many, and what was left out."""
        total, shows = len(self.points), len(self.sample)
        if self.view_state["all"]:
            shows = int(np.isfinite(self.points).all(axis=1).sum())
        text = f"{total:,} images" if shows == total else f"{shows:,} of {total:,} images shown"
        return "; ".join([text, *self._notes])

    def summary(self) -> str:
        return f"Map of {plain(self.saved.name)}: {self.counts()}"

    def still(self) -> str:
        """The map as a picture, and the thumbnails of what is selected."""
        return html_of(self)


def _of_run(run: Run, split: str) -> dict[str, Any]:
    saved = SavedEmbeddings.of_run(run, split)
    proxies, names = proxies_of(run, saved)
    tables = [data.nearest_columns(saved), data.attribute_columns(saved)] if len(saved) else []
    return {
        "saved": saved,
        "proxies": proxies,
        "proxy_names": names,
        "columns": pd.concat([table for table in tables if table is not None], axis=1) if tables else None,
        "cache": run.path / "embeddings" / "projections",
    }


def _placed(
    saved: SavedEmbeddings, coordinates: np.ndarray | Method, proxies: list[np.ndarray], seed: int, cache: Path | None
) -> tuple[np.ndarray, list[np.ndarray], tuple[str, str]]:
    """Points (N, 2) of the images, places (C, 2) of each kind of proxy, and the names of the axes."""
    if isinstance(coordinates, str):
        guests = np.concatenate(proxies) if proxies else None
        if guests is not None and (guests.ndim != 2 or guests.shape[1] != saved.embeddings.shape[1]):
            raise DataError(f"proxies are {guests.shape}, but embeddings have size {saved.embeddings.shape[1]}")
        points = project(saved.embeddings, coordinates, seed=seed, cache=cache, guests=guests).astype("<f4")
        axis = "UMAP" if coordinates == "umap" and len(saved) >= FEWEST_FOR_UMAP else "principal component"
        parts = np.split(points, np.cumsum([len(saved), *map(len, proxies)])[:-1])
        return parts[0], parts[1:], (f"{axis} 1", f"{axis} 2")
    points = np.ascontiguousarray(coordinates, dtype="<f4")
    if points.shape != (len(saved), 2):
        left_out = f" (without {len(saved.left_out)} left out)" if saved.left_out else ""
        raise DataError(
            f"coordinates are {points.shape}, but there are {len(saved)} images{left_out}; give ({len(saved)}, 2)"
        )
    for rows in proxies:
        if rows.ndim != 2 or rows.shape[1] != 2:
            raise DataError(f"proxies are {rows.shape}; on a map of given coordinates they must be (classes, 2)")
    return points, proxies, ("coordinate 1", "coordinate 2")


def _thumbnails(saved: SavedEmbeddings) -> Thumbnails | None:
    try:
        return saved.thumbnails
    except RunError:
        return None  # _notes say so


def _line(name: str, longest: int = 120) -> str:
    return name if name.isprintable() and len(name) <= longest else plain(name, longest)
