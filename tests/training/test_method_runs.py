"""Every method in training: what stays as it was, what a checkpoint holds, resuming, and which backbones take it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from trainings import assert_identical, silent

from vptsp.core.backbones.load import load_backbone
from vptsp.core.encoder import embed_patches, encode
from vptsp.runs.checkpoints import load_training, save_training
from vptsp.runs.progress import Event
from vptsp.runs.run import Run
from vptsp.settings.build import build_model
from vptsp.settings.config import Config, make_config
from vptsp.settings.methods import METHODS
from vptsp.training.loop import TrainingStopped, train
from vptsp.training.objective import make_objective
from vptsp.training.session import Session

pytestmark = pytest.mark.usefixtures("two_blocks")
Tiny = Callable[..., Config]

BIASES, ADAPTERS, UPDATES = r"(^|\.)bias$", r"\.adapter\.", r"\.lora_[AB]\."
EFFICIENT = r"\.(v_bias|attn\.proj\.bias|mlp\.fc2\.bias|norm2\.bias)$|^patch_embed\.proj\.bias$"  # DA-VPT's
NOTHING, ALL = r"(?!)", ""
TUNED = {  # in the backbone, by name; the test ViT has two blocks here
    "bias": BIASES,
    "partial": r"^(blocks\.1|norm|fc_norm)\.",
    "full": ALL,
    "adapter": ADAPTERS,
    "adapter_published": ADAPTERS,
    "lora": UPDATES,
    "vpt_bias": BIASES,
    "vptsp_m": BIASES,
    "vptsp_g": BIASES,
    "davpt": EFFICIENT,
    "davpt_dml": EFFICIENT,
    "davpt_vptsp": EFFICIENT,
}
METHODS_AS_THEY_ARE: dict[str, tuple[dict[str, Any], str]] = {
    name: ({"method": name, "task": method.tasks[0]}, TUNED.get(name, NOTHING))
    for name, method in METHODS.items()
    if method.trains
}
VARIANTS: dict[str, tuple[dict[str, Any], str]] = {
    "vptsp_m, biases frozen": ({"method": "vptsp_m", "bitfit": False}, NOTHING),
    "vptsp_g, biases frozen": ({"method": "vptsp_g", "bitfit": False}, NOTHING),
    "adapter and biases": ({"method": "adapter", "bitfit": True}, f"{ADAPTERS}|{BIASES}"),
    "adapters after a norm": ({"method": "adapter", "adapter_norm": "pre", "adapter_place": "parallel"}, ADAPTERS),
    "lora and biases": ({"method": "lora", "bitfit": True}, f"{UPDATES}|{BIASES}"),
    "added prompts": ({"method": "vpt_deep", "prompt_location": "add"}, NOTHING),
    "a frame": ({"method": "vpt_shallow", "prompt_location": "pad", "num_prompts": 8}, NOTHING),
    "a strip of pixels": ({"method": "vpt_shallow", "prompt_location": "prepend_pixel"}, NOTHING),
    "channels": ({"method": "vpt_shallow", "prompt_location": "concat_channel"}, r"^patch_embed\.proj\."),
    "prompts dropped and projected": ({"method": "vpt_deep", "prompt_dropout": 0.3, "prompt_projection": 8}, NOTHING),
    "lstm on samples": ({"method": "vptsp_g", "semantic_unit": "lstm", "semantic_source": "samples"}, BIASES),
    "guided prompts, all settings changed": (
        {
            "method": "davpt",
            "task": "recognition",
            "pooling": "mean",
            "pool_prompts": "see_image",
            "prompt_norm": "layer",
            "guided_blocks": (1, 2),
            "num_guided_prompts": 3,
            "guided_patch": "prompt_output",
            "guided_sees": "see_image",
            "guided_loss": "image_anchor",
            "tuned_parts": ("q_bias", "norm1", "cls_token"),
            "drop_path": 0.3,
            "mapping_images": "all",
            "schedule": "updates",
            "warmup_epochs": 1,
            "batches": "classes",
            "weight_decay_head": 3.0,
            "decay_vectors": False,
            "grad_clip_each": 0.01,
        },
        r"\.q_bias$|\.norm1\.|^cls_token$",
    ),
    "classifier": ({"method": "mlp", "task": "recognition"}, NOTHING),
    "classifier by proxies": ({"method": "vptsp_g", "task": "recognition"}, BIASES),
}
CASES = METHODS_AS_THEY_ARE | VARIANTS


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads cost more than they bring on models of this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(tiny: Tiny) -> Callable[[str], Config]:
    """By case: 2 epochs of 2 batches."""

    def make(case: str) -> Config:
        changes = CASES[case][0]
        size = 64 if changes["method"] == "side" else 32
        return tiny(batch_size=20, val_fraction=0.0, probe_images=0, image_size=size, **changes)

    return make


def step(session: Session, images: torch.Tensor, labels: torch.Tensor) -> None:
    output = session.forward(images, labels)
    session.fabric.backward(make_objective(session.config)(session.model, output, labels))
    session.clip_gradients()
    session.step()


def state_of(session: Session) -> dict[str, Any]:
    """Parameters, buffers and everything that the optimisers remember."""
    state = {name: value.clone() for name, value in session.model.state_dict().items()}
    for number, optimizer in enumerate(session.optimizers):
        for index, slots in optimizer.state_dict()["state"].items():
            state |= {f"optimizer {number} {index} {slot}": torch.as_tensor(v).clone() for slot, v in slots.items()}
    return state


def unequal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> list[str]:
    return [name for name in one.keys() | other.keys() if name not in one or not torch.equal(one[name], other[name])]


@pytest.mark.shapes_checked
@pytest.mark.parametrize("case", CASES)
def test_steps_move_the_methods_set_alone_and_its_checkpoint_is_whole(
    settings: Callable[[str], Config], tmp_path: Path, case: str
) -> None:
    session = Session.prepare(settings(case))
    model = session.model.train()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    inside = {name.removeprefix("vit.") for name, _ in model.named_parameters() if name.startswith("vit.")}
    tuned = {f"vit.{name}" for name in inside if re.search(CASES[case][1], name)}
    assert {name for name in trained if name.startswith("vit.")} == tuned
    assert bool(tuned) == (CASES[case][1] != NOTHING)

    start = state_of(session)
    images, labels, _ = next(iter(session.loader))
    for _ in range(2):
        step(session, images, labels)
    after = state_of(session)
    moved = {name for name in start if not torch.equal(start[name], after[name])}
    buffers = {
        name for name, _ in model.named_buffers() if name.startswith(("semantic.container.", "hidden.", "guide."))
    }
    assert moved - trained <= buffers
    assert moved & trained

    run = Run.create(tmp_path / "run", session.config)
    save_training(run, model, session.optimizers, {"epoch": 0})
    step(session, images, labels)
    fresh = Session.prepare(session.config)
    fresh.model.train()
    assert unequal(state_of(fresh), after) != []
    load_training(run, fresh.model, fresh.optimizers)
    assert unequal(state_of(fresh), after) == []
    step(fresh, images, labels)  # random numbers go on where the checkpoint was written
    assert unequal(state_of(fresh), state_of(session)) == []


# Of each kind of state one; that every case's checkpoint goes on as it would have is the test above.
STOPPED = ("vptsp_g", "vptsp_m", "davpt_vptsp", "guided prompts, all settings changed", "prompts dropped and projected")


@pytest.mark.parametrize(
    "case", [case if case in STOPPED else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    settings: Callable[[str], Config], tmp_path: Path, case: str
) -> None:
    config = settings(case)
    whole = train(config, tmp_path / "whole", observer=silent)
    run = Run(tmp_path / "run")

    def observe(event: Event) -> None:
        if event.kind == "step" and event.step == 3:
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped, match="stopped in epoch 2 of 2 after batch 1 of 2"):
        train(config, run.path, observer=observe)
    torch.manual_seed(99)  # another process would have other random numbers
    assert_identical(train(run_dir=run.path, resume=True, observer=silent), whole)


# --- families of backbones ------------------------------------------------------------------------
FAMILIES = {  # with an image size of a few patches
    "deit_tiny_patch16_224": 32,
    "deit_tiny_distilled_patch16_224": 32,  # two prefix tokens
    "deit3_small_patch16_224": 32,  # CLS without a position
    "vit_small_patch16_224.dino": 32,
    "vit_small_patch14_dinov2": 28,
    "vit_small_patch14_reg4_dinov2": 28,  # register tokens
    "vit_base_patch16_clip_224": 32,  # a norm before the blocks
    "vit_base_patch16_clip_quickgelu_224": 32,
    "vit_base_patch16_224.mae": 32,
    "vit_base_patch16_siglip_gap_224": 32,  # no CLS
    "swin_tiny_patch4_window7_224": 32,
}


@pytest.fixture
def shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm builds every model narrow and shallow, its family's other traits untouched."""
    create = timm.create_model

    def small(name: str, **keywords: Any) -> Any:
        swin = {"embed_dim": 24, "depths": (1, 2), "num_heads": (2, 4), "window_size": 4}
        plain = {"embed_dim": 24, "depth": 2, "num_heads": 2}
        return create(name, **(swin if name.startswith("swin") else plain), **keywords)

    monkeypatch.setattr(timm, "create_model", small)


@pytest.mark.usefixtures("shrunk")
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_of_backbones_takes_prompts_of_both_towers(name: str) -> None:
    size = FAMILIES[name]
    config = make_config({"method": "vptsp_g", "embedding_size": 16, "num_prompts": 3, "num_class_prompts": 2})
    torch.manual_seed(0)
    model = build_model(config, load_backbone(name, "random", size), 5).train()
    images, labels = torch.randn(4, 3, size, size), torch.tensor([0, 3, 3, 1])
    plain = encode(model.backbone, embed_patches(model.vit, images)).features
    if "distilled" not in name:  # which timm represents by the mean of two tokens, and we by CLS
        torch.testing.assert_close(plain, model.vit(images), rtol=1e-4, atol=1e-5)
    output = model(images, labels)
    assert output.embeddings.shape == (4, 16)
    assert not torch.allclose(output.encoded.features, plain, atol=1e-6), "prompts must matter"
    (output.embeddings @ output.proxies.T).square().sum().backward()
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name for name, p in trained.items() if p.grad is None or not p.grad.abs().sum() > 0} == set()
    assert any(name.startswith("vit.") for name in trained), "biases of the backbone"
