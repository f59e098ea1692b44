"""How long a training step of each method takes beside the others, in turns: a busy machine slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

from vptsp.core.backbones.load import load_backbone
from vptsp.machine import make_fabric
from vptsp.settings.build import build_model
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS
from vptsp.training.frozen_weights import keep_frozen_weights
from vptsp.training.objective import make_objective
from vptsp.training.optimizers import make_optimizers
from vptsp.training.precision import Precision


def step_ratios(configs: Mapping[str, Config], reference: str, classes: int, rounds: int = 7) -> dict[str, float]:
    """Time of one step (forward, backward, optimisers) as a multiple of the reference's, by name.

    In every round each method takes one step on the same random batch; the result is the median over rounds of the
    ratio within a round, after one round to warm up. Methods that train nothing are left out. Loading images is not
    in it. Raises KeyError for a reference that is not among the methods that train.
    """
    steps = {name: _stepper(config, classes) for name, config in configs.items() if METHODS[config.method].trains}
    ratios: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        seconds = {name: step() for name, step in steps.items()}
        for name, taken in seconds.items() if turn else ():
            ratios[name].append(taken / seconds[reference])
    return {name: statistics.median(values) for name, values in ratios.items()}


def _stepper(config: Config, classes: int) -> Callable[[], float]:
    """A function that takes one step and returns its seconds."""
    fabric, objective = make_fabric(config.device, config.precision), make_objective(config)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = load_backbone(config.backbone, "random", config.image_size, config.pooling)
        model = build_model(config, backbone, classes).train()
        images = torch.randn(config.batch_size, 3, *backbone.size).to(fabric.device)
    labels = (torch.arange(config.batch_size) // config.images_per_class % classes).to(fabric.device)
    keep_frozen_weights(model, Precision(fabric))
    forward, *optimizers = fabric.setup(model, *make_optimizers(model, config, fabric.device.type))

    def step() -> float:
        _wait(fabric.device)
        start = time.perf_counter()
        fabric.backward(objective(model, forward(images, labels), labels))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        _wait(fabric.device)
        return time.perf_counter() - start

    return step


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
