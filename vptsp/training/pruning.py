"""Prune the least important prompts, and begin again with those that are left (E2VPT, arXiv 2307.13770, section 3.3).

A run trains for ``prunes_after`` epochs. One pass over the training images, without a step, then measures what every
token and every segment of the visual prompts is worth to the loss; shares of them are pruned
(:class:`~vptsp.core.prompts.pruning.PrunablePrompts`), and everything that trains goes back to where it began
("rewinding"): values, optimisers and the schedule of the learning rate. The masks stay as they are from there on.

What this does and the paper leaves open: both kinds of importance come from one pass with all masks at 1; the loss is
that of a batch, as losses of proxies and pairs have none of an image alone, and what is random in the images is drawn
as in no epoch of training; and as an epoch of the unpruned model is not the method's result, the epochs to choose from
are those after the pruning. It happens at the beginning of an epoch, from what the checkpoint before it holds, so a run
that is killed meanwhile prunes the same again.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from vptsp.core.prompts.pruning import PrunablePrompts
from vptsp.errors import TrainingError
from vptsp.runs.checkpoints import load_start
from vptsp.runs.run import Run
from vptsp.training.guards import TrainingStopped
from vptsp.training.objective import Objective
from vptsp.training.session import Session


def prune_and_rewind(run: Run, session: Session, objective: Objective, stop: threading.Event) -> None:
    """Measure, prune, and put everything else back to the start that the run has kept.

    Raises :class:`~vptsp.training.guards.TrainingStopped` at the batch in which a stop was asked for, by ``stop`` or a
    ``STOP`` file: the checkpoint before the pass is what the run goes on from. Raises
    :class:`~vptsp.errors.TrainingError` where no batch has a gradient of finite numbers.
    """
    config, world, prompts = session.config, session.world, session.model.prompts
    assert isinstance(prompts, PrunablePrompts), "only a method that prunes comes here"
    tokens, segments = _importance(run, session, objective, prompts, stop)
    world.all_well(lambda: load_start(run, session.model))
    prompts.prune(tokens, segments, config.pruned_tokens, config.pruned_segments)
    session.forget_steps()


def _importance(
    run: Run, session: Session, objective: Objective, prompts: PrunablePrompts, stop: threading.Event
) -> tuple[list[Tensor], list[Tensor]]:
    """Mean over batches of |dL / d rho| (N,) and |dL / d zeta| (N, R), for each matrix of prompts, up to a factor that
    all have."""
    model, world, device = session.model, session.world, session.fabric.device
    session.sampler.set_epoch(session.config.epochs)  # whose draws no epoch of training has
    model.train()
    model.head_alone = False  # as in the last epoch, which this process may not have seen
    tokens = [torch.zeros(len(kept), device=device) for kept in prompts.kept]
    segments = [torch.zeros(kept.shape, device=device) for kept in prompts.kept]
    counted = 0
    for images, labels, _ in session.loader:
        images, labels = (each.to(device, non_blocking=each.is_pinned()) for each in (images, labels))
        asked = stop.is_set() or (world.is_first and run.stop_requested())
        labels, stopping = world.labels(labels, session.sampler.batch_size, asked)
        if stopping:
            raise TrainingStopped(
                f"stopped after epoch {session.config.prunes_after} of {session.config.epochs}, before its prompts "
                f"were pruned; go on with: vptsp train --resume {run.path}"
            )
        session.backward(objective(model, session.forward(images, labels), labels))
        found = prompts.mask_gradients()
        session.forget_gradients()
        if not all(bool(each.isfinite().all()) for each in found):
            continue  # fp16 overflows now and then; its scale is a factor that all share
        counted += 1
        for gradients, token, segment in zip(found, tokens, segments, strict=True):
            token += gradients.sum(dim=1).abs()
            segment += gradients.abs()
    if not counted:
        raise TrainingError(
            "no batch gave finite gradients, so it cannot be said which prompts matter; lower lr, or use precision=fp32"
        )
    return tokens, segments


def prompts_left(session: Session) -> dict[str, int]:
    """For whoever watches: how many tokens are left of how many."""
    prompts = session.model.prompts
    assert isinstance(prompts, PrunablePrompts), "only a method that prunes comes here"
    left = sum(int(kept.any(dim=1).sum()) for kept in prompts.kept)
    return {"left": left, "prompts": sum(len(kept) for kept in prompts.kept)}


def pruned_facts(session: Session) -> dict[str, object]:
    """What was pruned, for the summary: after how many epochs, and what is left of each matrix of prompts."""
    prompts = session.model.prompts
    if not isinstance(prompts, PrunablePrompts) or not prompts.left_out:
        return {}
    left = [kept.any(dim=1).sum().item() for kept in prompts.kept]
    parts = [kept.sum().item() for kept in prompts.kept]
    return {
        "pruned": {
            "after_epoch": session.config.prunes_after,
            "tokens_left": left,
            "segments_left": parts,
            "parameters": prompts.left_out,
        }
    }
