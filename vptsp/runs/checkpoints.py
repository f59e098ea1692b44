"""Checkpoints: one to resume from, bit for bit, and small ones to embed images with.

``checkpoint/last/`` is a training checkpoint: ``tensors.safetensors`` (everything that trains, its average if a run
has one, buffers, both optimisers, random states) and ``state.json`` (place in the run, sums of the epoch so far). The
frozen weights are not stored, only their fingerprint. ``checkpoint/inference_*.safetensors`` hold what
retrieval needs beside the backbone, with the settings in the file's header. ``checkpoint/start.safetensors`` is what
trains as it began, of runs that go back there once (E2VPT). Nothing is ever unpickled.

Class prompts by rows are a file ``class_prompts.bank`` (:mod:`vptsp.core.prompts.bank`): a copy in the checkpoint of
those that live in memory; of those on disk the file in the run directory itself, of which the checkpoint says what
counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from torch.optim import Optimizer

from vptsp.core.backbones.load import load_backbone
from vptsp.core.heads import Head
from vptsp.errors import ConfigError, RunError, explained
from vptsp.files import read_json, read_tensors, write_json, write_tensors
from vptsp.project import placed
from vptsp.runs.embeddings import Origin, SavedEmbeddings
from vptsp.runs.origins import is_of_run, origin_of
from vptsp.runs.run import Run
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config, make_config
from vptsp.settings.earlier import as_recorded

State = dict[str, Any]
# In the order in which they count. ``best_val`` is of the epoch that held-out classes chose; ``whitened`` is there if
# they chose its embedding, or the last one's, divided by its variation within classes (vptsp.training.finish).
CHECKPOINTS = ("whitened", "best_val", "last")
WHITENING = "head.whitening.weight"  # in the file of a whitened one
_NAMES = ("others", "proxies", "class_prompts")  # the optimisers, as many as there are


def save_training(
    run: Run,
    model: ConfiguredModel,
    optimizers: Sequence[Optimizer],
    state: State,
    more: Mapping[str, Tensor] | None = None,
) -> None:
    """Replace the training checkpoint, with ``more`` tensors. A crash leaves the old one or the new one, whole."""
    staging = begin_saving(run)
    tensors = save_rows(staging, model) | dict(more or {})
    finish_saving(run, model, optimizers, state, tensors)
    rows_saved(model)


def begin_saving(run: Run) -> Path:
    """An empty place for the next training checkpoint."""
    staging = run.path / "checkpoint" / ".next"
    shutil.rmtree(staging, ignore_errors=True)
    return staging


def save_rows(staging: Path, model: ConfiguredModel) -> dict[str, Tensor]:
    """Store the class prompts that live in a bank, those of this process; tensors for the checkpoint."""
    bank = model.rows.bank if model.rows is not None else None
    return {} if bank is None else {f"bank.{name}": value for name, value in bank.save(staging).items()}


def finish_saving(
    run: Run, model: ConfiguredModel, optimizers: Sequence[Optimizer], state: State, more: Mapping[str, Tensor]
) -> None:
    """Store everything else, ``more`` tensors among it, and put the new checkpoint in the place of the old one."""
    folder, staging = run.path / "checkpoint" / "last", run.path / "checkpoint" / ".next"
    tensors = _training_tensors(model, optimizers) | dict(more)
    groups = {name: each.state_dict()["param_groups"] for name, each in zip(_NAMES, optimizers, strict=False)}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors |= {f"random.cuda.{i}": value for i, value in enumerate(_cuda_random_states())}
    write_tensors(staging / "tensors.safetensors", tensors)
    write_json(staging / "state.json", {**state, "optimizers": groups, "fingerprint": model.backbone.fingerprint})
    _replace(folder, staging)


def _training_tensors(model: ConfiguredModel, optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """What trains, and what optimisers remember of it, by their names in a checkpoint."""
    tensors = {f"model.{name}": value for name, value in own_state(model).items()}
    for name, optimizer in zip(_NAMES, optimizers, strict=False):
        for index, slots in optimizer.state_dict()["state"].items():
            tensors |= {
                f"optimizer.{name}.{index}.{slot}": torch.as_tensor(v) for slot, v in slots.items() if v is not None
            }
    return tensors


def _take_slots(optimizers: Sequence[Optimizer], tensors: Mapping[str, Tensor], groups: State) -> None:
    """Put what optimisers remember back into them, with the ``groups`` of each by name."""
    for name, optimizer in zip(_NAMES, optimizers, strict=False):
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(f"optimizer.{name}."):
                index, slot = key.removeprefix(f"optimizer.{name}.").split(".")
                slots.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict({"state": slots, "param_groups": groups[name]})


def rows_saved(model: ConfiguredModel) -> None:
    """The checkpoint that :func:`save_rows` was part of has its place."""
    if model.rows is not None and model.rows.bank is not None:
        model.rows.bank.commit()


def _cuda_random_states() -> list[Tensor]:
    """Of all GPUs; in a world of processes of this process's own, which all have alike."""
    several = torch.distributed.is_initialized()
    return [torch.cuda.get_rng_state()] if several else list(torch.cuda.get_rng_state_all())


def _replace(folder: Path, staging: Path) -> None:
    """Swap directories; between the two renames the old checkpoint waits under ``.old``."""
    old = folder.with_name(".old")
    with explained(folder):
        if folder.exists():  # otherwise .old is all there is, until the new one has its place
            shutil.rmtree(old, ignore_errors=True)
            os.rename(folder, old)
        os.rename(staging, folder)
        shutil.rmtree(old, ignore_errors=True)


def load_training(
    run: Run,
    model: ConfiguredModel,
    optimizers: Sequence[Optimizer],
    take_average: Callable[[dict[str, Tensor]], object] | None = None,
) -> State | None:
    """Put the training checkpoint into ``model`` and ``optimizers``; its state, or none if there is no checkpoint.

    ``take_average`` is called with the average of weights, empty in a checkpoint without one.
    Raises :class:`RunError` for a damaged checkpoint and for one made with another backbone.
    """
    folder = run.path / "checkpoint" / "last"
    if not folder.exists():
        folder = folder.with_name(".old")  # there if the process was killed between the two renames
    if not folder.exists():
        return None
    remedy = _start_again(run)
    state = read_json(folder / "state.json", remedy)
    tensors = read_tensors(folder / "tensors.safetensors", remedy)
    _check_backbone(state["fingerprint"], model, str(folder))
    _load_own_state(model, _under("model.", tensors), folder)
    _take_slots(optimizers, tensors, state["optimizers"])
    if model.rows is not None and model.rows.bank is not None:
        model.rows.bank.load(folder, _under("bank.", tensors))
    if take_average is not None:
        take_average(_under("average.", tensors))
    torch.set_rng_state(tensors["random.cpu"])
    cuda = [tensors[f"random.cuda.{i}"] for i in range(sum(name.startswith("random.cuda.") for name in tensors))]
    if cuda and (torch.distributed.is_initialized() or len(cuda) == 1):
        torch.cuda.set_rng_state(cuda[0])
    elif cuda and torch.cuda.device_count() == len(cuda):
        torch.cuda.set_rng_state_all(cuda)
    return state


def _start_again(run: Run) -> str:
    """What to do where a run cannot go on from what it kept."""
    return f"start again in another run directory: vptsp train --preset {run.path / 'config.json'} --run-dir NEW"


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one part of a training checkpoint, by their names in it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def save_start(run: Run, model: ConfiguredModel) -> None:
    """Keep what trains as it begins, for a run that will go back there."""
    write_tensors(_start_path(run), own_state(model))


def load_start(run: Run, model: ConfiguredModel) -> None:
    """Put what trains back to where it began. Raises :class:`RunError` where the run no longer has its start."""
    path = _start_path(run)
    tensors = read_tensors(path, _start_again(run))
    _load_own_state(model, tensors, path)


def _start_path(run: Run) -> Path:
    return run.path / "checkpoint" / "start.safetensors"


def save_foothold(run: Run, model: ConfiguredModel, optimizers: Sequence[Optimizer]) -> None:
    """Keep what trains as it is now, and what optimisers remember, for a run that may go back here."""
    write_tensors(_foothold_path(run), _training_tensors(model, optimizers))


def load_foothold(run: Run, model: ConfiguredModel, optimizers: Sequence[Optimizer]) -> None:
    """Put what trains, and what optimisers remember, back to where it was kept. Raises :class:`RunError` where the run
    no longer has that."""
    path = _foothold_path(run)
    tensors = read_tensors(path, _start_again(run))
    _load_own_state(model, _under("model.", tensors), path)
    groups = {name: each.state_dict()["param_groups"] for name, each in zip(_NAMES, optimizers, strict=False)}
    _take_slots(optimizers, tensors, groups)


def drop_foothold(run: Run) -> None:
    """Remove it, if there is one."""
    with explained(_foothold_path(run)):
        _foothold_path(run).unlink(missing_ok=True)


def _foothold_path(run: Run) -> Path:
    return run.path / "checkpoint" / "foothold.safetensors"


def save_inference(path: Path, model: ConfiguredModel, config: Config, **facts: Any) -> None:
    """Store what retrieval needs beside the backbone: prompts, tuned biases, head; settings in the header."""
    kept = set(model.kept_names())
    header = {
        "config": config.model_dump_json(),
        "fingerprint": model.backbone.fingerprint,
        "facts": json.dumps({**facts, "num_classes": model.num_classes}),
    }
    write_tensors(path, {name: value for name, value in model.state_dict().items() if name in kept}, header)


def load_inference(source: Run | str | Path, which: str | None = None, device: str = "cpu") -> ConfiguredModel:
    """A model ready to embed images, from a run or its folder (``which``: last, best_val or whitened; none: the
    selected one) or from a file.

    Raises :class:`RunError` for missing or damaged files and for weights of another backbone.
    """
    if not isinstance(source, Run):
        source = placed(source)
        source = Run.open(source) if source.is_dir() else source
    path = inference_path(source, which) if isinstance(source, Run) else source
    tensors = read_tensors(path, "train the run to its end, or pass an inference checkpoint")
    with safe_open(path, "pt") as file:
        header = file.metadata() or {}
    if "config" not in header:
        raise RunError(f"{path} is not an inference checkpoint of this workbench (its header holds no settings)")
    try:
        config = make_config(
            as_recorded(json.loads(header["config"])), source.changes if isinstance(source, Run) else {}
        )
    except (ConfigError, json.JSONDecodeError) as error:
        raise RunError(f"{path} was not written by this version: {error}") from None
    backbone = load_backbone(config.backbone, config.backbone_weights, config.image_size, config.pooling, config.seed)
    # a classifier is as wide as its training set; embedding takes no classes
    classes = json.loads(header["facts"])["num_classes"] if config.task == "recognition" else None
    model = build_model(config, backbone, classes, inference=True)
    if WHITENING in tensors and isinstance(model.head, Head):
        model.head.add_whitening()
    _check_backbone(header["fingerprint"], model, str(path))
    _load_own_state(model, tensors, path)
    return model.to(device).eval()


def inference_path(run: Run, which: str | None = None) -> Path:
    """Where a run keeps the inference checkpoint ``which``; none: the first that there is of :data:`CHECKPOINTS`."""
    paths = {name: run.path / "checkpoint" / f"inference_{name}.safetensors" for name in CHECKPOINTS}
    if which is not None:
        return paths[which]
    return next((path for path in paths.values() if path.exists()), paths["last"])


def origin_at(path: Path) -> Origin | None:
    """What embeddings made with this inference checkpoint are of; none if the file does not say its epoch."""
    epoch = _epoch(path)
    return None if epoch is None else Origin(path.stem.removeprefix("inference_"), epoch)


def load_beside(source: Run | str | Path, saved: SavedEmbeddings, device: str = "cpu") -> ConfiguredModel:
    """The model that belongs to embedded images: of a run that keeps them itself, the model of their epoch.

    Of a run whose model embedded a folder it is the selected one, and an inference checkpoint is loaded as it is.
    Raises :class:`RunError` as :func:`load_inference` does, and where the run no longer has that epoch's model.
    """
    source = model_source(source)
    if isinstance(source, Run) and is_of_run(saved, source):
        source = _path_beside(source, saved)
    return load_inference(source, device=device)


def model_source(source: Run | str | Path) -> Run | Path:
    """A run, or the path of an inference checkpoint. Raises :class:`RunError` for a path that is neither."""
    if isinstance(source, Run):
        return source
    path = placed(source)
    return path if path.is_file() else Run.open(path)


def fingerprint_of(source: Run | str | Path | SavedEmbeddings) -> str | None:
    """Which model a run or checkpoint is, or embedded images are from: the SHA-256 of the file of its weights.

    Embeddings are comparable where it is the same. None of embeddings of which nobody knows it: made elsewhere, or by
    a run that no longer has that epoch's model.
    """
    if isinstance(source, SavedEmbeddings):
        if source.model is not None:
            return source.model
        folder = source.folder.resolve().parent
        if folder.name != "embeddings" or not (folder.parent / "config.json").is_file():
            return None
        try:
            path = _path_beside(Run.open(folder.parent), source)
        except RunError:
            return None
    else:
        found = model_source(source)
        path = inference_path(found) if isinstance(found, Run) else found
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _path_beside(run: Run, saved: SavedEmbeddings) -> Path:
    origin = origin_of(run, saved)
    paths = [inference_path(run, which) for which in dict.fromkeys((origin.checkpoint, *CHECKPOINTS))]
    found = {path: _epoch(path) for path in paths if path.exists()}
    for path, epoch in found.items():
        if epoch in (origin.epoch, None):
            return path
    if not found:
        return paths[0]  # reading it says what is missing
    kept = ", ".join(str(epoch) for epoch in found.values())
    raise RunError(
        f"{saved.folder} was embedded after epoch {origin.epoch}, of which {run.path} has no model any more (it has "
        f"those of epochs {kept}); vptsp evaluate {run.path} embeds the images again"
    )


def _epoch(path: Path) -> int | None:
    """After how many epochs an inference checkpoint was written; none if it cannot be known."""
    try:
        with safe_open(path, "pt") as file:
            epoch: int | None = json.loads((file.metadata() or {})["facts"]).get("epoch")
            return epoch
    except Exception:  # a damaged file: loading it is what says so
        return None


def own_state(model: ConfiguredModel) -> dict[str, Tensor]:
    """Everything but the frozen backbone: what trains, and buffers such as the semantic container."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {n: value for n, value in model.state_dict().items() if n in trained or not n.startswith("vit.")}


_BEFORE = {  # names of version 0.1, where the parts of the semantic tower stood beside those of the other
    "container.": "semantic.container.",
    "class_prompts.": "semantic.class_prompts.",
    "semantic_head.": "semantic.head.",
    "accumulate.": "semantic.accumulate.",
}


def _renamed(name: str) -> str:
    return next((new + name.removeprefix(old) for old, new in _BEFORE.items() if name.startswith(old)), name)


def _load_own_state(model: ConfiguredModel, tensors: dict[str, Tensor], source: Path) -> None:
    tensors = {_renamed(name): value for name, value in tensors.items()}
    expected = {name: tuple(value.shape) for name, value in own_state(model).items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if expected != found:
        odd = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise RunError(
            f"{source} does not fit the model of its settings; differing: "
            + ", ".join(f"{name} ({found.get(name)} for {expected.get(name)})" for name in odd[:3])
        )
    model.load_state_dict(tensors, strict=False)


def _check_backbone(fingerprint: str, model: ConfiguredModel, source: str) -> None:
    backbone = model.backbone
    if fingerprint != backbone.fingerprint:
        raise RunError(
            f"{source} was made with another backbone: the weights of {backbone.name} ({backbone.weights}) differ "
            "from those it was trained on; pass the original backbone and backbone_weights"
        )
