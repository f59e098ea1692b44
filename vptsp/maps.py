"""The map of a finished run: its test embeddings, and its proxies among them."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from vptsp.embeddings import SavedEmbeddings
from vptsp.figures import embedding_map
from vptsp.files import read_json
from vptsp.projection import FEWEST_FOR_UMAP, Method, project
from vptsp.runs import Run


def run_map(run: Run, method: Method = "umap", most: int = 4000, seed: int = 0) -> go.Figure:
    """Test embeddings of the selected epoch, with the proxies of that epoch placed among them.

    More than ``most`` images are sampled, and the figure says so. Each point's customdata is its image id.
    Raises :class:`~vptsp.errors.RunError` for a run without embeddings.
    """
    saved = SavedEmbeddings.of_run(run, "test")
    total = len(saved.labels)
    kept = np.arange(total)
    if total > most:
        kept = np.sort(np.random.default_rng(seed).choice(total, most, replace=False))
    proxies, names = proxies_of(run)
    points = project(
        saved.embeddings[kept],
        method,
        seed=seed,
        cache=run.path / "embeddings" / "projections",
        guests=np.concatenate(list(proxies.values())) if proxies else None,
    )
    images, *placed = np.split(points, np.cumsum([len(kept), *(len(rows) for rows in proxies.values())])[:-1])
    axis = "UMAP" if method == "umap" and len(kept) >= FEWEST_FOR_UMAP else "principal component"
    return embedding_map(
        images,
        saved.labels[kept],
        saved.class_names,
        proxies=dict(zip(proxies, placed, strict=True)),
        proxy_names=names,
        ids=[saved.ids[row] for row in kept],
        axes=(f"{axis} 1", f"{axis} 2"),
        total=total,
    )


def proxies_of(run: Run) -> tuple[dict[str, np.ndarray], list[str]]:
    """Proxies (C, E) by kind after the selected epoch, and their class names; empty for methods without proxies."""
    epochs = run.snapshots()
    if not epochs:
        return {}, []
    best = run.summary().get("best_val")
    epoch = best["epoch"] if best and best["epoch"] in epochs else epochs[-1]
    tensors = run.snapshot(epoch)
    kinds = ("learned", "semantic", "fused") if "semantic" in tensors else ("learned",)
    names = read_json(run.path / "snapshots" / "probes.json", "train the run again")["proxy_class_names"]
    return {kind: tensors[kind].numpy() for kind in kinds if kind in tensors}, names
