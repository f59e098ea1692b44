"""Proxies as handles on the map: another alpha, a proxy elsewhere, and what each image's nearest proxy is then.

What is asked for is one small state: alpha, and the proxies that were moved. The kernel answers it as a whole, so that
cells and the panel beside the map (``front/handles.js``) lead to the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import traitlets

from vptsp.analysis.projection import Method
from vptsp.analysis.proxy_handles import Predictions, ProxyHandles, mean_direction, row_of
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.text import plain
from vptsp_widgets.run_view import RunView
from vptsp_widgets.space.data import Column, column
from vptsp_widgets.space.handle_answers import Asked, Handled, Move, amid, around, placed, way_along_alpha
from vptsp_widgets.space.handle_state import asked_of, state_of

if TYPE_CHECKING:
    from vptsp.analysis.proxy_forces import Forces

STRONGEST = 8  # forces that are drawn and listed; others are counted
_NAMES = ("predicted proxy", "proxy predicted here", "proxy predicted on the map")


@dataclass(frozen=True)
class Answer:
    """What is so with the handles asked for, as the front end takes it, and the column of the proxies predicted."""

    handled: dict[str, Any]
    changed: bytes
    column: Column


class HandledMap(RunView):
    """The part of :class:`~vptsp_widgets.space.view.SpaceExplorer` that knows its proxies as handles."""

    saved: SavedEmbeddings
    points: np.ndarray
    glyphs: dict[str, np.ndarray]
    seed: int
    method: Method
    _cache: Path | None

    _handle_offer = traitlets.Dict().tag(sync=True)  # of which kind the handles are, and the run's alpha; empty: none
    _handled = traitlets.Dict().tag(sync=True)  # what was asked last, and the answer
    _changed = traitlets.Bytes(b"").tag(sync=True)  # int32 rows whose nearest proxy is another
    _way = traitlets.Bytes(b"").tag(sync=True)  # float32 (A, C, 2)
    _way_alphas = traitlets.List(traitlets.Float()).tag(sync=True)
    _forces = traitlets.Dict().tag(sync=True)  # on the image of focus

    def _take_handles(
        self, saved: SavedEmbeddings, handles: ProxyHandles | None, proxy_names: Sequence[str]
    ) -> dict[str, Any]:
        """Other images and proxies; the traits that say so. Raises DataError for proxies of others than are shown."""
        if handles is not None and tuple(handles.class_names) != tuple(proxy_names):
            raise DataError(
                f"handles are the proxies of {len(handles.class_names)} classes, but the map shows those of "
                f"{len(proxy_names)}, or of others; give both of one run, as SpaceExplorer.of_run(run) does"
            )
        self._answers = None if handles is None else Handled(saved, handles)
        self._asked, self._feels, self._predicted = Asked(), False, list[Column]()
        offer: dict[str, Any] = {}
        if handles is not None:
            mixed = handles.semantic is not None
            offer = {"kind": "fused" if mixed else "learned", "alpha": handles.alpha if mixed else None}
        return {
            "_handle_offer": offer,
            "_handled": {},
            "_changed": b"",
            "_way": b"",
            "_way_alphas": [],
            "_forces": {},
        }

    # --- for Python ------------------------------------------------------------------------------
    def handle(self, alpha: float | None = None) -> pd.DataFrame:
        """What is predicted with another ``alpha``, none: with that of now. The map shows it as well.

        A line for each proxy: ``images`` of its class on this map, how many of these have it as their nearest proxy,
        ``right_before`` (with the run's own alpha) and ``right`` now, and how many images of any class it is nearest
        to, ``nearest_before`` and ``nearest``. Of classes without a proxy no image is right or wrong. Raises DataError
        for an alpha out of 0..1, and for a map without proxies of a run.
        """
        answers = self._require_handles()
        if alpha is not None:
            if answers.handles.semantic is None:
                raise DataError("this run has no semantic proxies to fuse, so alpha changes nothing; move_proxy does")
            answers.handles.among_images(alpha)  # refuses what is no share
            self._ask(replace(self._asked, alpha=float(alpha)))
        else:
            self._ask(self._asked)
        return answers.of_images(self._asked).by_class(answers.handles.class_names)

    def move_proxy(self, name: str, to: Sequence[str] | None = None) -> pd.DataFrame:
        """Put the proxy of a class at the mean direction of the images with these ids; none: back to its own place.

        Returns the table of :meth:`handle`. Raises DataError for a class without a proxy and for ids that are not here.
        """
        answers = self._require_handles()
        row = row_of(answers.handles, name)
        moved = {one: move for one, move in self._asked.moved.items() if one != row}
        if to is not None:
            rows = self._handle_rows(to)
            mean_direction(self.saved.embeddings[rows])  # refuses what has no direction
            moved[row] = amid(self.points, rows)
        self._ask(replace(self._asked, moved=moved))
        return self.handle()

    def reset_handles(self) -> pd.DataFrame:
        """The run's own alpha again, and all proxies at their own places."""
        self._require_handles()
        self._ask(Asked())
        return self.handle()

    @property
    def predicted_proxies(self) -> pd.DataFrame:
        """The nearest proxy of each image by id: ``before``, with the run's own alpha, and ``now``."""
        answers = self._require_handles()
        found, names = answers.of_images(self._asked), np.array(answers.handles.class_names, dtype=object)
        index = pd.Index(self.ids, name="id")
        return pd.DataFrame({"before": names[found.before], "now": names[found.now]}, index=index)

    def forces(self, id: str | None = None) -> pd.DataFrame:
        """Which proxies pull an image and which push it, the strongest first; ``id`` none: the image of focus.

        ``gradient`` is that of the run's own loss by the ``cosine`` of image and proxy, for a batch of this image alone
        (:mod:`vptsp.analysis.proxy_forces`): below 0 the proxy pulls. Proxies are those of now, moved ones too. Raises
        DataError, saying why, where the loss gives no force.
        """
        answers = self._require_handles()
        name = self.focus if id is None else id
        if not name:
            raise DataError("no image is focused; give the id of one")
        (row,) = self._handle_rows([name])
        return answers.forces(row, self._asked).table(answers.handles.class_names)

    # --- the answer ------------------------------------------------------------------------------
    def _ask(self, asked: Asked, turn: Any = None) -> None:
        answer = self._answer_to(asked)
        with self.hold_sync():
            self._asked, self._predicted = asked, [answer.column]
            self._changed, self._handled = answer.changed, {"turn": turn, **answer.handled}
            self._show_tags()
            self._feel()
            self._say_handles()

    def _answer_to(self, asked: Asked) -> Answer:
        answers = self._require_handles()
        found, probes = answers.of_images(asked), answers.of_probes(asked)
        values = pd.Categorical.from_codes(found.now.tolist(), pd.Index(_apart(answers.handles.class_names)))
        name = self._predicted_name()
        handled = {
            "alpha": asked.alpha,
            "moved": [_for_front(row, move) for row, move in asked.moved.items()],
            "changed": int(found.changed.sum()),
            "images": len(found.now),
            "known": found.known,
            "accuracy": _pair(found),
            "probes": None if probes is None else {"images": probes.known, "accuracy": _pair(probes)},
            "column": name,
        }
        changed = np.flatnonzero(found.changed).astype("<i4").tobytes()
        return Answer(handled, changed, column(pd.Series(values, name=name)))

    def _predicted_name(self) -> str:
        names = [one.name for one in self._other_columns()]
        return next((one for one in _NAMES if one not in names), _NAMES[-1])

    # --- as a part of view_state -----------------------------------------------------------------
    def _handles_now(self) -> dict[str, Any]:
        if self._answers is None:
            return {}
        handles = self._answers.handles
        return state_of(self._asked, handles.alpha, handles.class_names, self.ids)

    def _say_handles(self) -> None:
        """The state has what the handles are set to. The front end, which knows it, is sent no state that it left."""
        state = {**self.view_state, "handles": self._handles_now()}
        with self._lock_property(view_state=state):
            self.view_state = state

    def _asked_for(self, state: Mapping[str, Any]) -> Asked:
        """What a state of handles asks for. Raises DataError for what is not here."""
        if not state:
            return Asked()
        return asked_of(state, self._require_handles().handles.class_names, self._row, self.points)

    def _handle_names(self) -> Sequence[str] | None:
        """Classes whose proxies are handles; none where there are no handles."""
        return None if self._answers is None else self._answers.handles.class_names

    def _handled_by(self, state: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """The answer to a state, and the rows whose nearest proxy is another; nothing for the run's own."""
        if self._answers is None or not state:
            return {}, []
        answer = self._answer_to(self._asked_for(state))
        return {"turn": None, **answer.handled}, np.frombuffer(answer.changed, "<i4").tolist()

    def _handles_on_page(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """What other handles change in the state of a page."""
        if self._answers is None or state == self._handles_now():
            return {}
        answer = self._answer_to(self._asked_for(state))
        columns = self._columns_with([answer.column])
        return {"_handled": {"turn": None, **answer.handled}, "_changed": answer.changed, **columns}

    @traitlets.observe("view_state")
    def _follow_state(self, change: Any) -> None:
        """The state was set, by a cell or a kept view, with other handles than those of now."""
        if self._answers is not None and change["new"]["handles"] != self._handles_now():
            self._ask(self._asked_for(change["new"]["handles"]))

    def _on_handle(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """The handles were set in the panel; what goes wrong stands where the answer would."""
        turn, self._feels = content["turn"], True
        try:
            self._ask(self._asked_by(content), turn)
        except DataError as error:
            self._handled = {**self._handled, "turn": turn, "error": str(error)}

    def _asked_by(self, content: Mapping[str, Any]) -> Asked:
        alpha = content["alpha"]
        moved = {}
        for one in content["moved"]:
            x, y = (float("nan") if one[side] is None else float(one[side]) for side in "xy")
            place = x, y
            known = one.get("rows")
            move = Move(place, tuple(map(int, known)), tuple(map(float, one["weights"]))) if known else None
            moved[int(one["proxy"])] = move or around(self.points, place)
        return Asked(None if alpha is None else float(alpha), moved)

    def _on_feel(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Whether the panel is open, and the forces on the image of focus wanted."""
        self._feels = bool(content["on"])
        self._feel()

    @traitlets.observe("focus")
    def _feel_again(self, change: Any) -> None:
        self._feel()

    def _feel(self) -> None:
        if self._answers is None or not self._feels or not self.focus:
            self._forces = {}
            return
        row = self._row[self.focus]
        try:
            self._forces = {"row": row, **_felt(self._answers.forces(row, self._asked))}
        except DataError as error:
            self._forces = {"row": row, "error": str(error)}

    # --- places ----------------------------------------------------------------------------------
    def _on_way(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Where the fused proxies are along alpha, by the map's projection, which is made again for it."""
        answers = self._require_handles()
        if answers.handles.semantic is None or self._way:
            return
        self.status = "placing the proxies along alpha …"
        rows = np.flatnonzero(np.isfinite(self.points).all(axis=1))
        images = self.saved.embeddings if not self._alone else self.saved.embeddings[rows]
        alphas, places = way_along_alpha(images, answers.handles, self.glyphs, self.method, self.seed, self._cache)
        with self.hold_sync():
            self._way_alphas, self._way, self.status = alphas, places.tobytes(), ""

    def _replace_handles(self) -> None:
        """The map is another one: what was moved stays with its images."""
        self._way, self._way_alphas = b"", []
        if self._handled:
            moved = {row: placed(self.points, move) for row, move in self._asked.moved.items()}
            self._asked = replace(self._asked, moved=moved)
            self._handled = {**self._handled, "moved": [_for_front(row, move) for row, move in moved.items()]}
            self._say_handles()

    # --- what the map itself has -----------------------------------------------------------------
    _alone: int
    view_state: traitlets.Dict[str, Any]

    def _other_columns(self) -> Sequence[Column]:
        raise NotImplementedError

    def _show_tags(self) -> None:
        raise NotImplementedError

    def _columns_with(self, predicted: Sequence[Column]) -> dict[str, Any]:
        raise NotImplementedError

    def _require_handles(self) -> Handled:
        if self._answers is None:
            raise DataError(
                f"{plain(self.saved.name)} has no proxies of a run beside it that can be moved; "
                "SpaceExplorer.of_run(run) has, on a map of two dimensions, where the run's method trains proxies"
            )
        return self._answers

    def _handle_rows(self, ids: Sequence[str]) -> list[int]:
        raise NotImplementedError


def _apart(names: Sequence[str]) -> list[str]:
    """Names that differ, as categories must: those that differ only in signs that cannot be shown are numbered."""
    shown = [plain(name) for name in names]
    if len(set(shown)) == len(shown):
        return shown
    return [name if shown.count(name) == 1 else f"{name} ({row})" for row, name in enumerate(shown)]


def _for_front(row: int, move: Move) -> dict[str, Any]:
    x, y = (value if np.isfinite(value) else None for value in move.place)
    return {"proxy": row, "x": x, "y": y, "rows": list(move.rows), "weights": list(move.weights)}


def _pair(found: Predictions) -> list[float] | None:
    return None if found.accuracy is None else list(found.accuracy)


def _felt(found: Forces) -> dict[str, Any]:
    rows = found.strongest()
    return {
        "loss": found.loss,
        "note": found.note,
        "effects": [
            {"proxy": row, "cosine": float(found.cosines[row]), "gradient": float(found.gradients[row])}
            for row in rows[:STRONGEST]
        ],
        "more": len(rows) - len(rows[:STRONGEST]),
        "rest": float(np.abs(found.gradients[rows[STRONGEST:]]).sum()),
    }
