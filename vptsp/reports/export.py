"""Give a trained model to other programs: one file that turns pixels into embeddings, checked against this code."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.errors import UsageError, explained
from vptsp.reports.export_forms import require_form
from vptsp.runs.checkpoints import inference_path, load_inference
from vptsp.runs.run import Run
from vptsp.settings.build import ConfiguredModel

TOLERANCE = 1e-4  # largest difference of any number of an embedding between an exported file and this code
OPSET = 20
_CHECKED = (1, 3)  # batch sizes that are compared


class Embedder(nn.Module):
    """Pixels in, embeddings out: (B, 3, H, W) RGB from 0 to 1 -> (B, E) of unit length; (B, C) scores in recognition.

    Scaling to the backbone's mean and standard deviation is inside; resizing an image to H x W is not.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: ConfiguredModel) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.eval()
        model.kernel = "matmul"  # plain products, which every program knows
        self.register_buffer("mean", torch.tensor(model.backbone.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(model.backbone.std).view(3, 1, 1))

    @property
    def answer(self) -> str:
        """What comes out, by its name in a ModelOutput."""
        return "logits" if self.model.config.task == "recognition" else "embeddings"

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B E"]:
        answer: Tensor = getattr(self.model((pixels - self.mean) / self.std), self.answer)
        return answer


def export(source: Run | str | Path, path: str | Path, which: str | None = None) -> Path:
    """Write the model of a run or of an inference checkpoint to ``path``; ``which`` as in :func:`load_inference`.

    The suffix says what is written:

    - ``.safetensors``: what was learned, without the backbone, for this workbench. Small.
    - ``.onnx``: the whole model, opset 20, any batch size; compared in onnxruntime.
    - ``.pt2``: the whole model as a ``torch.export`` program, any batch size; compared after loading.

    The last two map RGB pixels from 0 to 1, ``pixels`` (B, 3, H, W), to ``embeddings`` (B, E), in recognition to
    ``logits`` (B, C). They are kept only if they agree with this code to 1e-4.

    Raises UsageError for other suffixes, a missing package and a file that disagrees, RunError for a path that cannot
    be written.
    """
    path = Path(path)
    require_form(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        stored = inference_path(source, which) if isinstance(source, Run) else Path(source)
        load_inference(stored)  # says what is wrong with it
        with explained(path):
            _replace(path, lambda part: part.write_bytes(stored.read_bytes()))
        return path
    model = load_inference(source, which)
    with torch.no_grad(), explained(path):
        _replace(path, lambda part: _WRITERS[path.suffix](Embedder(model), part))
    return path


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    """Write beside ``path``, then take its place."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _pixels(model: Embedder, batch: int) -> Tensor:
    return torch.rand(batch, 3, *model.model.backbone.size, generator=torch.Generator().manual_seed(batch))


def _require_equal(model: Embedder, other: Callable[[Tensor], Tensor], path: Path) -> None:
    for batch in _CHECKED:
        pixels = _pixels(model, batch)
        worst = (model(pixels) - other(pixels)).abs().max().item()
        if not worst <= TOLERANCE:
            raise UsageError(
                f"the exported {path.suffix} file differs from the model by {worst:.1e}, so it is not kept"
            )


def _write_onnx(model: Embedder, path: Path) -> None:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  # torch asks for it while it exports
    except ImportError as error:
        raise UsageError(f"ONNX needs {error.name}: pip install 'vptsp-workbench[export]'") from None
    logging.getLogger("onnxscript").setLevel(logging.ERROR)  # of constants it does not fold
    backbone = model.model.backbone
    program = torch.onnx.export(
        model,
        (_pixels(model, 2),),
        dynamo=True,
        opset_version=OPSET,
        input_names=["pixels"],
        output_names=[model.answer],
        dynamic_shapes={"pixels": {0: torch.export.Dim("batch", min=1)}},
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props.update(
        backbone=backbone.name, image_size=str(backbone.image_size), pixels="RGB, 0 to 1, BCHW"
    )
    program.save(str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    _require_equal(model, lambda pixels: torch.from_numpy(session.run(None, {"pixels": pixels.numpy()})[0]), path)


def _write_program(model: Embedder, path: Path) -> None:
    shapes = {"pixels": {0: torch.export.Dim("batch", min=1)}}
    program = torch.export.export(model, (_pixels(model, 2),), dynamic_shapes=shapes)
    notes = {"backbone": model.model.backbone.name, "image_size": model.model.backbone.image_size}
    torch.export.save(program, path, extra_files={"vptsp.json": json.dumps(notes)})
    _require_equal(model, torch.export.load(path).module(), path)


_WRITERS: dict[str, Callable[[Embedder, Path], None]] = {".onnx": _write_onnx, ".pt2": _write_program}
