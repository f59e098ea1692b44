"""A whiteboard for the geometry of proxies: drag points, see exact gradients, play descent.

>>> from vptsp_widgets.sandbox import ProxySandbox
>>> ProxySandbox()  # doctest: +SKIP
>>> ProxySandbox.of_run("runs/demo-1", classes=["Galella azurea", "Alanthera alba"])  # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from vptsp.errors import DataError
from vptsp.runs.run import Run
from vptsp.text import plain
from vptsp_widgets.sandbox.gradients import loss_and_gradients
from vptsp_widgets.sandbox.presets import presets
from vptsp_widgets.sandbox.run import of_run
from vptsp_widgets.sandbox.state import LOSSES, complete, to_json
from vptsp_widgets.sandbox.still import sandbox_still
from vptsp_widgets.view import View, shown

_OWN = "Drag a point and watch the arrows; press play to let gradient descent move it."


class ProxySandbox(View):
    """Samples, proxies and, if wanted, semantic proxies on the circle (2-D) or the sphere (3-D).

    ``ProxySandbox(preset="outlier")`` tells a story (:func:`~vptsp_widgets.sandbox.presets.presets` lists them);
    ``ProxySandbox(samples=..., labels=..., proxies=..., semantic=...)`` shows points (B, D), labels (B,) and proxies
    (C, D) of your own, D being 2 or 3. Both take ``loss``, ``positive_mean``, ``scale``, ``margin``, ``alpha``,
    ``learning_rate``, ``moves`` and ``class_names`` as well.

    ``state`` is all of that as a dict with float64 arrays. It can be read, observed and set; set with a part of its
    keys, it keeps the others (``view.state = {"alpha": 0.2}``; changes inside its arrays go unseen). Points are unit
    vectors, except learned proxies beside semantic ones: their length is their weight in
    ``q = alpha * O + (1 - alpha) * G`` (VPTSP eq. 8).

    Raises DataError for points, labels, settings and presets that cannot be shown.
    """

    _front = "sandbox"

    state = traitlets.Dict(help="samples, labels, proxies, semantic, loss, scale, margin, alpha, ...")
    # JSON and not bytes: sixty points at most, and one trait, so that a change of many parts is one change
    _state = traitlets.Dict().tag(sync=True)
    _stories = traitlets.Dict().tag(sync=True)
    _losses = traitlets.Dict(LOSSES).tag(sync=True)

    def __init__(
        self,
        preset: str | None = None,
        *,
        samples: Any = None,
        labels: Any = None,
        proxies: Any = None,
        semantic: Any = None,
        title: str = "your points",
        note: str = "",
        **settings: Any,
    ) -> None:
        stories = presets()
        points = {"samples": samples, "labels": labels, "proxies": proxies, "semantic": semantic}
        given = {name: value for name, value in points.items() if value is not None}
        if given and preset is not None:
            raise DataError(f"preset={plain(preset)!r} and {' and '.join(given)} given; a sandbox shows one of them")
        if not given:
            state = _story(stories, preset or "random") | settings
        else:
            state = to_json(complete({**given, **settings, "preset": "own"}))
            stories = {"own": {"title": title, "caption": note or _OWN, "state": state}} | stories
        super().__init__(_stories=stories)
        self.state = state

    @classmethod
    def of_run(
        cls, run: Run | str | Path, classes: Sequence[str | int] | None = None, dimension: int = 2, **settings: Any
    ) -> ProxySandbox:
        """A few classes of a run's last snapshot: its probe images, learned and semantic proxies, loss and alpha.

        ``classes`` are names or numbers of training classes, at most 8; none: four that have the most probe images.
        They are projected by PCA to ``dimension`` 2 or 3, which a note on the view says.

        Raises RunError for a run without snapshots or proxies, DataError for classes that it does not have.
        """
        return cls(**(of_run(run, classes, dimension) | settings))

    @property
    def preset(self) -> str:
        """Name of the story shown, or "own"; setting it tells another one from its start."""
        return str(self.state["preset"])

    @preset.setter
    def preset(self, name: str) -> None:
        self.state = _story(self._stories, name)

    @property
    def text(self) -> str:
        """The state as text, as the view's *as text* shows it; :meth:`of_text` shows it again."""
        return json.dumps(to_json(self.state))

    @classmethod
    def of_text(cls, text: str) -> ProxySandbox:
        """The sandbox of a state that was copied as text. Raises DataError for a text that holds none."""
        try:
            state = json.loads(text)
        except ValueError:
            state = None
        if not isinstance(state, dict):
            raise DataError(
                f"{plain(text, 40)!r} is not the text of a sandbox; give all of what *as text* or view.text gave"
            )
        whole = complete(state)
        view = cls()
        view.state = whole
        return view

    def gradients(self) -> dict[str, np.ndarray]:
        """Gradients by autograd: ``samples`` (B, D), ``proxies``, ``semantic`` and ``fused`` (C, D); arrows negate."""
        return loss_and_gradients(self.state)[1]

    @property
    def loss(self) -> float:
        """The loss of the state, by :mod:`vptsp.core.losses`."""
        return loss_and_gradients(self.state)[0]

    @traitlets.validate("state")
    def _check_state(self, proposal: Any) -> dict[str, Any]:
        given = proposal["value"]
        kept: Mapping[str, Any] = self.state
        if "proxies" in given and len(given["proxies"]) != len(kept.get("proxies", ())):
            kept = {name: value for name, value in kept.items() if name != "class_names"}
        return complete({name: (given if name in given else kept)[name] for name in (*kept, *given)})

    @traitlets.observe("state")
    def _send_state(self, change: Any) -> None:
        self._state = to_json(change["new"])

    @traitlets.observe("_state")
    @shown
    def _take_state(self, change: Any) -> None:
        if change["new"] != to_json(self.state):
            self.state = change["new"]

    def still(self) -> str:
        return sandbox_still(self.state, self._story_shown())

    def summary(self) -> str:
        state = self.state
        form = "circle" if state["samples"].shape[1] == 2 else "sphere"
        return (
            f"ProxySandbox: {len(state['samples'])} samples and {len(state['proxies'])} proxies on the {form}, "
            f"{LOSSES[state['loss']]} {self.loss:.4g}"
        )

    def _story_shown(self) -> dict[str, Any]:
        return self._stories.get(self.preset, {"title": "your points", "caption": _OWN})


def _story(stories: Mapping[str, Any], name: str) -> dict[str, Any]:
    if name not in tuple(stories):  # compared, not hashed: anything may be given
        raise DataError(f"preset={plain(name)!r} is unknown; choose one of {', '.join(stories)}")
    return dict(stories[name]["state"])
