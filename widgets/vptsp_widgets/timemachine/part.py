"""The part of a replay that is shown: as many images as a page can hold, the classes of these, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from vptsp.analysis.replay import Replay
from vptsp.figures.palettes import palette
from vptsp.text import plain
from vptsp_widgets.sampling import spread
from vptsp_widgets.timemachine.data import curves_of, frame_note

MOST_IMAGES = 600
MOST_TRAILS = 7  # as many as there are colours that everybody can tell apart


@dataclass(frozen=True)
class Part:
    """Of a replay: rows of its images (N,), its classes (C,) that have an image or a proxy, and of which each is."""

    replay: Replay
    images: np.ndarray  # (N,) rows, each image once
    classes: np.ndarray  # (C,) labels
    labels: np.ndarray  # int, into classes: of the images, then of the proxies of one kind

    @classmethod
    def of(cls, replay: Replay) -> Self:
        unique = np.sort(np.unique(np.array(replay.ids, dtype=object), return_index=True)[1])
        images = unique[spread(replay.labels[unique], MOST_IMAGES)] if len(unique) else unique
        everything = np.concatenate([replay.labels[images], replay.proxy_labels])
        return cls(replay, images, *np.unique(everything, return_inverse=True))

    def traits(self, replays: Sequence[Replay]) -> dict[str, Any]:
        """Names and places, as the front end takes them; ``replays`` are the frames of this one."""
        names, kinds = self.replay.class_names, list(self.replay.proxies)
        places = [
            np.concatenate([one.images[:, self.images], *(one.proxies[kind] for kind in kinds)], axis=1)
            for one in replays
        ]
        palettes = [palette(max(len(self.classes), MOST_TRAILS), dark) for dark in (False, True)]
        return {
            "_names": [plain(names[label]) for label in self.classes],
            "_labels": self.labels.astype("<i4").tobytes(),
            "_places": np.stack(places).astype("<f4").tobytes(),
            "_colours": b"".join(colours.tobytes() for colours in palettes),
            "_ids": [plain(self.replay.ids[row], 120) for row in self.images],
            "_rows": np.arange(len(self.images), dtype="<i4").tobytes(),
        }

    def content(self, replays: Sequence[Replay], training: bool) -> dict[str, Any]:
        """What is small, as JSON: title, epochs, frames, curves and how much is shown."""
        replay = self.replay
        tests = int(replay.is_test[self.images].sum())
        counts = {"train": len(self.images) - tests, "test": tests, "images_of": replay.totals["images"]}
        counts |= {"classes": len(replay.proxy_labels), "classes_of": replay.totals["classes"]}
        return {
            "title": plain(replay.name),
            "epochs": list(replay.epochs),
            "kinds": list(replay.proxies),
            "frames": [{"name": one.frame, "axes": list(one.axes), "note": frame_note(one)} for one in replays],
            "counts": counts,
            "curves": curves_of(replay),
            "moved": {kind: [round(float(angle), 1) for angle in replay.moved[kind]] for kind in replay.proxies},
            "training": training,
        }
