"""Training memory of a method, computed from its autograd graph; nothing is measured on the process.

The resident memory of a process is mostly allocator, libraries and data, and differs between machines. What a method
itself asks for can be counted: the tensors that one forward pass keeps for the backward pass, the gradients, the
optimiser's state and the parameters. On a CUDA device the measured peak of one step stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from vptsp.core.backbones.load import load_backbone
from vptsp.machine import make_fabric
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config
from vptsp.training.frozen_weights import keep_frozen_weights
from vptsp.training.objective import make_objective
from vptsp.training.optimizers import make_optimizers
from vptsp.training.precision import Precision


def training_footprint(config: Config, classes: int) -> dict[str, int]:
    """Bytes that one training step of ``config`` needs with ``classes`` training classes.

    - ``activations``: distinct storages that one forward pass (of ``images_per_pass``) saves for the backward pass,
      parameters left out; with activation checkpointing one block more is computed again at a time;
    - ``gradients``: one number per trained parameter; ``optimizer``: what the optimiser remembers of each, and their
      average, if there is one;
    - ``parameters``: everything, frozen included; ``total``: the sum of these four;
    - of class prompts by rows only the batch's have a gradient, and with ``class_prompts_on`` host or disk only theirs
      and their optimiser state are counted;
    - ``measured_peak``: with a CUDA device only, the allocator's peak in one step, in the run's own precision.

    All but the last are computed on the CPU in fp32 with fused attention, from a random batch of the configured shape,
    so that every machine gives the same numbers. Temporaries within one operation are not in them.
    """
    plain = config.changed(
        device="cpu", precision="fp32", attention="fused", backbone_weights="random", side_weights="random"
    )
    if plain.class_prompt_updates == "rows":
        plain = plain.changed(class_prompts_on="disk")  # which takes no memory before the first step
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = _build(plain, classes)
        trained = sum(_bytes(p) for p in model.parameters() if p.requires_grad)
        stepped = kept = 0
        if model.rows is not None:
            stepped = 4 * model.rows.numel // classes * len(_batch(plain, model, classes)[1].unique())
            kept = 4 * model.rows.numel if config.class_prompts_on == "device" else stepped
        parts = {
            "activations": _saved_bytes(model, plain, classes) if trained else 0,
            "gradients": trained + stepped,
            "optimizer": config.optimizer_slots * (trained + kept) + (trained if config.weight_average else 0),
            "parameters": sum(_bytes(p) for p in model.parameters()) + kept,
        }
        parts["total"] = sum(parts.values())
        fabric = make_fabric(config.device, config.precision)
        if fabric.device.type == "cuda" and trained:
            parts["measured_peak"] = _measured_peak(config, classes)
    return parts


def _build(config: Config, classes: int) -> ConfiguredModel:
    backbone = load_backbone(config.backbone, "random", config.image_size, config.pooling)
    return build_model(config, backbone, classes).train()


def _batch(config: Config, model: ConfiguredModel, classes: int) -> tuple[Tensor, Tensor]:
    """Random images, and labels as the sampler gives them: K images of a class together."""
    count = config.batch_size
    images = torch.randn(count, 3, *model.backbone.size, generator=torch.Generator().manual_seed(0))
    same = 1 if config.task == "recognition" else config.images_per_class
    return images, torch.arange(count) // same % classes


def _saved_bytes(model: ConfiguredModel, config: Config, classes: int) -> int:
    images, labels = (part[: config.images_per_pass] for part in _batch(config, model, classes))
    parameters = {_address(p) for p in model.parameters()}
    kept: dict[int, Tensor] = {}  # by address; holding the tensors keeps addresses from being given out again

    def keep(tensor: Tensor) -> Tensor:
        kept[_address(tensor)] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        make_objective(config)(model, model(images, labels), labels)
    return _storage_bytes(tensor for address, tensor in kept.items() if address not in parameters)


def _measured_peak(config: Config, classes: int) -> int:
    """Peak of CUDA's allocator over one step, what was allocated before left out."""
    fabric = make_fabric(config.device, config.precision)
    before = torch.cuda.memory_allocated(fabric.device)
    model = _build(config.changed(side_weights="random"), classes)
    images, labels = (tensor.to(fabric.device) for tensor in _batch(config, model, classes))
    keep_frozen_weights(model, Precision(fabric))
    forward, *optimizers = fabric.setup(model, *make_optimizers(model, config))
    for _ in range(2):  # the optimiser's state appears in the first step
        torch.cuda.reset_peak_memory_stats(fabric.device)
        fabric.backward(make_objective(config)(model, forward(images, labels), labels))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return torch.cuda.max_memory_allocated(fabric.device) - before


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _storage_bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def _bytes(parameter: Tensor) -> int:
    return parameter.numel() * parameter.element_size()
