"""Three steps of the published DA-VPT implementation, reproduced number by number.

Each ``NAME.json`` (settings) and ``NAME.npz`` (arrays) in the folder ``DAVPT_GOLDEN_DIR`` (default: the copy beside
these tests) records a run in float32 on a miniature ViT: all initial parameters, the batches, and what the published
code computed from them. Tolerances are norm-wise relative: 1e-5 for logits, features, prompts, class means, centroids
and losses of every step, 1e-4 for gradients and final parameters, 1e-3 for how far these moved, 1e-12 for learning
rates; mappings are equal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor
from trajectories import assert_close, recorded

from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.core.encoder import encode
from vptsp.core.guidance.mapping import cosine_kmeans, normalise
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config, make_config
from vptsp.training.guide import mapping_features
from vptsp.training.objective import make_objective
from vptsp.training.optimizers import clip, make_optimizers
from vptsp.training.schedule import set_learning_rates

FOLDER = Path(os.environ.get("DAVPT_GOLDEN_DIR", Path(__file__).parents[1] / "golden_davpt"))
TRAJECTORIES = sorted(path.stem for path in FOLDER.glob("*.json"))
BLOCK_BIASES = {  # option -> part
    **{f"bias_{name}": f"{name}_bias" for name in ("q", "k", "v", "proj", "fc1", "fc2", "norm1", "norm2", "norm")},
    **{f"norm_{name}": name for name in ("norm1", "norm2", "norm")},
    "train_cls": "cls_token",
}
INERT = "attn.k.bias"  # softmax cancels it: what is recorded is rounding noise, which Adam turns into whole steps
CLIPPED_AT = 10.0

Arrays = dict[str, np.ndarray]
Check = Callable[[str, Any, float], None]


def test_there_are_trajectories() -> None:
    assert TRAJECTORIES, f"no trajectories in {FOLDER}"


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_trajectory(name: str) -> None:
    settings, arrays = recorded(FOLDER, name)
    given = ("x", "y", "map0/start_rows")  # what was drawn there is taken here
    unchecked = {key for key in arrays if not key.startswith("init/") and key not in given}

    def check(key: str, value: Any, tolerance: float) -> None:
        value = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        assert_close(f"{name}: {key}", value, arrays[key], tolerance)
        unchecked.discard(key)

    config, model = build(settings, arrays)
    assert model.counts().trained == settings["trainable_count"]
    trained = published_names(model, lambda p: p if p.requires_grad else None)
    assert sorted(trained) == sorted(n for n in settings["trainable"] if arrays[f"init/{n}"].size)
    (optimizer,) = make_optimizers(model, config)
    assert_groups(optimizer, trained, settings)
    images, labels = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])
    options, objective = settings["options"], make_objective(config)
    check_start(config, model, images, labels, arrays, check)
    check("eval_logits", logits(model, images[0]), 1e-5)

    step, remaps = 0, 0
    per_epoch, constant = settings["run"]["updates_per_epoch"], settings["run"]["schedule"] == "constant"
    for epoch, steps in settings["epochs_run"]:
        model.guide.observing = 0 < options["dynamic_kmeans"] <= epoch
        for update in range(steps):
            if not constant:
                set_learning_rates([optimizer], config, epoch + update / per_epoch)
            model.train()
            if step == 0:
                check_features(model, images[0], labels[0], check)
            output = model(images[step], labels[step])
            loss = objective(model, output, labels[step])
            rows = model.guide.losses(output.guided_features, model.prompts.proxies(), labels[step])
            check(f"step{step}/logits", output.logits, 1e-5)
            check(f"step{step}/ce", loss - output.guided, 1e-5)
            check(f"step{step}/guided_patch", rows.patch, 1e-5)
            check(f"step{step}/guided_cls", rows.cls, 1e-5)
            check(f"step{step}/total", loss, 1e-5)
            check(f"step{step}/mapping", model.guide.mapping, 0)
            for group in optimizer.param_groups:
                check(f"step{step}/lr", group["lr"], 1e-12)
            optimizer.zero_grad()
            loss.backward()
            if step == 0:
                for key, gradient in published_names(model, lambda p: p.grad).items():
                    compare(f"grad0/{key}", gradient, 1e-4, check, unchecked)
            clip([optimizer], config)
            optimizer.step()
            step += 1
        if model.guide.observing:
            remaps += 1
            check_remap(model, remaps, arrays, check)
    assert remaps == settings["remaps"]

    check("eval_logits_final", logits(model, images[0]), 1e-4)
    for key, value in published_names(model, lambda p: p.data if p.requires_grad else None).items():
        compare(f"final/{key}", value, 1e-4, check, unchecked)
        if not key.endswith(INERT):
            start, end = (arrays[f"{kind}/{key}"] for kind in ("init", "final"))
            assert_close(f"{name}: what {key} moved", value.numpy() - start, end - start, 1e-3)
    # banks without prompts do not exist here
    assert all(not arrays[key].size for key in unchecked), f"recorded but not checked: {sorted(unchecked)}"


# --- the model of a trajectory ---------------------------------------------------------------------
def build(settings: dict[str, Any], arrays: Arrays) -> tuple[Config, ConfiguredModel]:
    """The configured model with the trajectory's initial parameters."""
    keywords, options = dict(settings["backbone"]), settings["options"]
    vit = timm.create_model(keywords.pop("timm_model"), pretrained=False, num_classes=0, **keywords).eval()
    pooling = "mean" if settings["global_pool"] else "cls"
    pooled = "see_image" if options["mask"] else "see_all"
    if pooling == "cls" or options["mae_pooling"] == "img":
        pooled = "none"
    count, classes, mapping = options["proxy_prompt_len"], settings["num_classes"], options["initial_mapping"]
    if count > classes:  # which the published code sets right by itself
        count, mapping = classes, "identity"
    assert options["vpt_type_for_cls_ml"] == options["vpt_type_for_patch_ml"] == "vpt"
    assert options["loss_oproxy_pos_alpha"] == options["loss_oproxy_neg_alpha"] == 32
    assert options["loss_oproxy_pos_delta"] == -options["loss_oproxy_neg_delta"] == 0.1
    parts = [part for option, part in BLOCK_BIASES.items() if options[option]]
    parts += ["patch_bias"] if options["bias_proj"] else []  # which the published name rule catches as well
    config = make_config(
        {
            "task": "recognition",
            "method": "davpt",
            "pooling": pooling,
            "pool_prompts": pooled,
            "num_prompts": options["num_prompts"],
            "num_guided_prompts": count,
            "guided_blocks": (
                options["proxy_prompt_start_idx"] + 1,
                min(options["proxy_prompt_end_idx"] + 1, keywords["depth"]),
            ),
            "prompt_norm": options["vpt_norm"],
            "prompt_dropout": options["prompt_drop_rate"],
            "guided_patch_weight": options["vpt_loss_weight"],
            "guided_cls_weight": options["cls_loss_weight"],
            "guided_ratio": options["loss_vpt_scale_ratio"],
            "guided_loss": {"proxyanchor": "proxy_anchor", "proxynca": "image_anchor"}[options["criterion"]],
            "guided_cls": options["cls_type"],  # patch_type is read, and does nothing
            "class_mapping": mapping,
            "mapping_norm": options["kmeans_norm"],
            "remap_from": options["dynamic_kmeans"],
            "tuned_parts": parts,
            "drop_path": options["drop_path"],
            "optimizer": options["optimizer"],
            "momentum": options["momentum"],
            "lr": options["lr"],
            "cosine_min": options["min_lr"],
            "warmup_lr": options["warmup_lr"],
            "warmup_epochs": options["warmup_epochs"],
            "epochs": options["epochs"],
            "schedule": "updates",
            "weight_decay": options["weight_decay"],
            "weight_decay_head": options["wd_head"],
            "decay_vectors": options["open_bias_decay"],
            "batch_size": options["batch_size"],
            "grad_clip_each": CLIPPED_AT,
        }
    )
    half = (0.5, 0.5, 0.5)
    backbone = Backbone(vit, "miniature", "random", vit.patch_embed.img_size[0], half, half, pooling)
    model = build_model(config, backbone, classes)
    with torch.no_grad():
        for key, value in published_names(model, lambda p: p.data).items():
            value.copy_(torch.from_numpy(arrays[f"init/{key}"]))
    return config, model


def published_names(model: ConfiguredModel, read: Callable[[Any], Any]) -> dict[str, Any]:
    """``read(parameter)``, where it gives something, under the published names; of fused weights the three parts."""
    named: dict[str, Any] = {}
    tops = {"prompts.guided": "proxy_prompt_tokens", "prompts.plain": "other_prompt_tokens"}
    for name, parameter in model.named_parameters():
        value = read(parameter)
        if value is None:
            continue
        ours = name.removeprefix("vit.")
        if ours.endswith(".qkv.weight") or ours.endswith(".qkv.bias"):
            stem, _, leaf = ours.rpartition(".qkv.")
            if isinstance(value, torch.nn.Parameter):
                continue  # frozen, and of no interest to whoever asks for the parameter itself
            for which, part in zip("qkv", value.chunk(3), strict=True):
                named[f"{stem}.{which}.{leaf}"] = part
        elif ".qkv." in ours:
            stem, _, leaf = ours.rpartition(".qkv.")
            named[f"{stem}.{leaf[0]}.bias"] = value
        else:
            ours = ours.replace("prompts.norm.", "vpt_norm.").replace("head.linear.", "head.")
            named[tops.get(ours, ours)] = value
    return named


def assert_groups(optimizer: torch.optim.Optimizer, trained: dict[str, Any], settings: dict[str, Any]) -> None:
    """Every parameter decays as in its published group."""
    options = settings["options"]
    published = {"no_decay": 0.0, "decay": options["weight_decay"], "head": options["wd_head"]}
    expected = {name: published[group] for group, names in settings["groups"].items() for name in names}
    found = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: found[id(parameter)] for name, parameter in trained.items()} == {n: expected[n] for n in trained}


# --- what is compared ------------------------------------------------------------------------------
def check_start(config: Config, model: ConfiguredModel, x: Tensor, y: Tensor, arrays: Arrays, check: Check) -> None:
    """The first mapping, from the class means of two batches through the plain backbone."""
    if config.class_mapping != "kmeans":
        return
    guide = model.eval().guide
    with torch.no_grad():
        for images, labels in zip(x[:2], y[:2], strict=True):
            guide.observe(mapping_features(model, images), labels)
    means, rows = guide.means(), torch.from_numpy(arrays["map0/start_rows"])
    check("map0/features", means, 1e-5)
    guide.start(torch.Generator(), normalise(means, config.mapping_norm)[rows])
    check("map0/centroids", guide.centroids, 1e-5)
    check("map0/mapping", guide.mapping, 0)


def check_features(model: ConfiguredModel, images: Tensor, labels: Tensor, check: Check) -> None:
    """What each guided block compares in the first step."""
    output = model.towers(images, labels)
    for place, block in enumerate(model.guide.blocks):
        check(f"step0/layer{block}/patch_feature", output.guided_features[:, place, 0], 1e-5)
        check(f"step0/layer{block}/cls_query", output.guided_features[:, place, 1], 1e-5)
        check(f"step0/layer{block}/prompts", model.prompts.proxies()[place], 1e-5)
        check(f"step0/layer{block}/prompt_labels", model.guide.mapping[labels], 0)


def check_remap(model: ConfiguredModel, number: int, arrays: Arrays, check: Check) -> None:
    """A mapping after an epoch; classes it has not seen get a random prompt, here the recorded one."""
    guide = model.guide
    seen, key = guide.seen > 0, f"map{number}"
    check(f"{key}/features", guide.means(), 1e-5)
    check(f"{key}/start", guide.centroids, 1e-5)
    again = cosine_kmeans(normalise(guide.means()[seen], guide.mapping_norm), guide.centroids)
    guide.remap(torch.Generator())
    assert torch.equal(guide.mapping[seen], again.of_class)
    check(f"{key}/centroids", guide.centroids, 1e-5)
    recorded = torch.from_numpy(arrays[f"{key}/mapping"])
    check(f"{key}/mapping", torch.where(seen, guide.mapping, recorded), 0)
    guide.mapping.copy_(recorded)
    assert not guide.seen.any(), "means begin anew in each epoch"


@torch.no_grad()
def logits(model: ConfiguredModel, images: Tensor) -> Tensor:
    return model.eval()(images).logits


def compare(key: str, value: Tensor, tolerance: float, check: Check, unchecked: set[str]) -> None:
    if key.endswith(INERT):
        unchecked.discard(key)
        if key.startswith("grad0/"):
            assert value.abs().max() < 1e-6, f"{key} is not noise"
    else:
        check(key, value, tolerance)


def test_the_mask_acts_through_pooled_prompts_alone() -> None:
    """Under CLS pooling nobody reads what a prompt attends to; under mean pooling of prompts somebody does."""
    backbone = load_backbone("test_vit", "random", 32)
    tokens = backbone.family.embed(backbone.vit, torch.randn(2, 3, 32, 32))
    prompts = [torch.randn(3, backbone.width)] * backbone.depth
    cls, mean = replace(backbone, pooling="cls"), replace(backbone, pooling="mean")
    all_of_it = encode(mean, tokens, prompts, pool_prompts="see_all").features
    masked = encode(mean, tokens, prompts, pool_prompts="see_image").features
    assert (all_of_it - masked).abs().max() > 1e-4
    for how in ("see_all", "see_image"):
        assert torch.equal(
            encode(cls, tokens, prompts, pool_prompts=how).features, encode(cls, tokens, prompts).features
        )
