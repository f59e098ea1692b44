"""After the last epoch: the trained embedding, divided by how much it varies within classes, can be the result.

Training pulls images of one class together, and not as far in every direction. Whitening within classes evens out what
is left, by a map fitted on the training images in one pass (:meth:`vptsp.core.heads.Head.whiten`). Whether it helps is
for the classes held out of train to say, as with epochs.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vptsp.core.heads import Head
from vptsp.evaluation.evaluate import Prediction, embed, score
from vptsp.runs.checkpoints import inference_path, load_inference, save_inference
from vptsp.runs.run import Run
from vptsp.settings.build import ConfiguredModel
from vptsp.training.selection import to_beat
from vptsp.training.session import Session
from vptsp.training.state import TrainingState

Chosen = dict[str, Any] | None
Reached = tuple[float, float]  # the metric that selects, and the one that decides between equals


def whitened_finish(run: Run, session: Session, state: TrainingState) -> dict[str, Any] | None:
    """Whiten the embedding of the selected epoch and of the last, and keep the best if it beats the selected model.

    Its epoch and validation, as ``state.best`` has them of the selected checkpoint, ``of``, the checkpoint that it was
    made from, and its ``shrinkage``; none where no whitened model is better, where the settings want none, and where no
    classes are held out. The model of ``session`` stays as it is.
    """
    config, splits, world, path = session.config, session.splits, session.world, inference_path(run, "whitened")
    world.first(lambda: path.unlink(missing_ok=True))  # of a process that was killed after this, or of fewer epochs
    wanted = config.select_finish == "whitened" and config.task == "retrieval" and isinstance(session.model.head, Head)
    best = state.best
    if not wanted or best is None or splits.val is None:
        return None
    judged, second = config.selection_metric, "map_at_r"
    labels, held_out = torch.as_tensor(splits.train.labels), splits.val

    def better(
        model: ConfiguredModel, which: str, epoch: int, train: Tensor, val: Tensor, chosen: Chosen, reached: Reached
    ) -> tuple[Chosen, Reached]:
        """What is chosen, with this model whitened as well; in the first process, which keeps it."""
        assert isinstance(model.head, Head)
        for shrinkage in config.finish_shrinkages:
            whitened = model.head.whiten(train, labels, shrinkage).cpu()(val)
            outcome = Prediction(F.normalize(whitened, dim=1), None)
            metrics = score(outcome, held_out, config, clustering=False).metrics
            if (value := (metrics[judged], metrics[second])) > reached:
                reached = value
                chosen = {"epoch": epoch, f"val_{judged}": value[0], "of": which, "shrinkage": shrinkage}
                save_inference(path, model, config, epoch=epoch)
            model.head.whitening = None
        return chosen, reached

    chosen: Chosen = None
    reached: Reached = (to_beat(best, f"val_{judged}", len(held_out)), math.inf)  # equal to that is not better
    for which, epoch in {"best_val": best["epoch"], "last": state.epoch}.items():
        if epoch == 0 or (which, epoch) == ("best_val", state.epoch):
            continue  # untrained, or the last one itself
        model = world.all_well(partial(load_inference, run, which, str(session.fabric.device)))
        train, val = (embed(model, images, config, session.fabric, world=world) for images in (splits.train, held_out))
        chosen, reached = world.first(partial(better, model, which, epoch, train, val, chosen, reached))
    return chosen
