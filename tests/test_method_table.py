"""docs/methods.md is what its generator writes, and names tests that are there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from method_table import LOSS_ORACLES, ORACLES, ROOT, STATED, page

from vptsp.core.backbones.load import load_backbone
from vptsp.core.losses import LOSSES
from vptsp.reports.export import export
from vptsp.runs.checkpoints import load_inference, save_inference
from vptsp.settings.build import build_model
from vptsp.settings.config import make_config
from vptsp.settings.methods import METHODS


def test_every_loss_has_something_to_compare_with() -> None:
    assert LOSS_ORACLES.keys() == LOSSES.keys()
    assert ORACLES.keys() | STATED.keys() <= METHODS.keys()
    for what, where in (*ORACLES.values(), *LOSS_ORACLES.values()):
        assert (ROOT / "tests" / where).is_file(), what


@pytest.mark.slow
def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == page(), "tests/method_table.py writes it"


@pytest.mark.slow
@pytest.mark.usefixtures("two_blocks")
@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_exported(name: str, tmp_path: Path) -> None:
    """As the page says: what the file computes is what the model does."""
    side = name == "side"
    settings = {"method": name, "task": METHODS[name].tasks[0], "image_size": 64 if side else 32, "device": "cpu"}
    small = {"backbone": "test_vit", "backbone_weights": "random", "side_weights": "random", "embedding_size": 16}
    guided = {"num_guided_prompts": 3} if METHODS[name].guided else {}
    config = make_config(small, settings, guided)
    torch.manual_seed(3)
    model = build_model(config, load_backbone("test_vit", "random", config.image_size), 5)
    save_inference(tmp_path / "model.safetensors", model, config, epoch=0)
    program = torch.export.load(export(tmp_path / "model.safetensors", tmp_path / "model.pt2")).module()
    pixels = torch.rand(3, 3, *[config.image_size] * 2) if isinstance(config.image_size, int) else torch.empty(0)
    loaded = load_inference(tmp_path / "model.safetensors")
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (loaded.backbone.mean, loaded.backbone.std))
    output = loaded((pixels - mean) / std)
    wanted = output.embeddings if output.logits is None else output.logits
    torch.testing.assert_close(program(pixels), wanted, atol=1e-4, rtol=0)
