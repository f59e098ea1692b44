"""What processes of a world compute for :mod:`test_worlds`, each beside one process that has the whole batch."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from worlds import in_double

from vptsp.devices.world import World
from vptsp.errors import UsageError
from vptsp.evaluation.evaluate import eval_passes, predict, score
from vptsp.machine import make_fabric
from vptsp.runs.progress import Event
from vptsp.settings.config import Config
from vptsp.training.guards import TrainingStopped
from vptsp.training.loop import train
from vptsp.training.objective import make_objective
from vptsp.training.session import Session, join
from vptsp.training.start_from_data import training_features


def one_step(config: Config, world: World) -> dict[str, Tensor]:
    """Loss, gradient norm, every clipped gradient and the semantic container after the first step."""
    session = Session.prepare(config, world)
    model = session.model.train()
    if model.rows is not None:
        model.rows.open_bank(torch.device("cpu"))
    session.sampler.set_epoch(0)
    images, labels, _ = next(iter(session.loader))
    labels, _ = world.labels(labels, session.sampler.batch_size, False)
    loss = make_objective(session.config, world)(model, session.forward(images, labels), labels)
    session.backward(loss)
    found = {"loss": loss.detach(), "norm": session.clip_gradients()}
    found |= {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    if model.rows is not None:
        found["class prompts"] = model.rows.leaves[0].grad
    if model.semantic is not None:
        found["container"] = model.semantic.container.rows
    found["random"] = torch.rand(3)
    return {name: value.clone() for name, value in found.items()}


def compared_steps(cases: dict[str, Config]) -> dict[str, dict[str, Any]]:
    """For each case, what differs most from one process, by how much, and a digest of all that this process has."""
    found = {}
    with in_double():
        for name, config in cases.items():
            world = World.join("cpu", "fp32", 60, config.images_per_pass is not None)
            before = time.process_time()
            several = one_step(config, world)
            alone = one_step(config, World(make_fabric("cpu", "fp32"))) if world.is_first else several
            assert several.keys() == alone.keys(), several.keys() ^ alone.keys()
            errors = {key: float((several[key] - alone[key]).abs().max()) for key in alone}
            worst = max(errors, key=errors.__getitem__)
            found[name] = {
                "worst": worst,
                "error": errors[worst],
                "compared": len(alone),
                "largest": max(float(value.abs().max()) for value in alone.values()),
                "digest": digest(several),
                "seconds": time.process_time() - before,
            }
    return found


def trained(config: Config | None, folder: Path, stop_after: int | None = None, **resume: Any) -> str:
    """Train in float64 to the end, or to a ``STOP`` file after so many steps; the sentence of what ended it, if any."""

    def observe(event: Event) -> None:
        if event.kind == "step" and event.step == stop_after:
            (folder / "STOP").touch()

    with in_double():
        try:
            train(config, folder, observer=observe, resume=config is None, **resume)
        except (TrainingStopped, UsageError) as error:
            return f"{type(error).__name__}: {error}"
    return ""


def trained_warily(config: Config, folder: Path) -> str:
    """As :func:`trained`, where any fall of what held-out classes say is a reason to undo an epoch."""
    with mock.patch("vptsp.training.step_back.by_chance", return_value=-1.0):
        return trained(config, folder)


def killed(config: Config, folder: Path, rank: int, step: int) -> tuple[str, float]:
    """Train in a world whose process ``rank`` dies by SIGKILL before a step; what the others say, how long after."""
    steps, exchange = 0, World.labels

    def labels(self: World, *arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == step:
            (folder.parent / "died").touch()
            if self.rank == rank:
                os.kill(os.getpid(), signal.SIGKILL)
        return exchange(self, *arguments)

    with mock.patch.object(World, "labels", labels):
        sentence = trained(config, folder)
    return sentence, time.time() - (folder.parent / "died").stat().st_mtime


def embedded(config: Config) -> dict[str, Any]:
    """Digest of the embeddings of all images, in batches that no number of processes divides, and their metrics."""
    world = join(config)
    session = Session.prepare(config, world)
    passes, images = eval_passes(session.model, [], config), session.splits.train
    passes.batch_size = 3
    found = predict(session.model, images, config, session.fabric, passes, world)
    metrics = world.first(lambda: score(found, images, config, clustering=False).metrics)
    features = training_features(session.model, images, config, session.fabric, world)
    return {"digest": digest({"all": found.embeddings, "features": features}), "metrics": metrics}


def digest(tensors: dict[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode() + tensors[name].detach().contiguous().numpy().tobytes())
    return found.hexdigest()
