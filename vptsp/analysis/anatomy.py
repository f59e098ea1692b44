"""What a class's proxy is made of, and what its parts are good for: learned O, semantic G, fused q.

VPTSP fuses ``q = alpha O + (1 - alpha) G`` (arXiv 2402.02340, eq. 8) and its loss sees directions only. Here a
finished run's parts are fused again with any alpha and asked two things about the *training* images, whose classes
the proxies belong to: is an image's nearest proxy that of its class, and which images does a proxy find?

G has unit rows, O has not: in q, O weighs ``alpha |O| / (alpha |O| + (1 - alpha) |G|)``, which can be far from alpha.

Dimensions: C classes, N images, E embedding size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64

from vptsp.analysis.angles import angles
from vptsp.analysis.mantel import RankCorrelation, gower, mantel, rank_correlation, visible
from vptsp.core.proxies import fuse
from vptsp.errors import DataError
from vptsp.evaluation.metrics import average_precision_at_r, hit_at_k, scored_queries
from vptsp.evaluation.ranking import RetrievalResults, search, unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.proxies import snapshot_beside
from vptsp.runs.run import Run
from vptsp.runs.whitening import Whitening
from vptsp.text import plain


@dataclass(frozen=True)
class AlphaScore:
    """What proxies fused with ``alpha`` are good for; by class, NaN where a class has no image.

    ``accuracy``: share of images whose nearest proxy is their class's, of all images and by class (C,).
    ``recall_at_1`` and ``map_at_r``: each proxy as a query against all images; ``average_precision`` (C,) is AP@R.
    """

    alpha: float
    accuracy: float
    recall_at_1: float
    map_at_r: float
    class_accuracy: Float64[np.ndarray, " C"]
    average_precision: Float64[np.ndarray, " C"]


@dataclass(frozen=True)
class Anatomy:
    """Proxies of a run and its training images: ``learned`` (C, E), ``semantic`` (C, E) or none, unit ``embeddings``.

    ``labels`` (N,) are rows of the proxies, ``alpha`` is what the run fused with (1 without semantic proxies),
    ``epoch`` the epoch after which all of this was so. ``attributes`` (C rows) is what is known of the
    classes, ``prompt_of_class`` (C,) which guided prompt speaks for each (DA-VPT), none without guided prompts.
    """

    name: str
    learned: Float32[np.ndarray, "C E"]
    semantic: Float32[np.ndarray, "C E"] | None
    embeddings: Float32[np.ndarray, "N E"]
    labels: Int64[np.ndarray, " N"]
    class_names: tuple[str, ...]
    ids: tuple[str, ...]
    alpha: float
    epoch: int = -1
    attributes: pd.DataFrame | None = None
    prompt_of_class: Int64[np.ndarray, " C"] | None = None

    def __post_init__(self) -> None:
        shapes = {"learned": self.learned.shape, "embeddings": self.embeddings.shape}
        shapes |= {"semantic": self.semantic.shape} if self.semantic is not None else {}
        if len({shape[1:] for shape in shapes.values()}) > 1 or len(self.class_names) != len(self.learned):
            raise DataError(f"{len(self.class_names)} class names and {shapes} do not fit together")
        if len(self.labels) != len(self.embeddings) or (len(self.labels) and self.labels.max() >= len(self.learned)):
            raise DataError(f"labels must be {len(self.embeddings)} rows of {len(self.learned)} proxies")

    # --- fusion ----------------------------------------------------------------------------------
    def fused(self, alpha: float | None = None) -> Float32[np.ndarray, "C E"]:
        """``alpha O + (1 - alpha) G`` as unit rows; ``alpha`` none is the run's own."""
        alpha = self.alpha if alpha is None else alpha
        if not 0 <= alpha <= 1:
            raise DataError(f"alpha is {alpha}; it must be from 0, semantic proxies only, to 1, learned ones only")
        if self.semantic is None and alpha != 1:
            raise DataError(f"{self.name} has no semantic proxies to fuse with alpha={alpha}; only alpha=1 is legal")
        rows = torch.from_numpy(self.learned)
        mixed = rows if self.semantic is None else fuse(rows, torch.from_numpy(self.semantic), alpha)
        return unit_rows(mixed)

    def weight_of_learned(self, alpha: float | None = None) -> Float64[np.ndarray, " C"]:
        """What alpha amounts to, class by class: the share of O in the lengths that are added up to q."""
        alpha = self.alpha if alpha is None else alpha
        one = alpha * np.linalg.norm(self.learned.astype(np.float64), axis=1)
        other = (1 - alpha) * (0.0 if self.semantic is None else np.linalg.norm(self.semantic, axis=1))
        return np.asarray(one / np.maximum(one + other, 1e-30))

    # --- what the proxies are good for --------------------------------------------------------------
    def score(self, alpha: float | None = None) -> AlphaScore:
        """Proxy classification and proxy-to-image retrieval with this alpha."""
        alpha = self.alpha if alpha is None else alpha
        proxies = self.fused(alpha)
        right = nearest_is_own(proxies, self.embeddings, self.labels)
        counts = np.bincount(self.labels, minlength=len(proxies))
        found = find_images(proxies, self.embeddings, self.labels)
        precision = np.full(len(proxies), np.nan)
        precision[scored_queries(found)] = average_precision_at_r(found)
        with np.errstate(invalid="ignore"):
            by_class = np.bincount(self.labels, weights=right, minlength=len(proxies)) / counts
        recall = float(hit_at_k(found, 1).mean())
        return AlphaScore(alpha, float(right.mean()), recall, float(np.nanmean(precision)), by_class, precision)

    def curve(self, alphas: Sequence[float] = tuple(np.linspace(0, 1, 21).tolist())) -> pd.DataFrame:
        """Accuracy, recall at 1 and MAP@R as functions of alpha; of the learned proxies alone, one line."""
        scores = [self.score(alpha) for alpha in (alphas if self.semantic is not None else (1.0,))]
        return pd.DataFrame(
            [(one.alpha, one.accuracy, one.recall_at_1, one.map_at_r) for one in scores],
            columns=["alpha", "accuracy", "recall_at_1", "map_at_r"],
        )

    def classes(self, alpha: float | None = None) -> pd.DataFrame:
        """Class by class: what fusing changes (largest gain first), and how the three vectors lie.

        ``accuracy_*`` and ``ap_*`` (AP@R) of learned, semantic and fused proxies; ``gain`` is AP@R of the fused minus
        that of the learned proxy, ``gain_accuracy`` likewise. ``angle_*`` are in degrees, ``weight_of_learned`` is
        O's real share in q. ``prompt`` is the guided prompt of the class, where there are any.
        """
        alpha = self.alpha if alpha is None else alpha
        parts = {"learned": (1.0, self.fused(1.0)), "fused": (alpha, self.fused(alpha))}
        if self.semantic is not None:
            parts["semantic"] = (0.0, self.fused(0.0))
        table = pd.DataFrame(index=pd.Index(self.class_names, name="class"))
        table["images"] = np.bincount(self.labels, minlength=len(table))
        for kind, (value, _) in parts.items():
            scored = self.score(value)
            table[f"accuracy_{kind}"], table[f"ap_{kind}"] = scored.class_accuracy, scored.average_precision
        table["gain"] = table["ap_fused"] - table["ap_learned"]
        table["gain_accuracy"] = table["accuracy_fused"] - table["accuracy_learned"]
        for one, other in (("learned", "semantic"), ("learned", "fused"), ("semantic", "fused")):
            if one in parts and other in parts:
                table[f"angle_{one}_{other}"] = angles(parts[one][1], parts[other][1])
        if self.prompt_of_class is not None:
            table["prompt"] = self.prompt_of_class
        table["norm_learned"] = np.linalg.norm(self.learned, axis=1)
        table["weight_of_learned"] = self.weight_of_learned(alpha)
        return table.sort_values("gain", ascending=False, kind="stable")

    # --- guided prompts ---------------------------------------------------------------------------
    def prompts(self, alpha: float | None = None) -> pd.DataFrame:
        """The guided prompts (DA-VPT), a row each, largest first: do classes of one prompt lie near each other?

        ``prompt`` from 0, ``count`` and ``classes`` it speaks for; ``within``: mean cosine of their fused proxies with
        each other (NaN of one class alone), ``between``: with those of all other classes; ``accuracy``: share of their
        images whose nearest proxy is their class's, ``same_prompt``: is of a class of the same prompt.
        Raises DataError where there are no guided prompts.
        """
        if self.prompt_of_class is None:
            raise DataError(
                f"{self.name} has no guided prompts; choose a run of method=davpt_dml or davpt_vptsp, which have them"
            )
        proxies, mapping = self.fused(alpha), self.prompt_of_class
        cosines = proxies.astype(np.float64) @ proxies.T
        nearest = nearest_proxies(proxies, self.embeddings)
        rows = []
        for prompt in np.unique(mapping):
            own = mapping == prompt
            count, images = int(own.sum()), own[self.labels]
            pairs = cosines[np.ix_(own, own)].sum() - cosines[own, own].sum()
            rows.append(
                {
                    "prompt": int(prompt),
                    "count": count,
                    "classes": ", ".join(np.array(self.class_names)[own]),
                    "within": pairs / (count * (count - 1)) if count > 1 else np.nan,
                    "between": cosines[np.ix_(own, ~own)].mean() if not own.all() else np.nan,
                    "accuracy": (nearest == self.labels)[images].mean() if images.any() else np.nan,
                    "same_prompt": own[nearest[images]].mean() if images.any() else np.nan,
                }
            )
        return pd.DataFrame(rows).sort_values("count", ascending=False, kind="stable", ignore_index=True)

    # --- known attributes -----------------------------------------------------------------------------
    def distances(self, alpha: float | None = None) -> Float64[np.ndarray, "C C"]:
        """Cosine distances between the classes' fused proxies."""
        return _cosine_distances(self.fused(alpha))

    def attribute_distances(self) -> Float64[np.ndarray, "C C"]:
        """Gower's distance of the visible attributes. Raises DataError where no attributes are known."""
        if self.attributes is None:
            raise DataError(f"nothing is known of the classes of {self.name}; attributes come with the set blossoms")
        return gower(visible(self.attributes))

    def correlations(self, permutations: int = 4999, seed: int = 0) -> dict[str, RankCorrelation]:
        """How well proxy distances follow attribute distances: learned, semantic, fused, and the classes' mean images.

        The last is what a proxy could know of its class from the embeddings alone.
        """
        known = self.attribute_distances()
        kinds = {"learned": self.distances(1.0)}
        if self.semantic is not None:
            kinds |= {"semantic": self.distances(0.0), "fused": self.distances()}
        counts = np.bincount(self.labels, minlength=len(self.learned))
        if counts.all():
            sums = np.zeros_like(self.learned, dtype=np.float64)
            np.add.at(sums, self.labels, self.embeddings)
            kinds["mean images"] = _cosine_distances(unit_rows(sums))
        return {kind: mantel(rows, known, permutations, seed) for kind, rows in kinds.items()}

    def correlation_curve(self, alphas: Sequence[float]) -> Float64[np.ndarray, " A"]:
        """Rank correlation of the fused proxies' distances with the attributes', for each alpha."""
        known = self.attribute_distances()
        return np.array([rank_correlation(self.distances(alpha), known) for alpha in alphas])

    # --- parts and sources ------------------------------------------------------------------------------
    def row_of(self, class_name: str) -> int:
        """The proxy's row of a class; DataError for a class that the run was not trained on."""
        if class_name not in self.class_names:
            raise DataError(
                f"{plain(class_name)!r} is not a training class of {self.name}; proxies exist for its "
                f"{len(self.class_names):,} training classes only, such as {plain(self.class_names[0])!r}"
            )
        return self.class_names.index(class_name)

    def subset(self, classes: Int64[np.ndarray, " c"], images: Int64[np.ndarray, " n"]) -> Anatomy:
        """Some classes and some of their images, both as rows in order; every number is then among these."""
        place = np.full(len(self.learned), -1)
        place[classes] = np.arange(len(classes))
        if (place[self.labels[images]] < 0).any():
            raise DataError("some of the images are of classes that are not among those chosen")
        return replace(
            self,
            learned=self.learned[classes],
            semantic=None if self.semantic is None else self.semantic[classes],
            embeddings=self.embeddings[images],
            labels=place[self.labels[images]],
            class_names=tuple(self.class_names[row] for row in classes),
            ids=tuple(self.ids[row] for row in images),
            attributes=None if self.attributes is None else self.attributes.iloc[classes],
            prompt_of_class=None if self.prompt_of_class is None else self.prompt_of_class[classes],
        )

    @classmethod
    def of_run(cls, run: Run | str | Path, saved: SavedEmbeddings | None = None) -> Anatomy:
        """A run's proxies and training images; ``saved`` is its train embeddings, if they are open already.

        Images of a model that was whitened after training are taken back to where the loss saw them.

        Raises RunError for a run without embeddings, snapshots or proxies, saying what to do.
        """
        run = Run.of(run)
        saved = saved or SavedEmbeddings.of_run(run, "train")
        snapshot, whitening = snapshot_beside(run, saved), Whitening.beside(run, saved)
        names = snapshot.index.class_names
        missing = set(saved.names) - set(names)
        if missing:
            raise DataError(
                f"{run.path} has images of {plain(min(missing))!r} but no proxy of it; "
                f"vptsp evaluate {run.path} embeds the training images again"
            )
        rows = {name: row for row, name in enumerate(names)}
        table = saved.attributes
        return cls(
            name=run.path.name,
            learned=snapshot.proxies["learned"],
            semantic=snapshot.semantic,
            embeddings=unit_rows(saved.embeddings) if whitening is None else whitening.undo(saved.embeddings),
            labels=np.array([rows[name] for name in saved.names], dtype=np.int64),
            class_names=names,
            ids=tuple(saved.ids),
            alpha=snapshot.alpha,
            epoch=snapshot.epoch,
            attributes=table.reindex(names) if table is not None and set(names) <= set(table.index) else None,
            prompt_of_class=snapshot.prompt_of_class,
        )


def nearest_proxies(
    proxies: Float32[np.ndarray, "C E"], embeddings: Float32[np.ndarray, "N E"]
) -> Int64[np.ndarray, " N"]:
    """The proxy most similar to each image; of equally similar ones the first."""
    step = max(1, 2**24 // max(1, len(proxies)))
    parts = range(0, len(embeddings), step)
    return np.concatenate([(embeddings[start : start + step] @ proxies.T).argmax(axis=1) for start in parts])


def nearest_is_own(
    proxies: Float32[np.ndarray, "C E"], embeddings: Float32[np.ndarray, "N E"], labels: Int64[np.ndarray, " N"]
) -> Bool[np.ndarray, " N"]:
    """Whether the proxy most similar to each image is its class's; of equally similar ones the first counts."""
    return np.asarray(nearest_proxies(proxies, embeddings) == labels)


def find_images(
    proxies: Float32[np.ndarray, "C E"], embeddings: Float32[np.ndarray, "N E"], labels: Int64[np.ndarray, " N"]
) -> RetrievalResults:
    """Each proxy as a query against all images."""
    proxies_first = np.arange(len(proxies) + len(embeddings)) < len(proxies)
    return search(
        np.concatenate([proxies, embeddings]),
        np.concatenate([np.arange(len(proxies)), labels]),
        is_query=proxies_first,
        is_gallery=~proxies_first,
    )


def _cosine_distances(rows: Float[np.ndarray, "C E"]) -> Float64[np.ndarray, "C C"]:
    wide = rows.astype(np.float64)
    return np.asarray(1 - wide @ wide.T)
