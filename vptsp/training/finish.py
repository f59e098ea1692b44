"""After the last epoch: the trained embedding, divided by how much it varies within classes, can be the result.

Training pulls images of one class together, and not as far in every direction. Whitening within classes evens out what
is left, by a map fitted on the training images in one pass (:meth:`vptsp.core.heads.Head.whiten`). Whether it helps is
for the classes held out of train to say, as with epochs.
"""

from __future__ import annotations

from typing import Any

import torch

from vptsp.core.heads import Head
from vptsp.evaluation.evaluate import embed, predict, score
from vptsp.runs.checkpoints import inference_path, load_inference, save_inference
from vptsp.runs.run import Run
from vptsp.training.session import Session
from vptsp.training.state import TrainingState


def whitened_finish(run: Run, session: Session, state: TrainingState) -> dict[str, Any] | None:
    """Whiten the embedding of the selected epoch and of the last, and keep the better one if it beats the selected one.

    Its epoch and validation, as ``state.best`` has them of the selected checkpoint, and ``of``, the checkpoint that it
    was made from; none where no whitened model is better, where the settings want none, and where no classes are held
    out. The model of ``session`` stays as it is.
    """
    config, splits, path = session.config, session.splits, inference_path(run, "whitened")
    path.unlink(missing_ok=True)  # of a process that was killed after this, or of fewer epochs
    wanted = config.select_finish == "whitened" and config.task == "retrieval" and isinstance(session.model.head, Head)
    best = state.best
    if not wanted or best is None or splits.val is None:
        return None
    judged = f"val_{config.selection_metric}"
    chosen: dict[str, Any] | None = None
    for which, epoch in {"best_val": best["epoch"], "last": state.epoch}.items():
        if epoch == 0 or (which, epoch) == ("best_val", state.epoch):
            continue  # untrained, or the last one itself
        model = load_inference(run, which, device=str(session.fabric.device))
        assert isinstance(model.head, Head)
        embeddings = embed(model, splits.train, config, session.fabric)
        model.head.whiten(embeddings, torch.as_tensor(splits.train.labels), config.finish_shrinkage)
        outcome = predict(model, splits.val, config, session.fabric)
        value = score(outcome, splits.val, config, clustering=False).metrics[config.selection_metric]
        if value > (chosen or best)[judged]:
            chosen = {"epoch": epoch, judged: value, "of": which}
            save_inference(path, model, config, epoch=epoch)
    return chosen
