"""The map: images and proxies as points of a plane, to look at, to search and to select from.

>>> from vptsp_widgets.space import SpaceExplorer
>>> space = SpaceExplorer.of_run("runs/blossoms-vptsp_g")  # doctest: +SKIP
>>> space.selection  # ids of what was lassoed  # doctest: +SKIP

Drawing, hovering and picking happen in the browser (``front/``), also while the kernel is busy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import traitlets

from vptsp.analysis.guided_prompts import prompt_column
from vptsp.analysis.projection import Method
from vptsp.analysis.proxies_on_map import proxies_of, why_no_proxies
from vptsp.analysis.proxy_handles import ProxyHandles, handles_of
from vptsp.errors import DataError, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.options import require_options
from vptsp_widgets.run_view import Content, run_of, thumbnails_of
from vptsp_widgets.sampling import spread
from vptsp_widgets.space import data, measuring, truth
from vptsp_widgets.space.dates import with_dates_as_text
from vptsp_widgets.space.filtering import passing
from vptsp_widgets.space.handles import HandledMap
from vptsp_widgets.space.keeping import KeepsViews, kept_map
from vptsp_widgets.space.kept_marks import KeptMarks
from vptsp_widgets.space.near import Near
from vptsp_widgets.space.places import places
from vptsp_widgets.space.state import VIEW_STATE as VIEW_STATE  # under the name that users know
from vptsp_widgets.space.state import whole_state
from vptsp_widgets.space.still import StillMap, html_of
from vptsp_widgets.space.tagging import table_of, tag_column_name, with_tags
from vptsp_widgets.space.turning import sight
from vptsp_widgets.view import shown

PAINTERS = ("auto", "webgl", "canvas")


class SpaceExplorer(HandledMap, KeepsViews):
    """A map of embeddings; more than ``most`` images are sampled evenly by class, and the map says so.

    ``coordinates`` is an array (N, D), or how to make one: ``"umap"`` or ``"pca"``. ``dimensions`` D are 2, a plane, or
    3, a space that is turned by hand and seen from the front. ``proxies`` maps any of learned, semantic and fused to
    (C, E) vectors, which are placed among the images, or to (C, D) places on a given map; ``proxy_names`` are the C
    names of their classes, and ``no_proxies`` says beside the map why there are none. ``columns`` holds more to colour
    by: one row per image, in order or indexed by image id.
    ``cache`` is a folder for projections.

    ``view_state`` is the view as one small JSON object: camera (``x``, ``y``, ``zoom``, and ``turn``, a quaternion, of
    a map in three dimensions), ``colour`` (a column), ``solo`` (the categories shown, empty for all), ``find`` (a
    class), ``filter`` (conditions on columns, as in ``{"column": "size", "low": 2}``, ``{"column": "taken", "high":
    "2024-05-01"}`` or ``{"column": "soil", "values": ["wet"]}``), ``labels``, ``pictures`` (of images, where one has
    zoomed in), ``examples`` (the image nearest to its class's mean, of each class that has room), ``proxies`` (kinds
    shown of all classes; of a class looked at the others are, too), ``density`` (lines that enclose shares of the
    images where the map is densest, :mod:`vptsp.analysis.density`: of those ``"shown"``, of each of the colour's
    ``"categories"``, or of the ``"selection"`` and the rest; also a keyword of its own), ``arrows``, ``handles`` (alpha
    and proxies moved, :mod:`vptsp_widgets.space.handle_state`), ``neighbours`` (whether lines lead from the image of
    ``focus`` to those nearest to it), ``truth`` (the same for the image pointed at, and columns that say how far the
    map can be trusted, :mod:`vptsp.analysis.distortion`) and ``all`` (whether to show images beyond the sample). What
    is not given is as at the start. ``map_alone`` makes a map of the images selected, ``map_all`` that of all again.

    ``tags`` are words of one's own by image id, given on the map or by :meth:`tag`, and a column of it; they and the
    ``selections`` with a name are kept with the run (:mod:`vptsp.runs.marks`), and
    :func:`~vptsp.runs.relabelled.write_relabelled` makes a table of data of them. ``table`` has all columns, and
    ``selected`` those of the images selected. ``measured`` says what the selection is worth in retrieval, ``without``
    and ``merged`` what would be without it and with its classes merged, by recall at ``recall_ks``, MAP@R and
    R-precision. ``handle``, ``move_proxy`` and ``forces`` take a run's proxies as handles, which are ``handles``
    (:mod:`vptsp.analysis.proxy_handles`).

    ``painter`` draws the points: ``"auto"``, by WebGL2 where a graphics processor does it and else on a plain canvas;
    ``"webgl"``, also where a program stands in for one; or ``"canvas"``. The list of keys on the map says which it is.

    ``keep_view`` keeps what the map shows under a name, with the run where there is one, ``views`` are the names,
    ``open_view`` or, at the beginning, ``view`` shows one again, and ``kept_view`` puts its picture into a notebook.

    Raises DataError for lengths that do not fit, naming both.
    """

    _front = "space"

    view_state = traitlets.Dict().tag(sync=True)
    painter = traitlets.Unicode("auto", help="what draws the points: auto, webgl or canvas").tag(sync=True)
    tags = traitlets.Dict(help="tags of one's own by image id; they are a column of the map")
    _title = traitlets.Unicode("").tag(sync=True)
    _points = traitlets.Bytes(b"").tag(sync=True)  # float32 (N, 2)
    _depths = traitlets.Bytes(b"").tag(sync=True)  # float32 (N,), the third coordinate of a map that has one
    _glyph_depths = traitlets.Bytes(b"").tag(sync=True)  # float32 (kinds, C), likewise
    _codes = traitlets.Bytes(b"").tag(sync=True)  # a column after the other, 4 bytes per image, as _columns says
    _columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    _ids = traitlets.Bytes(b"").tag(sync=True)  # UTF-8, with NUL between two ids
    _sample = traitlets.Bytes(b"").tag(sync=True)  # int32 rows
    _examples = traitlets.Bytes(b"").tag(sync=True)  # int32 (C,) rows
    _glyphs = traitlets.Bytes(b"").tag(sync=True)  # float32 (kinds, C, 2)
    _proxies = traitlets.Dict().tag(sync=True)  # kinds and names
    _colours = traitlets.Bytes(b"").tag(sync=True)
    _axes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _odd_ids = traitlets.Dict().tag(sync=True)  # by row, those that _ids has shortened
    _tag_column = traitlets.Unicode("tag").tag(sync=True)
    _near_table = traitlets.Bytes(b"").tag(sync=True)  # int32 (N, k), what each image finds; -1: no more
    _alone = traitlets.Int(0).tag(sync=True)  # images that are on a map of their own; 0: it is that of all
    _kept = traitlets.List(traitlets.Dict()).tag(sync=True)  # selections with a name
    _near = traitlets.Dict().tag(sync=True)  # what the image of focus finds, as Near.of says it

    def __init__(
        self,
        saved: SavedEmbeddings,
        coordinates: np.ndarray | Method | None = None,
        proxies: Mapping[str, np.ndarray] | None = None,
        proxy_names: Sequence[str] = (),
        columns: pd.DataFrame | None = None,
        most: int = 200_000,
        seed: int = 0,
        cache: Path | None = None,
        recall_ks: Sequence[int] = (1,),
        handles: ProxyHandles | None = None,
        view: str = "",
        dimensions: int | None = None,
        no_proxies: str = "",
        density: str | None = None,
        **traits: Any,
    ) -> None:
        require_options(type(self), traits)  # before the projection, which takes seconds
        method, kept_dimensions = kept_map(saved, view)
        coordinates = method if coordinates is None else coordinates
        if not isinstance(coordinates, str) and np.ndim(coordinates) == 2:
            kept_dimensions = 3 if np.shape(coordinates)[1] == 3 else 2
        self.dimensions = kept_dimensions if dimensions is None else dimensions
        if density and self.dimensions == 3:
            raise DataError(f"density {plain(density)!r} is drawn on maps in two dimensions, and this one has three")
        self.most, self.seed = most, seed
        self.method: Method = coordinates if isinstance(coordinates, str) else "umap"
        content = self._content_of(
            saved, proxies or {}, proxy_names, columns, cache, recall_ks, coordinates, handles, no_proxies
        )
        if "tags" in traits:
            traits["tags"] = {**content.traits["tags"], **traits["tags"]}
        super().__init__(content, **traits)
        if view:
            self.open_view(view)
            for name in traits.keys() & {"view_state", "selection", "focus"}:
                self.set_trait(name, traits[name])  # what is asked for by itself comes before what the view has
        if density is not None:
            self.view_state = {**self.view_state, "density": density}

    @classmethod
    def of_run(cls, run: Run | str | Path, split: str = "test", method: Method | None = None, **options: Any) -> Self:
        """The map of a run's images of a split, with the proxies of their epoch.

        It can be coloured by class, by the classes' attributes and by whether the nearest image is of the same class.
        ``method`` none: that of the ``view`` opened, or UMAP. ``dimensions=3`` makes a map to be turned.
        """
        return cls._opened(run, {"split": split}, **{"coordinates": method, **options})

    @classmethod
    def _parts_of(cls, run: Run, split: str = "test") -> dict[str, Any]:
        saved = SavedEmbeddings.of_run(run, split)
        proxies, names = proxies_of(run, saved)
        tables = [data.nearest_columns(saved), data.attribute_columns(saved)] if len(saved) else []
        tables += [prompt_column(run, saved)] if len(saved) else []
        return {
            "saved": saved,
            "proxies": proxies,
            "proxy_names": names,
            "columns": pd.concat([table for table in tables if table is not None], axis=1) if tables else None,
            "cache": run.path / "embeddings" / "projections",
            "recall_ks": run.config.recall_ks,
            "handles": handles_of(run, saved) if proxies else None,
            "no_proxies": "" if proxies else why_no_proxies(run, saved),
        }

    @classmethod
    def of_arrays(
        cls,
        embeddings: Any,
        labels: Sequence[Any] | None = None,
        *,
        images: Sequence[str | Path] | None = None,
        ids: Sequence[str] | None = None,
        columns: pd.DataFrame | None = None,
        method: Method | None = None,
        **options: Any,
    ) -> SpaceExplorer:
        """The map of embeddings of one's own, without a run: arrays, or a file of them.

        Takes what :meth:`SavedEmbeddings.write <vptsp.runs.embeddings.SavedEmbeddings.write>` does, or what that
        returned. Raises DataError for parts that do not fit together.
        """
        saved = SavedEmbeddings.of_arrays(embeddings, labels, images=images, ids=ids, columns=columns)
        tables = [data.nearest_columns(saved)] if saved.has_classes and len(saved) else []
        tables += [saved.columns] if saved.columns is not None else []
        return cls(saved, method, columns=pd.concat(tables, axis=1) if tables else None, **options)

    # --- content -------------------------------------------------------------------------------
    def _content_of(
        self,
        saved: SavedEmbeddings,
        proxies: Mapping[str, np.ndarray],
        proxy_names: Sequence[str],
        columns: pd.DataFrame | None,
        cache: Path | None,
        recall_ks: Sequence[int],
        coordinates: np.ndarray | Method | None = None,
        handles: ProxyHandles | None = None,
        no_proxies: str = "",
    ) -> Content:
        if not len(saved):
            why = f"; {saved.left_out_note}" if saved.left_out else ""
            raise DataError(f"{saved.folder} holds no images that could be shown{why}")
        coordinates = self.method if coordinates is None else coordinates
        self.made = {"method": coordinates if isinstance(coordinates, str) else "given", "seed": self.seed}
        self.made |= {"dimensions": self.dimensions}
        points, placed, axes = places(saved, coordinates, proxies, proxy_names, self.seed, cache, self.dimensions)
        drawn = np.flatnonzero(np.isfinite(points).all(axis=1))
        planar = isinstance(coordinates, str) and self.dimensions == 2  # a dragged proxy has no depth
        notes = [saved.left_out_note] if saved.left_out else []
        if len(drawn) < len(points):
            notes.append(f"{len(points) - len(drawn):,} left out: their coordinates hold NaN or infinity")
        notes += [no_proxies] if no_proxies else []
        notes += [saved.no_thumbnails_note] if saved.no_thumbnails_note else []
        # what a map of some images alone is made of, and what comes back after it
        self._vectors = {kind: np.asarray(proxies[kind]) for kind in placed} if isinstance(coordinates, str) else {}
        self._whole, self._cache, self._truth = (points, placed, axes), cache, list[data.Column]()
        self.kept = KeptMarks(saved)
        views, no_views = self._take_views(saved)
        notes += [note for note in (self.kept.note, no_views) if note]
        self._given = data.columns_of(saved, columns)
        self.columns = with_tags(self._given, saved.ids, self.kept.tags)
        self.saved, self.points, self.glyphs, self._nearest = saved, points, placed, Near(saved)
        self._measuring = measuring.Measuring(saved, recall_ks)
        self.sample = drawn[spread(saved.labels[drawn], self.most, self.seed)].astype("<i4")
        traits = {
            "view_state": {},
            "_title": plain(saved.name),
            **_split(points, placed),
            **_column_traits(self.columns),
            "_ids": "\0".join(map(_line, saved.ids)).encode(errors="replace"),
            "_odd_ids": {str(row): name for row, name in enumerate(saved.ids) if _line(name) != name},
            "_tag_column": tag_column_name([column.name for column in self._given]),
            "_sample": self.sample.tobytes(),
            "_examples": data.examples(saved),
            "_proxies": {"kinds": list(placed), "names": [plain(name) for name in proxy_names]},
            "_axes": list(axes),
            "_notes": notes,
            "tags": dict(self.kept.tags),
            "_kept": self.kept.for_front(),
            "_near_table": b"",
            "_alone": 0,
            **self._take_handles(saved, handles if planar else None, proxy_names),
            "_kept_views": views,
        }
        return Content(saved.ids, traits, thumbnails_of(saved), run_of(saved))

    @traitlets.observe("focus")
    def _find_near(self, change: Any) -> None:
        self._near = self._nearest.of(self._row[change["new"]]) if change["new"] else {}

    @traitlets.validate("painter")
    def _check_painter(self, proposal: Any) -> str:
        if proposal["value"] not in PAINTERS:
            raise DataError(f"painter is {plain(proposal['value'])!r}; it must be one of {', '.join(PAINTERS)}")
        return str(proposal["value"])

    @traitlets.validate("view_state")
    def _check_view_state(self, proposal: Any) -> dict[str, Any]:
        state = dict(proposal["value"])
        if state.get("handles", {}) is None:
            state["handles"] = self._handles_now()  # the front end says by messages how these are set
        names = [column.name for column in self.columns]
        if state.get("handles"):
            names.append(self._predicted_name())  # which they make
        state = whole_state(state, names, list(self.glyphs))
        if state["handles"] != self.view_state.get("handles"):
            self._asked_for(state["handles"])  # refuses what is not here
        dated = {column.name: column for column in self.columns if column.dates is not None}
        found = [
            with_dates_as_text(one, dated[one["column"]]) if one["column"] in dated else one for one in state["filter"]
        ]
        return {**state, "filter": found}

    # --- where the map can be trusted ------------------------------------------------------------
    @traitlets.observe("view_state")
    @shown
    def _show_truth(self, change: Any) -> None:
        if self.view_state["truth"] and not self._truth:
            self._tell_truth()

    def _tell_truth(self) -> None:
        """Columns of the map as it is, and what every image finds."""
        found = truth.truth_of(self.saved, self.points, [column.name for column in self._given])
        self._truth = found.columns
        self.status = found.note(int(np.isfinite(self.points).all(axis=1).sum()))
        if not self._near_table and (table := self._nearest.table(truth.MOST_WHOLE)) is not None:
            self._near_table = table.tobytes()
        self._show_tags()

    def map_alone(self, ids: Sequence[str] | None = None) -> None:
        """A map of some images alone, those selected unless ``ids`` says which; all others have no place on it.

        Raises DataError for fewer than three images.
        """
        rows = self._rows(ids)
        how = (self.method, self._vectors, self.seed, self._cache, self.dimensions)
        points, placed, axes = truth.alone(self.saved, rows, *how)
        self._place(points, placed, axes, len(rows))

    def map_all(self) -> None:
        """The map of all images again."""
        self._place(*self._whole, 0)

    def _on_alone(self, content: dict[str, Any], buffers: list[Any]) -> None:
        rows = [self.ids[row] for row in content["rows"]]
        self.map_alone(rows) if rows else self.map_all()

    def _place(self, points: np.ndarray, placed: dict[str, np.ndarray], axes: tuple[str, ...], images: int) -> None:
        drawn = np.flatnonzero(np.isfinite(points).all(axis=1))
        missing = {
            kind: np.full((len(self._proxies["names"]), self.dimensions), np.nan) for kind in self._proxies["kinds"]
        }
        with self.hold_sync():
            self.points, self.glyphs = points, missing | placed
            self.sample = drawn[spread(self.saved.labels[drawn], self.most, self.seed)].astype("<i4")
            self._sample, self._axes, self._alone = self.sample.tobytes(), list(axes), images
            for name, value in _split(points, self.glyphs).items():
                self.set_trait(name, value)
            self.view_state = {**self.view_state, "x": None, "y": None, "zoom": 1.0}
            self._truth = []
            self._replace_handles()
            if self.view_state["truth"]:
                self._tell_truth()
            else:
                self._show_tags()

    # --- what is known of images, for Python ----------------------------------------------------
    @property
    def table(self) -> pd.DataFrame:
        """All columns, tags among them, by image id."""
        return table_of(self.columns, self.ids)

    @property
    def selected(self) -> pd.DataFrame:
        """The rows of :attr:`table` of the images selected."""
        return self.table.loc[self.selection]

    def tag(self, tag: str, ids: Sequence[str] | None = None) -> None:
        """Give images a tag, those selected unless ``ids`` says which; an empty one takes theirs away."""
        self.tags = {**self.tags, **dict.fromkeys(self.selection if ids is None else ids, tag)}

    def _on_tag(self, content: dict[str, Any], buffers: list[Any]) -> None:
        given = {self.ids[row]: str(tag) for row, tag in zip(content["rows"], content["tags"], strict=True)}
        self.tags = {**self.tags, **given}

    @property
    def selections(self) -> dict[str, list[str]]:
        """The ids of each selection that is kept, as far as these images are here, by name."""
        return {name: self.known(ids) for name, ids in self.kept.selections.items()}

    def keep_selection(self, name: str, ids: Sequence[str] | None = None) -> None:
        """Keep a selection under a name: that of now, unless ``ids`` says which. Of a run, it is kept with the run.

        Raises DataError for an empty name and for ids that are not in this view, RunError where the run cannot be
        written.
        """
        self.kept.keep(name, [self.ids[row] for row in self._rows(ids)])
        self._kept = self.kept.for_front()

    def forget_selection(self, name: str) -> None:
        """Take a name away again. Raises DataError for one under which nothing is kept."""
        if name not in self.kept.selections:
            there = ", ".join(map(plain, self.kept.selections)) or "none"
            raise DataError(f"no selection is kept as {plain(name)!r}; there are: {there}")
        self.kept.keep(name, [])
        self._kept = self.kept.for_front()

    def _on_keep(self, content: dict[str, Any], buffers: list[Any]) -> None:
        name = str(content["name"])
        if content.get("restore"):
            self.kept.restore(name)
        else:
            self.kept.keep(name, [self.ids[row] for row in content["rows"]])
        self._kept = self.kept.for_front()

    @traitlets.validate("tags")
    def _check_tags(self, proposal: Any) -> dict[str, str]:
        tags = {str(name): str(tag) for name, tag in proposal["value"].items() if tag}
        unknown = [name for name in tags if name not in self._row]
        if unknown:
            raise DataError(
                f"{len(unknown)} of the ids to tag are not in this view, the first is {plain(unknown[0])!r}; "
                "known(ids) gives those that are"
            )
        return tags

    @traitlets.observe("tags")
    def _keep_tags(self, change: Any) -> None:
        """What is new goes to the run, and what others have said since comes from it."""
        try:
            found = self.kept.tag(change["new"])
        except RunError as error:
            self.status = f"these tags are not kept: {error}"
            found = change["new"]
        if found == self.tags:
            self._show_tags()
        else:
            self.tags = found

    def _show_tags(self) -> None:
        self.columns = with_tags([*self._other_columns(), *self._predicted], self.ids, self.tags)
        state, legal = self.view_state, {column.name: column.values or () for column in self.columns}
        left = [one for one in state["filter"] if one["column"] in ("", *legal)]  # not on a column that is gone
        with self.hold_sync():
            if left != state["filter"]:
                self.view_state = state = {**state, "filter": left}
            if state.get("colour") not in legal:
                self.view_state = {**state, "colour": data.CLASS, "solo": []}
            elif gone := set(state["solo"]) - set(legal[state["colour"]]):
                self.view_state = {**state, "solo": [value for value in state["solo"] if value not in gone]}
            for name, value in _column_traits(self.columns).items():
                self.set_trait(name, value)

    # --- what a selection is worth ---------------------------------------------------------------
    def measured(self, ids: Sequence[str] | None = None) -> pd.DataFrame:
        """Retrieval metrics of exactly these queries under the run's own protocol, beside all other queries.

        ``ids`` none: of the images selected. A line for each metric: its value ``here`` and in the ``rest``, their
        ``difference``, and ``_low`` and ``_high`` of its 95 % interval (:mod:`vptsp.analysis.resampling`). Raises
        DataError where none of the images is a query with something to find.
        """
        return measuring.table_of(self._measuring.these(self._rows(ids)))

    def without(self, ids: Sequence[str] | None = None) -> pd.DataFrame:
        """The same if these images were neither queries nor in the gallery: ``before``, ``after``, and the ``change``.

        The change is that of queries scored in both, with its 95 % interval. Raises DataError where nothing is left.
        """
        return measuring.table_of(self._measuring.without(self._rows(ids)))

    def merged(self, *classes: str) -> pd.DataFrame:
        """The same if these classes, given by name, were one; none: those of the images selected.

        Raises DataError for a name that no class has and for fewer than two classes.
        """
        names = self.saved.class_names
        if unknown := [name for name in classes if name not in names]:
            raise DataError(f"{plain(unknown[0])!r} is no class of {plain(self.saved.name)}; class_names lists them")
        labels = [names.index(name) for name in classes] or self.saved.labels[self._rows(None)].tolist()
        return measuring.table_of(self._measuring.merged(labels))

    def _columns_with(self, predicted: Sequence[data.Column]) -> dict[str, Any]:
        return _column_traits(with_tags([*self._other_columns(), *predicted], self.ids, self.tags))

    def _other_columns(self) -> list[data.Column]:
        return [*self._given, *self._truth]

    def _handle_rows(self, ids: Sequence[str]) -> list[int]:
        return self._rows(ids)

    def _rows(self, ids: Sequence[str] | None) -> list[int]:
        names = self.selection if ids is None else list(ids)
        if unknown := [name for name in names if name not in self._row]:
            raise DataError(
                f"{len(unknown)} of the ids are not in this view, the first is {plain(unknown[0])!r}; "
                "known(ids) gives those that are"
            )
        return [self._row[name] for name in names]

    def _on_measure(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """A question about the selection; what goes wrong stands where the answer would."""
        asked = {"kind": "measured", "question": str(content["question"]), "turn": content["turn"]}
        try:
            self.send(asked | self._measuring.answer(asked["question"], [int(row) for row in content["rows"]]))
        except DataError as error:
            self.send(asked | {"error": str(error)})

    # --- display -------------------------------------------------------------------------------
    def state_for_page(self) -> dict[str, Any]:
        """The state with the neighbours of all images, as far as these are few enough for a page."""
        table = self._nearest.table()
        near = {"_near_table": table.tobytes()} if table is not None else {}
        return super().state_for_page() | near | self._measuring.for_page()

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
        return html_of(self._still_map(), self._thumbnails)

    def _still_map(self, selected: Sequence[str] | None = None) -> StillMap:
        """The map as it is now; ``selected`` are other images than those selected."""
        seen = sight(self.points, self.glyphs, self.view_state["turn"]) if self.dimensions == 3 else None
        return StillMap(
            name=self.saved.name,
            ids=self.ids,
            labels=self.saved.labels,
            class_names=self.saved.class_names,
            points=self.points if seen is None else seen.points,
            sample=self.sample,
            glyphs=self.glyphs if seen is None else seen.glyphs,
            axes=self._axes,
            column=next(column for column in self.columns if column.name == self.view_state["colour"]),
            state=self.view_state,
            selected=[self._row[name] for name in (self.selection if selected is None else selected)],
            counts=self.counts(),
            notes=self._notes,
            seed=self.seed,
            passes=passing(self.columns, self.ids, self.view_state["filter"]),
            sight=seen,
        )


def _column_traits(columns: list[data.Column]) -> dict[str, Any]:
    """Columns as the front end takes them."""
    return {
        "_codes": b"".join(column.codes.tobytes() for column in columns),
        "_colours": data.both_themes(columns),
        "_columns": [column.header() for column in columns],
    }


def _split(points: np.ndarray, glyphs: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """Places of images and proxies as the front end takes them: the first two coordinates, and the third one."""
    signs = np.concatenate([*glyphs.values(), np.empty((0, points.shape[1]))]).astype("<f4")
    return {
        "_depths": points[:, 2:].astype("<f4").tobytes(),
        "_glyph_depths": signs[:, 2:].tobytes(),
        "_glyphs": signs[:, :2].tobytes(),
        "_points": points[:, :2].astype("<f4").tobytes(),
    }


def _line(name: str, longest: int = 120) -> str:
    return name if name.isprintable() and len(name) <= longest else plain(name, longest)
