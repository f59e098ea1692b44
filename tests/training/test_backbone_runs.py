"""Whole runs on backbones of other kinds: a ResNet with oblong images, and DINOv3 with prompts; stopped and resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainings import assert_identical, silent

from vptsp.data.transforms import eval_transform
from vptsp.runs.checkpoints import load_inference
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.settings.config import Config
from vptsp.training.loop import TrainingStopped, train

RUNS: dict[str, dict[str, Any]] = {
    "ResNet, oblong": {"backbone": "test_resnet", "method": "bias", "image_size": (32, 48)},
    "DINOv3": {"backbone": "vit_tiny_patch16_dinov3_qkvb", "method": "vptsp_g", "image_size": 32, "epochs": 1},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_resumes_and_its_checkpoint_embeds_as_it_did(
    name: str, tiny: Callable[..., Config], tmp_path: Path
) -> None:
    config = tiny(**RUNS[name])
    whole = train(config, tmp_path / "whole", observer=silent)
    assert whole.config.image_size == config.image_size

    def stop(event: Any) -> None:
        if event.kind == "step" and event.step == 2:
            (tmp_path / "stopped" / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(config, tmp_path / "stopped", observer=stop)
    assert_identical(train(run_dir=tmp_path / "stopped", resume=True, observer=silent), whole)
    model = load_inference(whole)
    saved = SavedEmbeddings.of_run(whole)
    assert len(saved.embeddings) == 20
    assert np.isfinite(saved.embeddings).all()
    images = torch.randn(2, 3, *model.backbone.size)
    assert model(images).embeddings.shape == (2, 16)


@pytest.mark.parametrize(("size", "source"), [((32, 48), (100, 60)), ((48, 32), (60, 200)), (32, (50, 70))])
def test_oblong_inputs_are_cut_out_of_what_covers_them(size: Any, source: tuple[int, int]) -> None:
    """The middle is kept and nothing is stretched: a line of 45 degrees stays one."""
    from PIL import Image

    height, width = source
    rows, columns = np.mgrid[:height, :width]
    ramp = np.stack([rows - height / 2, columns - width / 2, np.zeros_like(rows)], axis=-1) + 128.0
    out = eval_transform(size, (0, 0, 0), (1, 1, 1))(Image.fromarray(ramp.clip(0, 255).astype(np.uint8)))
    expected = (size, size) if isinstance(size, int) else size
    assert tuple(out.shape[1:]) == expected
    down = float((out[0, -3] - out[0, 2]).mean()) / (expected[0] - 5)
    across = float((out[1, :, -3] - out[1, :, 2]).mean()) / (expected[1] - 5)
    assert down > 0
    assert across == pytest.approx(down, rel=0.08)
    assert float(out[0].mean()) * 255 == pytest.approx(127.5, abs=1.5)
