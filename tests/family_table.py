"""Family x method: what was tried with a small member of every family, as the table of docs/backbones.md.

python tests/family_table.py    writes it anew; tests/core/test_family_table.py compares it.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from miniatures import ALL, name_of
from prompt_tokens import make_backbone
from trainings import assert_identical, silent

from vptsp.analysis.explain import attention, prompt_effects
from vptsp.analysis.parameter_formulas import count_parts
from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.errors import BackboneError, ConfigError
from vptsp.reports.export import export
from vptsp.runs.checkpoints import load_inference
from vptsp.runs.progress import Event
from vptsp.settings.build import build_model
from vptsp.settings.config import make_config
from vptsp.settings.methods import METHODS
from vptsp.training.loop import TrainingStopped, train

PAGE = Path(__file__).parent.parent / "docs" / "backbones.md"
START, END = "<!-- table -->\n", "<!-- end of table -->\n"
OTHERS = {
    "ResNet": "test_resnet",
    "ConvNeXt": "test_convnext2",
    "EfficientNet": "test_efficientnet",
    "MaxViT": "test_maxvit",
}
LAST = ("export", "shown", "run")  # columns after the methods
RUN: dict[str, Any] = {
    "blossoms_classes": 8,
    "blossoms_images": 3,
    "val_fraction": 0.0,
    "batch_size": 4,
    "embedding_size": 8,
    "num_prompts": 2,
    "num_class_prompts": 2,
    "epochs": 2,
    "precision": "fp32",
    "device": "cpu",
}


def backbone_of(name: str, **keywords: Any) -> Backbone:
    if name in OTHERS:
        return load_backbone(OTHERS[name], "random", 64)
    architecture, own = ALL[name]
    backbone = make_backbone(architecture, **own | keywords)
    backbone.vit.float().requires_grad_(False)
    return backbone


def cell(name: str, method: str) -> str:
    """``f g c``: forward, a gradient for all that trains, a checkpoint that embeds the same; a dash if refused."""
    backbone = backbone_of(name, **({"img_size": 64} if method == "side" else {}))  # AlexNet sees no fewer pixels
    names = ("qkv", "fc1", "fc2") if method == "lora" else ("qkv",)
    settings: dict[str, Any] = {"method": method, "embedding_size": 8, "num_prompts": 2, "num_class_prompts": 2}
    if METHODS[method].guided:
        settings |= {"num_guided_prompts": 2}
    config = make_config(settings, {"lora_targets": names, "mlp_layers": 1, "side_weights": "random"})
    plain, done = copy.deepcopy(backbone), ""
    try:
        model = build_model(config, backbone, 4).train()
    except (ConfigError, BackboneError):
        return "-"
    images, labels = torch.randn(8, 3, *backbone.size), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    output = model(images, labels)
    done += "f" if output.embeddings.isfinite().all() else ""
    trained = [p for p in model.parameters() if p.requires_grad]
    if trained and output.proxies is not None:
        (output.embeddings @ output.proxies.T).square().sum().backward()
        done += "g" if all(p.grad is None or p.grad.isfinite().all() for p in trained) else ""
        done += "" if any(p.grad is not None and p.grad.abs().max() > 0 for p in trained) else "?"
    kept = {key: value for key, value in model.state_dict().items() if key in set(model.kept_names())}
    fresh = build_model(config, plain, None, inference=True)
    fresh.load_state_dict(kept, strict=False)
    with torch.no_grad():
        same = torch.allclose(fresh.eval()(images).embeddings, model.eval()(images).embeddings, atol=1e-5)
    return done + ("c" if same else "")


def run_settings(name: str) -> dict[str, Any]:
    """Of a run of seconds on a member: the whole method, or where prompts cannot enter biases alone."""
    if name in OTHERS:
        own: dict[str, Any] = {"backbone": OTHERS[name], "image_size": 64, "method": "bias"}
    else:
        own = {"backbone": name_of(name), "image_size": ALL[name][1]["img_size"], "method": "vptsp_g"}
    return RUN | own | {"backbone_weights": "random"}


def used(name: str, folder: Path) -> tuple[str, str, str]:
    """What can be done with a run: its exports, what it shows, and the run itself.

    ``o`` ONNX and ``p`` a torch program of any batch, which :func:`export` keeps only if they agree; ``a`` attention
    that adds up to 1 and ``w`` prompts that can be taken away one by one; ``n`` the parameter formulas give what the
    model has, ``r`` a run that was stopped and resumed is the undisturbed one, bit for bit.
    """
    config = make_config(run_settings(name))
    run = train(config, folder / "whole", observer=silent)
    done = ""
    for form, suffix in (("o", ".onnx"), ("p", ".pt2")):
        done += form if export(run, folder / f"model{suffix}").stat().st_size else ""

    model = load_inference(run)
    images = torch.rand(2, 3, *model.backbone.size, generator=torch.Generator().manual_seed(0))
    for key, parameter in model.vit.named_parameters():
        if "gamma" in key:  # as CaiT begins, its blocks add next to nothing
            torch.nn.init.ones_(parameter)
    shown = ""
    if model.backbone.family.global_attention:
        _, found = attention(model, images)
        sums = found.patches.sum((-2, -1)) + np.nansum(found.prompts, -1) + found.prefix
        shown += "a" if np.allclose(sums, 1, atol=1e-5) else ""
    effects = prompt_effects(model, *images)
    shown += "w" if effects.size and np.isfinite(effects).all() and np.abs(effects).min(-1).max() > 0 else ""

    parts = count_parts(config, 4)
    kept = "n" if all(part.value == part.counted for part in parts) else ""

    def stop(event: Event) -> None:
        if event.kind == "step" and event.step == 2:
            (folder / "stopped" / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(config, folder / "stopped", observer=stop)
    resumed = train(run_dir=folder / "stopped", resume=True, observer=silent)
    assert_identical(resumed, run)
    return done, shown, kept + "r"


LEFT_OUT = ("adapter_published", "davpt", "davpt_vptsp")  # made of the others' parts
SHOWN = [name for name in METHODS if name not in LEFT_OUT]
HEAD = ["| | " + " | ".join((*SHOWN, *LAST)) + " |", "|---" * (len(SHOWN) + len(LAST) + 1) + "|"]


def row(name: str) -> str:
    """The line of a member."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        last = [done or "-" for done in used(name, Path(folder))]
    return "| " + " | ".join([name, *(cell(name, method) for method in SHOWN), *last]) + " |"


def table() -> str:
    return "\n".join([*HEAD, *map(row, (*ALL, *OTHERS))]) + "\n"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(START)
    PAGE.write_text(before + START + table() + END + rest.partition(END)[2])
