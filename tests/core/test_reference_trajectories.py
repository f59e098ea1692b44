"""Short training runs of the published implementation, reproduced number by number.

Each ``NAME.json`` (settings) and ``NAME.npz`` (arrays) in the folder ``VPTSP_GOLDEN_DIR`` (default: the
copy beside this file) records a run in float32 on a miniature ViT: all initial parameters, the batches,
and what the published code computed from them. Tolerances are norm-wise relative: 1e-5 for embeddings,
proxies, containers and losses of every step, 1e-4 for gradients and final parameters.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from trajectories import assert_close, recorded

from vptsp.core.backbones.load import Backbone
from vptsp.settings.build import ConfiguredModel, build_loss, build_model
from vptsp.settings.config import Config, make_config
from vptsp.training.optimizers import make_optimizers

FOLDER = Path(os.environ.get("VPTSP_GOLDEN_DIR", Path(__file__).parents[1] / "golden"))
TRAJECTORIES = sorted(path.stem for path in FOLDER.glob("*.json"))
GATES = {"reset": ("W_ir", "W_hr", "b_ir"), "update": ("W_iz", "W_hz", "b_iz"), "new": ("W_in", "W_hn", "b_in")}

Arrays = dict[str, np.ndarray]


def test_there_are_trajectories() -> None:
    assert TRAJECTORIES, f"no trajectories in {FOLDER}"


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_trajectory(name: str) -> None:
    settings, arrays = recorded(FOLDER, name)
    unchecked = set(arrays) - {"x", "y"} - {key for key in arrays if key.startswith("init/")}

    config, model = build(settings, arrays)
    optimizers = make_optimizers(model, config)
    loss_function = build_loss(config)
    images, labels = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])

    def check(key: str, value: torch.Tensor | np.ndarray, tolerance: float) -> None:
        assert_close(f"{name}: {key}", np.asarray(value), arrays[key], tolerance)
        unchecked.discard(key)

    model.eval()
    with torch.no_grad():
        check("eval_embeds", model(images[0]).embeddings, 1e-5)

    model.train()
    for step in range(settings["steps"]):
        output = model(images[step], labels[step])
        proxies, targets = model.loss_proxies(output, labels[step], config.loss_proxies)
        loss = loss_function(output.embeddings, targets, proxies)
        batch_proxies, rows = model.loss_proxies(output, labels[step], "batch")
        recorded_order = rows[first_places(labels[step])]  # the published code keeps classes as they come
        check(f"step{step}/embeds", output.embeddings.detach(), 1e-5)
        check(f"step{step}/proxies_all", output.proxies.detach(), 1e-5)
        check(f"step{step}/proxies_batch", F.normalize(batch_proxies.detach(), dim=1)[recorded_order], 1e-5)
        check(f"step{step}/container", model.semantic.container.rows, 1e-5)
        check(f"step{step}/loss", loss.detach().double(), 1e-5)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        if step == 0:
            for key, value in published_names(model, lambda p: p.grad).items():
                expected = f"grad0/{key}"
                if expected in arrays:
                    check_used_rows(expected, value, arrays[expected], check, unchecked, 1e-4)
                else:  # the published code has no gradient here, so there must be nothing to learn
                    assert value is None or not value.any(), f"{name}: unexpected gradient for {key}"
        for optimizer in optimizers:
            optimizer.step()

    for key, value in published_names(model, lambda p: p.data).items():
        if key.endswith("attn.qkv.bias") and settings["optim"] != "sgd":
            check_adam_bias(f"final/{key}", value.numpy(), arrays, settings)
            unchecked.discard(f"final/{key}")
        else:
            check_used_rows(f"final/{key}", value, arrays[f"final/{key}"], check, unchecked, 1e-4)
    check("final/proxies_container", model.semantic.container.rows, 1e-4)

    for key in sorted(unchecked):  # prompts the published code allocates but never uses: see the function
        assert_dead(key, settings, arrays)


def first_places(labels: torch.Tensor) -> list[int]:
    """Where each class first occurs in a batch."""
    return sorted({int(label): place for place, label in reversed(list(enumerate(labels)))}.values())


def build(settings: dict, arrays: Arrays) -> tuple[Config, ConfiguredModel]:
    """The model of a trajectory with its initial parameters."""
    keywords = dict(settings["backbone"])
    vit = timm.create_model(keywords.pop("timm_model"), pretrained=False, num_classes=0, **keywords).eval()
    mix = settings["semantic_mix_type"]
    config = make_config(
        {
            "method": "vptsp_m" if mix == "mix" else "vptsp_g",
            "gru_activation": "tanh" if mix == "gru" else "relu",
            "ema_keep": settings["proxy_mix_keep_ratio"],
            "alpha": settings["proxy_bias_ratio"],
            "bitfit": settings["bitfit"],
            "embedding_size": settings["embed_dim"],
            "num_prompts": settings["num_prompt"],
            "prompt_depth": settings["prompt_depth"],
            "prompt_step": settings["prompt_block_step"],
            "num_class_prompts": settings["num_p_prompt"],
            "class_prompt_depth": settings["p_prompt_depth"],
            "class_prompt_step": settings["prompt_p_block_step"],
            "loss": {"anchor": "proxy_anchor", "nca": "image_anchor"}[settings["loss_mode"]],
            "loss_scale": settings["alpha"],
            "loss_margin": settings["delta_pos"],
            "loss_proxies": {"both_all": "all", "in_batch": "batch"}[settings["proxy_data_range"]],
            "positive_mean": "all",
            "optimizer": settings["optim"],
            "lr": settings["lr"],
            "bias_lr_factor": 1.0,
            "lr_proxy": settings["lr_proxy"],
            "momentum": settings["momentum"],
            "weight_decay": settings["weight_decay"],
            "batch_size": settings["batch_size"],
            "images_per_class": settings["samples_per_class"],
        }
    )
    assert settings["delta_neg"] == -settings["delta_pos"], "one margin serves both terms"
    size, half = vit.patch_embed.img_size[0], (0.5, 0.5, 0.5)
    backbone = Backbone(vit, name="miniature", weights="random", image_size=size, mean=half, std=half, pooling="cls")
    model = build_model(config, backbone, settings["n_classes"])
    for key, value in published_names(model, lambda p: p.data, trained_only=False).items():
        source = torch.from_numpy(arrays[f"init/{key}"])
        value.copy_(
            source[0, : len(value)]
            if key.startswith("prompts")
            else source[:, : value.shape[1]]
            if key.startswith("p_prompts")
            else source
        )
    model.semantic.container.rows = torch.from_numpy(arrays["init/proxies_container"]).clone()
    return config, model


def published_names(model, read, trained_only: bool = True) -> dict[str, torch.Tensor | None]:
    """``read(parameter)`` of every parameter under the published names; GRU gates as views of one matrix."""
    named: dict[str, torch.Tensor | None] = {}
    for name, parameter in model.named_parameters():
        if trained_only and not parameter.requires_grad:
            continue
        if name.startswith("semantic."):  # one tower here, three names there
            part, _, rest = name.removeprefix("semantic.").partition(".")
            top = {"head": "semantic_head"}.get(part, part)
        else:
            top, _, rest = name.partition(".")
        if top == "accumulate":
            whole = read(parameter)
            kind = {"weight_input": 0, "weight_state": 1, "bias": 2}[rest]
            parts = [None] * 3 if whole is None else whole.chunk(3, dim=-1)
            for gate, part in zip(GATES.values(), parts, strict=True):
                named[f"rnn_update.{gate[kind]}"] = part
            continue
        new_top = {
            "vit": "model",
            "head": "",
            "semantic_head": "p_",
            "learned": "proxies_bias",
            "prompts": "prompts",
            "class_prompts": "p_prompts",
        }[top]
        if top in ("head", "semantic_head"):
            module, leaf = rest.split(".")
            rest, joint = {"linear": "head", "norm": "fc_norm"}[module] + "." + leaf, ""
        else:
            rest, joint = rest.removeprefix("layers."), "." if rest else ""
        named[f"{new_top}{joint}{rest}"] = read(parameter)
    return named


def check_used_rows(key, value, expected, check, unchecked, tolerance) -> None:
    """Prompts that a block never uses exist only in the published code; compare those that are used."""
    if ".." not in key and "prompts." in key:
        shared = "/prompts." in key
        rows = value.shape[0] if shared else value.shape[1]
        expected = expected[0, :rows] if shared else expected[:, :rows]
        assert_close(key, value, expected, tolerance)
        unchecked.discard(key)
    else:
        check(key, value, tolerance)


def check_adam_bias(key: str, value: np.ndarray, arrays: Arrays, settings: dict) -> None:
    """Queries and values to 1e-4; keys to what Adam makes of rounding noise.

    A key bias shifts all scores of a query alike, so softmax cancels it and its true gradient is 0. What
    both codes record is noise around 1e-10, which Adam scales up by 1 / (|noise| + 1e-8): it moves the
    bias by a few percent of the learning rate, in a direction that no two implementations share.
    """
    expected, third = arrays[key], len(value) // 3
    whole = np.linalg.norm(expected)
    gradient = arrays[key.replace("final/", "grad0/")]
    noise = np.abs(gradient[third : 2 * third]).max()
    assert noise < 1e-6 * np.abs(gradient).max(), "the recorded gradient of the key bias is not noise"
    moved = settings["lr"] * settings["steps"] * (10 * noise) / (10 * noise + 1e-8)
    for name, part in {"query": slice(0, third), "value": slice(2 * third, None)}.items():
        error = np.linalg.norm(value[part] - expected[part]) / whole
        assert error <= 1e-4, f"{key}, {name} part: relative error {error:.2e} exceeds 1e-4"
    worst = np.abs(value - expected)[third : 2 * third].max()
    assert worst <= moved, f"{key}, key part: moved apart by {worst:.1e}, noise explains {moved:.1e}"


def assert_dead(key: str, settings: dict, arrays: Arrays) -> None:
    """Published parameters that nothing reads: ``W_ia``, and prompts of blocks whose count has shrunk to 0."""
    stage, _, name = key.partition("/")
    assert stage == "final", f"{key} was recorded but not checked"
    kind, _, block = name.partition(".")
    count, step = {
        "prompts": ("num_prompt", "prompt_block_step"),
        "p_prompts": ("num_p_prompt", "prompt_p_block_step"),
    }.get(kind, (None, None))
    unused = name == "rnn_update.W_ia" or (count and settings[count] - int(block) * settings[step] <= 0)
    assert unused, f"{key} was recorded but not checked"
    assert f"grad0/{name}" not in arrays, f"{key} has a gradient, so it is in use"
