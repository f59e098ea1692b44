"""After the last epoch: the trained embedding, divided by how much it varies within classes, can be the result.

Training pulls images of one class together, and not as far in every direction. Whitening within classes evens out what
is left, by a map fitted on the training images in one pass (:meth:`vptsp.core.heads.Head.whiten`). Whether it helps is
for the classes held out of train to say, as with epochs.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from vptsp.core.heads import Head
from vptsp.evaluation.evaluate import Prediction, embed, score
from vptsp.runs.checkpoints import inference_path, load_inference, save_inference
from vptsp.runs.run import Run
from vptsp.training.session import Session
from vptsp.training.state import TrainingState


def whitened_finish(run: Run, session: Session, state: TrainingState) -> dict[str, Any] | None:
    """Whiten the embedding of the selected epoch and of the last, and keep the best if it beats the selected model.

    Its epoch and validation, as ``state.best`` has them of the selected checkpoint, ``of``, the checkpoint that it was
    made from, and its ``shrinkage``; none where no whitened model is better, where the settings want none, and where no
    classes are held out. The model of ``session`` stays as it is.
    """
    config, splits, path = session.config, session.splits, inference_path(run, "whitened")
    path.unlink(missing_ok=True)  # of a process that was killed after this, or of fewer epochs
    wanted = config.select_finish == "whitened" and config.task == "retrieval" and isinstance(session.model.head, Head)
    best = state.best
    if not wanted or best is None or splits.val is None:
        return None
    judged, second = config.selection_metric, "map_at_r"
    labels = torch.as_tensor(splits.train.labels)
    chosen, reached = None, (best[f"val_{judged}"], math.inf)  # equal to the selected one is not better
    for which, epoch in {"best_val": best["epoch"], "last": state.epoch}.items():
        if epoch == 0 or (which, epoch) == ("best_val", state.epoch):
            continue  # untrained, or the last one itself
        model = load_inference(run, which, device=str(session.fabric.device))
        assert isinstance(model.head, Head)
        train, val = (embed(model, images, config, session.fabric) for images in (splits.train, splits.val))
        for shrinkage in config.finish_shrinkages:
            whitened = model.head.whiten(train, labels, shrinkage).cpu()(val)
            outcome = Prediction(F.normalize(whitened, dim=1), None)
            metrics = score(outcome, splits.val, config, clustering=False).metrics
            if (value := (metrics[judged], metrics[second])) > reached:
                reached = value
                chosen = {"epoch": epoch, f"val_{judged}": value[0], "of": which, "shrinkage": shrinkage}
                save_inference(path, model, config, epoch=epoch)
            model.head.whitening = None
    return chosen
