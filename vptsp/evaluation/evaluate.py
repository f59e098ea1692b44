"""Embed a set of images and score it; keep the embeddings where everything that shows a run finds them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from vptsp.data import load_data
from vptsp.data.folder import FileLoader, look_at_folder
from vptsp.data.hopeless_runs import require_scorable
from vptsp.data.image_set import DataSplits, ImageSet
from vptsp.data.loaders import EvalPasses
from vptsp.data.passed_over import told
from vptsp.data.splits import some
from vptsp.data.transforms import eval_transform
from vptsp.data.unreadable import kept, unreadable
from vptsp.devices.world import World
from vptsp.errors import DataWarning, RunError
from vptsp.evaluation.kept_features import head_features
from vptsp.evaluation.metrics import evaluate_retrieval
from vptsp.evaluation.recognition import recognition_metrics
from vptsp.files import write_json
from vptsp.machine import make_fabric
from vptsp.runs.checkpoints import fingerprint_of, inference_path, load_inference, model_source, origin_at
from vptsp.runs.data_record import data_differences
from vptsp.runs.embeddings import SavedEmbeddings, save_embeddings
from vptsp.runs.run import Run
from vptsp.settings.build import ConfiguredModel
from vptsp.settings.config import Config

if TYPE_CHECKING:
    import lightning_fabric as lightning


@dataclass(frozen=True)
class Prediction:
    """What a model says of N images, in order, fp32, on the CPU: unit embeddings, and class scores in recognition."""

    embeddings: Float[Tensor, "N E"]
    logits: Float[Tensor, "N C"] | None


@torch.no_grad()
def predict(
    model: ConfiguredModel,
    images: ImageSet,
    config: Config,
    fabric: lightning.Fabric,
    passes: EvalPasses | None = None,
    world: World | None = None,
) -> Prediction:
    """Embed (and classify) all images, as for a test. Leaves the model's mode as it was.

    ``passes``: those of :func:`eval_passes`, where the same sets are embedded again and again. In a ``world`` of
    processes each embeds every size-th batch, and all get all, to the same bits as one process.
    """
    world = world or World(fabric)
    passes = passes or eval_passes(model, [], config)
    training = model.training
    model.eval()
    embeddings, logits = [], []
    for features in head_features(model, images, passes, fabric, world):
        with fabric.autocast():
            output = model.from_head_features(features)
            embeddings.append(output.embeddings.float().cpu())
            if output.logits is not None:
                logits.append(output.logits.float().cpu())
    model.train(training)
    number = passes.count(images)
    scores = world.in_turn(logits, number) if world.first(lambda: bool(logits)) else []
    return Prediction(torch.cat(world.in_turn(embeddings, number)), torch.cat(scores) if scores else None)


def eval_passes(model: ConfiguredModel, sets: Sequence[ImageSet], config: Config) -> EvalPasses:
    """Passes over these sets as a test sees them; worker processes are kept from one pass to the next."""
    backbone = model.backbone
    transform = eval_transform(backbone.image_size, backbone.mean, backbone.std, config.augment == "resize")
    return EvalPasses(sets, transform, max(config.batch_size, 64), config.num_workers)


def embed(
    model: ConfiguredModel,
    images: ImageSet,
    config: Config,
    fabric: lightning.Fabric,
    passes: EvalPasses | None = None,
    world: World | None = None,
) -> Float[Tensor, "N E"]:
    """Embeddings of all images, in order, unit length, fp32, on the CPU. Leaves the model's mode as it was."""
    return predict(model, images, config, fabric, passes, world).embeddings


@dataclass(frozen=True)
class Score:
    """Metrics by name, and the numbers of images they rest on."""

    metrics: dict[str, float]
    sizes: dict[str, int]

    def values(self) -> dict[str, float | int]:
        """All of it, for a summary."""
        return {**self.metrics, **self.sizes}


def score(outcome: Prediction, images: ImageSet, config: Config, clustering: bool = True) -> Score:
    """Metrics of the task: of retrieval by the set's own protocol (self-retrieval or query/gallery), or of classes."""
    if outcome.logits is not None:
        return Score(recognition_metrics(outcome.logits, images.labels), {"num_images": len(images)})
    report = evaluate_retrieval(
        outcome.embeddings,
        images.labels,
        images.is_query,
        images.is_gallery,
        recall_ks=config.recall_ks,
        clustering=clustering,
        seed=config.seed,
    )
    sizes = {
        "num_queries": report.num_queries,
        "num_gallery": report.num_gallery,
        "num_lone_queries": report.num_lone_queries,
    }
    return Score(report.metrics, sizes)


def embed_folder(
    source: Run | str | Path, images: str | Path, keep: str | Path, skip_bad: bool | None = None
) -> SavedEmbeddings:
    """Embed a folder of images with a saved model, into the folder ``keep``, and open it.

    ``source`` is a run or an inference checkpoint; ``images`` holds ``<class>/<image>``, or images alone, which then
    count as one class named after the folder. ``skip_bad`` leaves unreadable ones out; none: as the model's run did.
    What is left out or passed over is told in a DataWarning. Raises DataError for a folder without readable images.
    """
    model = load_inference(model_source(source))
    image_set, look = look_at_folder(Path(images))
    for note in (*look.notes, told(str(images), look.passed)):
        if note:
            warnings.warn(note, DataWarning, stacklevel=2)
    if model.config.skip_bad if skip_bad is None else skip_bad:
        image_set = _readable(image_set)
    fabric = make_fabric(model.config.device, model.config.precision)
    embeddings = embed(model.to(fabric.device), image_set, model.config, fabric)
    save_embeddings(Path(keep), embeddings, image_set, model=fingerprint_of(source))
    return SavedEmbeddings(keep)


def embed_files(model: ConfiguredModel, files: Sequence[str | Path]) -> Float32[np.ndarray, "Q E"]:
    """Image files embedded as a model embeds test images. Raises DataError, naming the file, for what is no image."""
    paths = tuple(str(file) for file in files)
    images = ImageSet("queries", paths, np.zeros(len(paths), dtype=np.int64), ["query"], FileLoader(paths))
    config = model.config.changed(num_workers=0)
    fabric = make_fabric(config.device, config.precision)
    return embed(model.to(fabric.device), images, config, fabric).numpy()


def _readable(images: ImageSet) -> ImageSet:
    bad = set(unreadable(images))
    rest = kept(images, bad)
    if bad:
        warnings.warn(
            f"{images.name}: {len(bad):,} images cannot be read and are left out: {some(bad)}", DataWarning, 3
        )
    return rest


# --- whole runs -----------------------------------------------------------------------------------
def score_checkpoint(
    run: Run,
    which: str,
    splits: DataSplits,
    config: Config,
    fabric: lightning.Fabric,
    keep: bool,
    world: World | None = None,
) -> Score:
    """Test metrics of one inference checkpoint; with ``keep`` its train and test embeddings are stored as its own.

    In a ``world`` of processes all embed, and the first one scores and stores.
    """
    world = world or World(fabric)
    model = world.all_well(lambda: load_inference(run, which, device=str(fabric.device)))
    outcome = predict(model, splits.test, config, fabric, world=world)
    if keep:
        folder, origin = run.path / "embeddings", origin_at(inference_path(run, which))
        world.first(lambda: save_embeddings(folder / "test", outcome.embeddings, splits.test, origin))
        train = embed(model, splits.train, config, fabric, world=world)
        world.first(lambda: save_embeddings(folder / "train", train, splits.train, origin))
    return world.first(lambda: score(outcome, splits.test, config))


def evaluate_run(run: Run | str | Path, which: str | None = None) -> Score:
    """Score a run's checkpoint on its test images and refresh the run's stored embeddings.

    ``which`` is ``last``, ``best_val`` or ``whitened``; none: the selected one. Works on unfinished runs, as soon as
    they have an inference checkpoint. A finished run's ``summary.json`` is not touched. Where the data are not those it
    was trained with, a DataWarning and ``evaluation.json`` say what is different. A run that cannot be written is
    scored all the same, and keeps the embeddings that it has.
    """
    run = Run.of(run)
    config = run.config
    path = inference_path(run, which)
    name = path.stem.removeprefix("inference_")
    if not path.exists():
        when = {
            "best_val": "after a validation, so never with val_fraction=0",
            "whitened": "at the end, if held-out classes choose it",
        }
        raise RunError(f"{run.path} has no {path.name} yet; it appears {when.get(name, 'after the first epoch')}")
    fabric = make_fabric(config.device, config.precision)
    splits = load_data(config)
    require_scorable(splits, config.task, trains=False)
    changes = data_differences(run, splits)
    if changes:
        warnings.warn(f"the data are not those that {run.path} was trained with: {'; '.join(changes)}", DataWarning, 2)
    if not run.is_writable():
        warnings.warn(f"{run.path} cannot be written, so its stored embeddings stay as they are", DataWarning, 2)
        return score_checkpoint(run, name, splits, config, fabric, keep=False)
    with run.lock():
        report = score_checkpoint(run, name, splits, config, fabric, keep=True)
        told_changes = {"data_changed": changes} if changes else {}
        write_json(run.path / "evaluation.json", {"checkpoint": name, **report.values(), **told_changes})
    return report


def counts_of(model: ConfiguredModel, whitened: bool = False) -> dict[str, object]:
    """Parameter counts for a summary; what is kept of a ``whitened`` model is that map as well."""
    counts = model.counts()
    size = model.config.embedding_size
    return asdict(replace(counts, kept=counts.kept + whitened * size * (size + 1)))
