"""``python -m vptsp.pretraining``: make the bundled backbone's weights from nothing but a seed."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer

from vptsp.core.backbones import bundled
from vptsp.files import write_tensors
from vptsp.pretraining.generator import COPIES, background_stream, keep_memory, stream
from vptsp.pretraining.recipe import Recipe, pretrain


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m vptsp.pretraining", description=__doc__)
    parser.add_argument("--out", type=Path, default=bundled.WEIGHTS, help="safetensors file to write")
    parser.add_argument("--device", default="cpu", help="cpu, or a GPU's torch name")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; another process renders")
    for field in fields(Recipe):
        kind = float if field.name == "minutes" else type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    given = vars(parser.parse_args(arguments))
    out, device, threads = given.pop("out"), given.pop("device"), given.pop("threads")
    recipe = Recipe(**given)
    keep_memory()
    torch.set_num_threads(threads)
    make = background_stream if device == "cpu" else stream
    extra = {} if device == "cpu" else {"device": device}
    batches = make(recipe.images, bundled.SIZE, recipe.seed, **extra)
    log = out.with_suffix(".jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as lines:

        def report(row: dict[str, float], model: VisionTransformer) -> None:
            line = json.dumps({k: round(v, 4) for k, v in row.items()})
            print(line, flush=True)
            print(line, file=lines, flush=True)
            write_tensors(out, {name: value.half().cpu().contiguous() for name, value in model.state_dict().items()})

        pretrain(recipe, batches, COPIES, device, report)


if __name__ == "__main__":
    main()
