"""Family x method: what was tried with a small member of every family, as the table of docs/backbones.md.

python tests/family_table.py    writes it anew; tests/core/test_family_table.py compares it.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from prompt_tokens import MEMBERS, member

from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.errors import BackboneError, ConfigError
from vptsp.settings.build import build_model
from vptsp.settings.config import make_config
from vptsp.settings.methods import METHODS

PAGE = Path(__file__).parent.parent / "docs" / "backbones.md"
START, END = "<!-- table -->\n", "<!-- end of table -->\n"
OTHERS = {
    "ResNet": "test_resnet",
    "ConvNeXt": "test_convnext2",
    "EfficientNet": "test_efficientnet",
    "MaxViT": "test_maxvit",
}


def backbone_of(name: str) -> Backbone:
    if name in OTHERS:
        return load_backbone(OTHERS[name], "random", 64)
    backbone = member(name)
    backbone.vit.float().requires_grad_(False)
    return backbone


def cell(name: str, method: str) -> str:
    """``f g c``: forward, a gradient for all that trains, a checkpoint that embeds the same; a dash if refused."""
    backbone = backbone_of(name)
    names = ("qkv", "fc1", "fc2") if method == "lora" else ("qkv",)
    settings: dict[str, Any] = {"method": method, "embedding_size": 8, "num_prompts": 2, "num_class_prompts": 2}
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


def more(name: str) -> str:
    """``e``: a torch program of any batch; ``a``: attention maps."""
    backbone = backbone_of(name)
    config = make_config({"method": "vpt_deep" if backbone.family.prompts else "linear", "attention": "matmul"})
    model = build_model(config, backbone, None).eval().requires_grad_(False)

    class Embedder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.model(images).embeddings

    shapes, embedder = {"images": {0: torch.export.Dim("batch", min=1)}}, Embedder()
    program = torch.export.export(embedder, (torch.rand(2, 3, *backbone.size),), dynamic_shapes=shapes).module()
    images = torch.rand(3, 3, *backbone.size)
    done = "e" if torch.allclose(program(images), embedder(images), atol=1e-5) else ""
    if backbone.family.global_attention:
        shown = model(images, want_attention=True).encoded.attention
        done += "a" if all(torch.allclose(w.sum(-1), torch.ones_like(w[..., 0]), atol=1e-5) for w in shown) else ""
    return done


def table() -> str:
    methods = [name for name in METHODS if name not in ("side", "adapter_published")]
    lines = ["| | " + " | ".join(methods) + " | export, attention |", "|---" * (len(methods) + 2) + "|"]
    for name in [*MEMBERS, *OTHERS]:
        torch.manual_seed(0)
        lines.append(f"| {name} | " + " | ".join(cell(name, method) for method in methods) + f" | {more(name)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(START)
    PAGE.write_text(before + START + table() + END + rest.partition(END)[2])
