"""Exported models give the embeddings of the model they came from, in the programs they were made for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from vptsp.core.backbones.load import load_backbone
from vptsp.errors import UsageError
from vptsp.reports.export import TOLERANCE, export
from vptsp.runs.checkpoints import load_inference, save_inference
from vptsp.runs.run import Run
from vptsp.settings.build import build_model
from vptsp.settings.config import Config, make_config

SMALL = {"backbone": "test_vit", "backbone_weights": "random", "image_size": 32, "num_prompts": 2}


def expected(source: Run | Path, pixels: torch.Tensor) -> torch.Tensor:
    model = load_inference(source)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.backbone.mean, model.backbone.std))
    with torch.no_grad():
        output = model((pixels - mean) / std)
    return output.embeddings if output.logits is None else output.logits


def checkpoint(path: Path, config: Config, classes: int = 5) -> Path:
    """The inference checkpoint of a model as it is before training."""
    torch.manual_seed(3)
    backbone = load_backbone(config.backbone, config.backbone_weights, config.image_size, config.pooling, config.seed)
    save_inference(path, build_model(config, backbone, classes), config, epoch=0)
    return path


@pytest.mark.usefixtures("two_blocks")
def test_onnx_runs_in_onnxruntime(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "model.safetensors", make_config(SMALL | {"method": "vptsp_g"}))
    path = export(source, tmp_path / "new" / "model.onnx")
    assert [item.name for item in path.parent.iterdir()] == ["model.onnx"]  # one file, nothing beside it
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    size = int(session.get_modelmeta().custom_metadata_map["image_size"])
    for batch in (1, 2, 5):
        pixels = torch.rand(batch, 3, size, size)
        (found,) = session.run(None, {"pixels": pixels.numpy()})
        wanted = expected(source, pixels)
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=TOLERANCE)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.usefixtures("two_blocks")
@pytest.mark.parametrize(
    "settings",
    [
        {"method": "vptsp_m"},
        {"method": "vpt_shallow"},
        {"method": "vpt_shallow", "prompt_location": "concat_channel"},
        {"method": "lora", "task": "recognition"},
        {
            "method": "davpt",
            "task": "recognition",
            "num_guided_prompts": 3,
            "prompt_norm": "layer",
            "pooling": "mean",
            "pool_prompts": "see_image",
        },
    ],
    ids=lambda settings: " ".join(map(str, settings.values())),
)
def test_torch_programs_embed_any_batch(settings: dict[str, object], tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "model.safetensors", make_config(SMALL | settings))
    path = export(source, tmp_path / "model.pt2")
    program = torch.export.load(path).module()
    for batch in (1, 4):
        pixels = torch.rand(batch, 3, 32, 32)
        torch.testing.assert_close(program(pixels), expected(source, pixels), atol=TOLERANCE, rtol=0)


def test_safetensors_is_the_inference_checkpoint(tiny_run: Run, tmp_path: Path) -> None:
    path = export(tiny_run, tmp_path / "model.safetensors", which="last")
    pixels = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(expected(path, pixels), expected_of(tiny_run, pixels), atol=0, rtol=0)


def expected_of(run: Run, pixels: torch.Tensor) -> torch.Tensor:
    return expected(run.path / "checkpoint" / "inference_last.safetensors", pixels)


@pytest.mark.usefixtures("two_blocks")
def test_a_file_that_disagrees_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = checkpoint(tmp_path / "model.safetensors", make_config(SMALL | {"method": "vptsp_g"}))
    path = export(source, tmp_path / "out" / "model.pt2")
    before = path.read_bytes()
    load: Callable[..., torch.export.ExportedProgram] = torch.export.load

    class Off:
        def __init__(self, path: Path) -> None:
            self.program = load(path).module()

        def module(self) -> Callable[[torch.Tensor], torch.Tensor]:
            return lambda pixels: self.program(pixels) + 2 * TOLERANCE

    monkeypatch.setattr(torch.export, "load", Off)
    with pytest.raises(UsageError, match="differs from the model by"):
        export(source, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_refusals(tiny_run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot export to '.h5'; use .safetensors, .onnx, .pt2"):
        export(tiny_run, tmp_path / "model.h5")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file"):
        export(tiny_run, tmp_path / "file" / "model.onnx")
    with pytest.raises(UsageError):
        export(tmp_path / "nowhere.safetensors", tmp_path / "model.safetensors")
