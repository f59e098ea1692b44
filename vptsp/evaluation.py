"""Embed a set of images and score it; keep the embeddings where everything that shows a run finds them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import lightning_fabric as lightning
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vptsp.checkpoints import inference_path, load_inference
from vptsp.config import Config
from vptsp.data import load_data
from vptsp.data.images import DataSplits, ImageSet
from vptsp.data.loaders import eval_loader
from vptsp.data.transforms import test_transform
from vptsp.errors import RunError
from vptsp.files import read_json, read_tensors, write_json, write_tensors
from vptsp.machine import make_fabric
from vptsp.metrics import RetrievalReport, evaluate_retrieval
from vptsp.model import EmbeddingModel
from vptsp.runs import Run
from vptsp.thumbnails import write_thumbnails


@torch.no_grad()
def embed(model: EmbeddingModel, images: ImageSet, config: Config, fabric: lightning.Fabric) -> Float[Tensor, "N E"]:
    """Embeddings of all images, in order, unit length, fp32, on the CPU. Leaves the model's mode as it was."""
    backbone = model.backbone
    transform = test_transform(backbone.image_size, backbone.mean, backbone.std)
    loader = eval_loader(images, transform, batch_size=max(config.batch_size, 64), num_workers=config.num_workers)
    training = model.training
    model.eval()
    parts = []
    with fabric.autocast():
        for batch, _, _ in loader:
            parts.append(model(batch.to(fabric.device)).embeddings.float().cpu())
    model.train(training)
    return torch.cat(parts)


def score(embeddings: Tensor, images: ImageSet, config: Config, clustering: bool = True) -> RetrievalReport:
    """Retrieval metrics of embedded images under the set's own protocol (self-retrieval or query/gallery)."""
    return evaluate_retrieval(
        embeddings,
        images.labels,
        images.is_query,
        images.is_gallery,
        recall_ks=config.recall_ks,
        clustering=clustering,
        seed=config.seed,
    )


def report_values(report: RetrievalReport) -> dict[str, float | int]:
    """Metrics and the sizes they rest on, for a summary."""
    return {
        **report.metrics,
        "num_queries": report.num_queries,
        "num_gallery": report.num_gallery,
        "num_lone_queries": report.num_lone_queries,
    }


# --- the run's embeddings folder ------------------------------------------------------------------
def save_embeddings(run: Run, split: str, embeddings: Tensor, images: ImageSet) -> None:
    """Write ``embeddings/<split>/``: vectors and labels, ids and class names, thumbnails."""
    folder = run.path / "embeddings" / split
    tensors = {"embeddings": embeddings, "labels": torch.from_numpy(np.array(images.labels))}
    if images.is_query is not None and images.is_gallery is not None:
        tensors |= {"is_query": torch.from_numpy(images.is_query), "is_gallery": torch.from_numpy(images.is_gallery)}
    write_tensors(folder / "embeddings.safetensors", tensors)
    index = {"name": images.name, "ids": list(images.ids), "class_names": list(images.class_names)}
    write_json(folder / "index.json", index)
    if images.attributes is not None:
        write_json(folder / "attributes.json", images.attributes.to_dict(orient="split"))
    write_thumbnails(folder, images)


class SavedEmbeddings:
    """Embeddings that a run keeps of a split (``train`` or ``test``).

    ``embeddings`` (N, E) and ``labels`` (N,) as numpy, ``ids``, ``class_names``; ``is_query`` and
    ``is_gallery`` (N,) or none; ``folder`` also holds the thumbnails.
    """

    def __init__(self, run: Run, split: str = "test") -> None:
        self.folder = run.path / "embeddings" / split
        remedy = f"vptsp evaluate {run.path} makes it"
        tensors = read_tensors(self.folder / "embeddings.safetensors", remedy)
        index = read_json(self.folder / "index.json", remedy)
        self.embeddings = tensors["embeddings"].numpy()
        self.labels = tensors["labels"].numpy()
        self.is_query = tensors["is_query"].numpy() if "is_query" in tensors else None
        self.is_gallery = tensors["is_gallery"].numpy() if "is_gallery" in tensors else None
        self.ids: list[str] = index["ids"]
        self.class_names: list[str] = index["class_names"]


# --- whole runs -----------------------------------------------------------------------------------
def score_checkpoint(
    run: Run, which: str, splits: DataSplits, config: Config, fabric: lightning.Fabric, keep: bool
) -> RetrievalReport:
    """Test metrics of one inference checkpoint; with ``keep`` its train and test embeddings are stored."""
    model = load_inference(run, which, device=str(fabric.device))
    embeddings = embed(model, splits.test, config, fabric)
    if keep:
        save_embeddings(run, "test", embeddings, splits.test)
        save_embeddings(run, "train", embed(model, splits.train, config, fabric), splits.train)
    return score(embeddings, splits.test, config)


def evaluate_run(run: Run | str | Path, which: str | None = None) -> RetrievalReport:
    """Score a run's checkpoint on its test images and refresh the run's stored embeddings.

    ``which`` is ``last`` or ``best_val``; none: the selected one. Works on unfinished runs, as soon as they
    have an inference checkpoint. A finished run's ``summary.json`` is not touched.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    config = run.config
    path = inference_path(run, which)
    if not path.exists():
        when = "a validation, so never with val_fraction=0" if which == "best_val" else "the first epoch"
        raise RunError(f"{run.path} has no {path.name} yet; it appears after {when}")
    fabric = make_fabric(config)
    name = path.stem.removeprefix("inference_")
    with run.lock():
        report = score_checkpoint(run, name, load_data(config), config, fabric, keep=True)
        write_json(run.path / "evaluation.json", {"checkpoint": name, **report_values(report)})
    return report


def counts_of(model: EmbeddingModel) -> dict[str, object]:
    """Parameter counts for a summary."""
    return asdict(model.counts())
