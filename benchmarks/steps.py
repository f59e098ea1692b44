"""Training and inference speed of the key/value path, as ratios measured in turn within one process."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import vptsp.core.model
from benchmarks.machine import machine_lines
from benchmarks.token_path import encode_with_prompt_tokens
from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.machine import fast_bf16, make_fabric
from vptsp.settings.build import build_loss, build_model
from vptsp.settings.config import make_config
from vptsp.training.frozen_weights import keep_frozen_weights
from vptsp.training.precision import Precision

BACKBONE = "vit_small_patch16_224"
ROTARY = "vit_small_patch16_dinov3"
CLASSES = 100
_WAYS = ("tokens", "keys and values")


def make_step(
    shared: int, per_class: int, batch: int, precision: str, token_path: bool, name: str = BACKBONE
) -> Callable[[], None]:
    """One training step of VPTSP-G with BitFit: forward of both towers, loss, backward."""
    backbone = load_backbone(name, "random")
    settings = {"num_prompts": shared, "num_class_prompts": per_class, "embedding_size": 384, "batch_size": batch}
    config = make_config(settings)
    model = build_model(config, backbone, CLASSES).train()
    keep_frozen_weights(model, Precision(make_fabric("cpu", precision)))  # as training does
    loss_function = build_loss(config)
    images = torch.randn(batch, 3, *backbone.size)
    labels = torch.arange(batch) // 2

    def step() -> None:
        encode = encode_with_prompt_tokens if token_path else vptsp.core.model.encode
        with (
            mock.patch.object(vptsp.core.model, "encode", encode),
            torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
        ):
            output = model(images, labels)
            loss = loss_function(output.embeddings, labels, output.proxies)
        loss.backward()
        model.zero_grad(set_to_none=True)

    return step


def seconds(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median time of each, measured in turn (A B A B ...), after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def operations(step: Callable[[], object]) -> int:
    """Floating-point operations of a step's products and attention."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def peak_activation_bytes(step: Callable[[], object]) -> int:
    """Largest memory that tensors of one step hold at a time, from the CPU allocator's own record."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    held = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def inference(shared: int, batch: int) -> dict[str, Callable[[], object]]:
    backbone: Backbone = load_backbone(BACKBONE, "random")
    config = make_config({"method": "vpt_deep", "num_prompts": shared, "embedding_size": 384})
    model = build_model(config, backbone, num_classes=None).eval()
    images = torch.randn(batch, 3, *backbone.size)

    def prompted() -> object:
        with torch.inference_mode():
            return model(images)

    def plain() -> object:
        with torch.inference_mode():
            return backbone.vit(images)

    return {"prompted": prompted, "plain": plain}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    batch, rounds = options.batch, options.rounds
    print(*machine_lines(), sep="\n")
    print(f"{BACKBONE}, B={batch}, {torch.get_num_threads()} threads; medians of {rounds}")

    for shared, per_class, target in ((10, 3, 1.08), (90, 80, 1.45)):
        steps: dict[str, Callable[[], object]] = {
            "tokens": make_step(shared, per_class, batch, "fp32", token_path=True),
            "keys and values": make_step(shared, per_class, batch, "fp32", token_path=False),
        }
        if (shared, per_class) == (10, 3):
            if fast_bf16("cpu"):
                steps["bf16"] = make_step(shared, per_class, batch, "bf16", token_path=False)
            products = _products_alone(steps["keys and values"])
            steps["products"] = products
        taken = seconds(steps, rounds)
        ratio = taken["tokens"] / taken["keys and values"]
        print(f"\ntraining step, {shared} shared + {per_class} class prompts")
        print(f"  prompts as tokens   {taken['tokens']:.3f} s")
        print(f"  keys and values     {taken['keys and values']:.3f} s   {ratio:.2f}x faster (target {target}x)")
        fewer = operations(steps["tokens"]) / operations(steps["keys and values"])
        print(f"  of the operations themselves {fewer:.3f}x, so that kernels of one speed would give no more")
        if "bf16" in taken:
            gain = taken["tokens"] / taken["bf16"]
            print(f"  the same in bf16    {taken['bf16']:.3f} s   {gain:.2f}x faster (target 3x)")
        if "products" in taken:
            alone = taken["products"] * products()
            share = taken["keys and values"] / alone
            print(f"  products alone      {alone:.3f} s   the step takes {share:.2f}x that (target 1.2x)")
        for name in ("tokens", "keys and values"):
            print(f"  peak memory of a step, {name}: {peak_activation_bytes(steps[name]) / 2**20:.0f} MiB")

    for shared, per_class in ((10, 3), (90, 80)):
        ways = {name: make_step(shared, per_class, batch, "fp32", name == "tokens", ROTARY) for name in _WAYS}
        taken = seconds(ways, rounds)
        ratio = taken["tokens"] / taken["keys and values"]
        print(f"\n{ROTARY}, training step, {shared} shared + {per_class} class prompts")
        print(f"  keys and values are {ratio:.2f}x faster than prompts as tokens")

    for shared, limit in ((10, 1.03), (90, 1.12)):
        taken = seconds(inference(shared, batch), 2 * rounds)
        ratio = taken["prompted"] / taken["plain"]
        print(f"\ninference with {shared} prompts takes {ratio:.2f}x plain timm (target at most {limit}x)")


class _Products(TorchDispatchMode):
    """Collects the matrix products of what runs inside, with the shapes and strides of their operands."""

    KINDS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default)

    def __init__(self) -> None:
        super().__init__()
        self.operands: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):  # type: ignore[no-untyped-def]
        if function in self.KINDS:
            left, right = arguments[-2:]
            self.operands.append(
                tuple(torch.empty_strided(t.shape, t.stride(), dtype=t.dtype).normal_() for t in (left, right))
            )
        return function(*arguments, **(keywords or {}))


def _products_alone(step: Callable[[], object]) -> Callable[[], float]:
    """A function that computes the matrix products of a step and nothing else.

    The products of the linear layers are those of the step, shape for shape. Those inside the fused
    attention kernel cannot be told apart from its softmax, so their FLOPs are added at the rate of the others:
    the function returns by how much its own time is to be multiplied.
    """
    whole = operations(step)
    with _Products() as products:
        step()
    linear = sum(2 * left.numel() * right.shape[-1] for left, right in products.operands)

    def run() -> float:
        for left, right in products.operands:
            left @ right
        return whole / linear

    return run


if __name__ == "__main__":
    main()
