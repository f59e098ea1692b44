"""What came out of a finished run, typed: the answer of :meth:`vptsp.runs.run.Run.result`, built from ``summary.json``.

It is the seam for whatever works with results (tables, sweeps, reports): the file stays as it is written, and what
reads it needs not know how it is nested. A test metric is meant at the epoch that validation has selected, unless a
name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vptsp.errors import RunError

_FEW = 100  # images by which an epoch is chosen: a hundredth each


@dataclass(frozen=True)
class RunResult:
    """A finished run's outcome. Runs that an earlier version or somebody else's notebook wrote may lack all but
    ``selected`` and ``metrics``; what they lack is as the defaults say.

    - ``selected``: the checkpoint that counts: ``best_val``, chosen on the classes held out of train; ``whitened``,
      where these chose an embedding divided by its variation within classes; ``last``, where none were held out.
    - ``metrics``: its test metrics by name (``recall_at_1``, ``map_at_r``, ``top1``, ...), each from 0 to 1; a metric
      that came out as no number is none. ``sizes``: numbers of images they rest on (``num_queries``, ``num_gallery``,
      ``num_lone_queries``; in recognition ``num_images``).
    - ``last_metrics``: the same metrics of the last epoch, whatever was selected.
    - ``task`` (``retrieval`` or ``recognition``), ``method``, ``dataset``: as configured. ``bitfit``: whether biases
      were tuned, none if that is not known.
    - ``epochs``: how many were trained, 0 for an untrained backbone. ``epoch``: the selected one, counted from 1, or 0
      for an untrained model. None where they are not known.
    - ``pruned_after``: epochs before it pruned and trained anew (:mod:`vptsp.training.pruning`), of which none can be
      selected; 0 where nothing was pruned.
    - ``validation``: the value by which it was selected, under the name ``validation_metric`` (``val_recall_at_1``);
      none and "" where nothing was held out.
    - ``counts``: parameters: ``trained``, ``kept`` for inference, ``bank`` of class prompts, ``total``. They are
      never added up.
    - ``classes``, ``images``: how many, by split (``train``, ``val``, ``test``).
    - ``skipped``: images that could not be read, by id.
    - ``precision`` (as Fabric names it) and ``device`` that it was computed with.
    - ``max_over_test_epochs``: maxima over epochs scored on test, if a run was asked to track them. No fair result.
    """

    selected: str
    metrics: Mapping[str, float]
    sizes: Mapping[str, int] = field(default_factory=dict)
    last_metrics: Mapping[str, float] = field(default_factory=dict)
    task: str = "retrieval"
    method: str = ""
    dataset: str = ""
    bitfit: bool | None = None
    epochs: int | None = None
    epoch: int | None = None
    pruned_after: int = 0
    validation: float | None = None
    validation_metric: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    images: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    precision: str = ""
    device: str = ""
    max_over_test_epochs: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The selected checkpoint, in words: ``epoch 7, whitened``."""
        if self.epoch is None:
            return self.selected
        if self.epoch == 0:
            return "before training"
        return f"epoch {self.epoch}{', whitened' if self.selected == 'whitened' else ''}"

    @property
    def advice(self) -> str:
        """What to say, and to try, where training did not help on the classes held out of train; else nothing."""
        if self.epoch != 0 or not self.epochs:
            return ""
        tries = ["a smaller lr", "a larger crop_min", *["method=linear"] * (self.method != "linear")]
        number, after = self.epochs - self.pruned_after, " after the pruning" if self.pruned_after else ""
        epochs = f"none of {number} epochs{after} was" if number > 1 else f"its one epoch{after} was not"
        judges, few = self.images.get("val", 0), ""
        if 0 < judges < _FEW:
            few = f" Only {judges} images judge it, and one of them is {100 / judges:.0f} points: more would say more."
        return (
            f"Training did not help on held-out classes: the untrained model of epoch 0 is the selected one, as "
            f"{epochs} better.{few} Try {', '.join(tries[:-1])} or {tries[-1]}."
        )

    @classmethod
    def of(cls, summary: Mapping[str, Any], source: str = "the summary") -> RunResult:
        """The result that a summary tells. Raises RunError, naming ``source``, for one without test metrics."""
        try:
            selected, test = summary["selected"], summary["test"]
            metrics, sizes = _parted(test[selected])
            best = dict(summary.get("whitened" if selected == "whitened" else "best_val") or {})
            epochs = summary.get("epochs")
            judged = next((name for name in best if name.startswith("val_")), "")
            return cls(
                selected=selected,
                metrics=metrics,
                sizes=sizes,
                last_metrics=_parted(test.get("last", {}))[0],
                task=summary.get("task", "retrieval"),
                method=summary.get("method", ""),
                dataset=summary.get("dataset", ""),
                bitfit=summary.get("bitfit"),
                epochs=epochs,
                epoch=best.get("epoch", epochs),
                pruned_after=dict(summary.get("pruned") or {}).get("after_epoch", 0),
                validation=best.get(judged),
                validation_metric=judged,
                counts=dict(summary.get("counts") or {}),
                classes=dict(summary.get("classes") or {}),
                images=dict(summary.get("images") or {}),
                skipped=tuple(summary.get("skipped") or ()),
                precision=summary.get("precision", ""),
                device=summary.get("device", ""),
                max_over_test_epochs=dict(summary.get("max_over_test_epochs") or {}),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RunError(
                f"{source} holds no test metrics of a selected epoch; finish the run, or train it again"
            ) from None


def _parted(values: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, int]]:
    """Metrics, and the numbers of images they rest on."""
    metrics = {name: value for name, value in values.items() if not name.startswith("num_")}
    return metrics, {name: value for name, value in values.items() if name.startswith("num_")}
