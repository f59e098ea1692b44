"""The map of a finished run: its test embeddings, and its proxies among them."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from vptsp.analysis.projection import FEWEST_FOR_UMAP, Method, project
from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.figures.embedding_map import embedding_map
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run


def run_map(run: Run, method: Method = "umap", most: int = 4000, seed: int = 0) -> go.Figure:
    """The stored test embeddings (the selected epoch's, as a rule), with the proxies of their epoch among them.

    More than ``most`` images are sampled, and the figure says so. Each point's customdata is its image id.
    Raises :class:`~vptsp.errors.RunError` for a run without embeddings.
    """
    saved = SavedEmbeddings.of_run(run, "test")
    total = len(saved.labels)
    kept = np.arange(total)
    if total > most:
        kept = np.sort(np.random.default_rng(seed).choice(total, most, replace=False))
    proxies, names = proxies_of(run, saved)
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
