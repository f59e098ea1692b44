"""The time machine: a run's epochs to scrub and to play, proxies and probe images moving in one frozen frame.

>>> from vptsp_widgets.timemachine import TimeMachine
>>> machine = TimeMachine.of_run("runs/blossoms-vptsp_g")  # doctest: +SKIP
>>> machine.epoch = 0  # doctest: +SKIP

All epochs are in the browser (``front/``), which interpolates and draws; no kernel is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import traitlets

from vptsp.analysis.replay import Frame, Replay, replay, some_classes
from vptsp.errors import DataError
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.run_view import Content, RunView
from vptsp_widgets.timemachine.data import farthest, some_of
from vptsp_widgets.timemachine.part import MOST_TRAILS, Part
from vptsp_widgets.timemachine.still import StillReplay, html_of
from vptsp_widgets.timemachine.tiles import SIDE, TILE, tiles_of
from vptsp_widgets.view import shown

MOST_CLASSES = 300  # of a run, with their proxies in every epoch
_AT_START = 3


class TimeMachine(RunView):
    """A replay in the browser. Several replays of one run (PCA and aligned UMAP) can be switched between.

    ``epoch`` is the epoch shown, one of ``epochs``; it starts at the last one. ``classes`` are the names of the
    classes with trails, seven at most; it starts with the three whose fused (or only) proxies turned farthest.
    ``frame`` is the frame shown, ``"pca"`` or ``"aligned"``. ``selection`` and ``focus`` are ids of probe images.

    Raises DataError for no replay, replays of different runs, and an epoch, a frame or a class that there is not.
    """

    _front = "timemachine"

    epoch = traitlets.Int(-1, help="the epoch shown").tag(sync=True)
    frame = traitlets.Unicode("", help="pca or aligned").tag(sync=True)
    classes = traitlets.List(traitlets.Unicode(), help="names of the classes with trails")
    _trails = traitlets.List(traitlets.Int()).tag(sync=True)  # the same as rows of _names
    _content = traitlets.Dict().tag(sync=True)  # titles, epochs, frames, curves: what is small
    _names = traitlets.List(traitlets.Unicode()).tag(sync=True)  # of the classes that have something to show
    _labels = traitlets.Bytes(b"").tag(sync=True)  # int32: class of each image, then of the proxies of one kind
    _places = traitlets.Bytes(b"").tag(sync=True)  # float32 (frames, T, P + kinds x C, 2)
    _colours = traitlets.Bytes(b"").tag(sync=True)  # uint8 (2 themes, classes, 3)
    _ids = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _rows = traitlets.Bytes(b"").tag(sync=True)  # int32: what _focused and _selected call each image, -1: nothing
    _tiles = traitlets.Bytes(b"").tag(sync=True)  # JPEG

    def __init__(self, replays: Replay | Sequence[Replay], run: Run | None = None, **traits: Any) -> None:
        content = self._content_of((replays,) if isinstance(replays, Replay) else tuple(replays), run)
        self._how = {"frames": [one.frame for one in self.replays]}
        self._only: Mapping[str, Sequence[str] | None] = {}  # classes that alone are shown, by run
        super().__init__(content, **traits)

    @classmethod
    def of_run(
        cls,
        run: Run | str | Path,
        frame: Frame | Sequence[Frame] = "pca",
        classes: Sequence[str] | None = None,
        most: int = MOST_CLASSES,
    ) -> Self:
        """The time machine of a run, from its ``snapshots/``; thumbnails from its ``embeddings/`` if there are any.

        ``frame`` may name both frames, to switch between them; aligned UMAP takes minutes the first time.
        ``classes`` (names) are the only ones shown; without them a run of more than ``most`` training classes shows
        an even choice, and says so. Raises as :func:`vptsp.analysis.replay.replay` does.
        """
        how = {"frames": [frame] if isinstance(frame, str) else list(frame), "most": most}
        view = cls._opened(run, how | {"classes": classes})
        view._how, view._only = how, {view.run: classes}
        return view

    @classmethod
    def _parts_of(
        cls,
        run: Run,
        frames: Sequence[Frame] = ("pca",),
        most: int = MOST_CLASSES,
        classes: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        kept = some_classes(run, most) if classes is None else classes
        made = {one.frame: one for one in (replay(run, frame, kept) for frame in frames)}
        return {"replays": tuple(made.values()), "run": run}

    # --- content --------------------------------------------------------------------------------
    def _content_of(self, replays: tuple[Replay, ...], run: Run | None) -> Content:
        if not replays:
            raise DataError("there is no replay to show; give what vptsp.analysis.replay.replay returns")
        first = replays[0]
        for other in replays[1:]:
            if (other.epochs, other.ids, other.class_names) != (first.epochs, first.ids, first.class_names):
                raise DataError("the replays are of different runs or classes; give frames of one run")
        part = Part.of(first)
        ids = [first.ids[row] for row in part.images]
        traits = {
            **part.traits(replays),
            "_content": part.content(replays, training=bool(run and run.state() == "training")),
            **_tiles(run, ids),
            "epoch": first.epochs[-1],
            "frame": first.frame,
            "classes": farthest(first, _AT_START),
        }
        self.replays, self.epochs, self._images, self._class_rows = replays, first.epochs, part.images, part.classes
        return Content(ids, traits, run=run.path if run else None)

    def _begin(self) -> None:
        self._send_classes({"new": self.classes})  # the same names may have other rows

    def refresh(self) -> None:
        """Read the run again: a run that trains has more epochs by now. The frame is fitted to the last of them.

        A view on the last epoch stays on the last one.
        """
        if not self.run:
            raise DataError("this time machine was given replays and no run to read again; use TimeMachine.of_run")
        with self.lock:
            run, at_end, before = Run.open(self.run), self.epoch == self.epochs[-1], self.epoch
            parts = self._parts_of(run, **{**self._how, "classes": self._only.get(self.run)})
            content = self._content_of(**parts)
            kept: dict[str, Any] = {"classes": self.classes, "frame": self.frame}
            kept |= {} if at_end or before not in self.epochs else {"epoch": before}
            self._take(replace(content, traits={**content.traits, **kept}), keep=True)

    def _on_refresh(self, content: dict[str, Any], buffers: list[Any]) -> None:
        try:
            self.refresh()
        finally:
            self.send({"kind": "refreshed"})

    # --- what may be set --------------------------------------------------------------------------
    @traitlets.validate("epoch")
    def _check_epoch(self, proposal: Any) -> int:
        epoch = int(proposal["value"])
        if epoch not in self.epochs:
            raise DataError(f"there is no epoch {epoch}; the run has snapshots of {_listed(self.epochs)}")
        return epoch

    @traitlets.validate("frame")
    def _check_frame(self, proposal: Any) -> str:
        names = [one.frame for one in self.replays]
        if proposal["value"] not in names:
            raise DataError(f"there is no frame {proposal['value']!r}; this time machine has {', '.join(names)}")
        return str(proposal["value"])

    @traitlets.validate("classes")
    def _check_classes(self, proposal: Any) -> list[str]:
        chosen = list(dict.fromkeys(proposal["value"]))
        names = {self.replays[0].class_names[label] for label in self._class_rows}
        if unknown := [name for name in chosen if name not in names]:
            raise DataError(f"there is no class {plain(unknown[0])!r} among the {len(names):,} shown")
        if len(chosen) > MOST_TRAILS:
            raise DataError(f"{len(chosen)} classes are too many for trails that can be told apart; give {MOST_TRAILS}")
        return chosen

    @traitlets.observe("classes")
    def _send_classes(self, change: Any) -> None:
        place = {self.replays[0].class_names[label]: row for row, label in reversed(list(enumerate(self._class_rows)))}
        if [self._name_of(row) for row in self._trails] != change["new"]:
            self._trails = [place[name] for name in change["new"]]

    @traitlets.observe("_trails")
    @shown
    def _take_classes(self, change: Any) -> None:
        self.classes = [self._name_of(row) for row in change["new"]]

    def _name_of(self, row: int) -> str:
        return self.replays[0].class_names[self._class_rows[row]] if row < len(self._class_rows) else ""

    # --- display ----------------------------------------------------------------------------------
    @property
    def shows(self) -> Replay:
        """The replay in the frame shown."""
        return next(one for one in self.replays if one.frame == self.frame)

    def summary(self) -> str:
        first, last = self.epochs[0], self.epochs[-1]
        return f"TimeMachine of {plain(self.replays[0].name)}: epochs {first} to {last}, {self.counts()}"

    def counts(self) -> str:
        """How much is shown, of how much."""
        counts = self._content["counts"]
        parts = [some_of(counts["train"] + counts["test"], counts["images_of"], "probe images")]
        if self.replays[0].proxies:
            kinds = ", ".join(self.replays[0].proxies)
            parts.append(f"{kinds} proxies of {some_of(counts['classes'], counts['classes_of'], 'training classes')}")
        return "; ".join(parts)

    def still(self) -> str:
        """Four epochs beside each other with the trails, and a table of all."""
        frames = {one["name"]: one["note"] for one in self._content["frames"]}
        shown = StillReplay(
            replay=self.shows,
            images=self._images,
            trails={int(self._class_rows[row]): name for row, name in zip(self._trails, self.classes, strict=True)},
            curves=self._content["curves"],
            counts=self.counts(),
            note=frames[self.frame],
        )
        return html_of(shown)


def _tiles(run: Run | None, ids: Sequence[str]) -> dict[str, Any]:
    tiles, places = tiles_of(run, ids) if run else (b"", [])
    return {"_tiles": tiles, "_atlas": {"tile": TILE, "side": SIDE, "places": places} if tiles else {}}


def _listed(epochs: Sequence[int]) -> str:
    whole = len(epochs) > 2 and list(epochs) == list(range(epochs[0], epochs[-1] + 1))
    return f"epochs {epochs[0]} to {epochs[-1]}" if whole else f"epochs {', '.join(map(str, epochs))}"
