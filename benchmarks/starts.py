"""What the start of a head is worth before anything is trained: R@1 and MAP@R on classes it was not made from.

Run as ``python -m benchmarks.starts ["dataset=folder data_root=PATH ..." ...]``, each argument the settings of one data
set; without any, blossoms. *held out*: the mean over three times a fifth of the training classes, which is what
``head_shrinkage`` was chosen by; *test*: the test classes.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable

import torch
from torch import Tensor

from vptsp.core.heads import Head
from vptsp.core.initial_values import start_isometric, start_whitened
from vptsp.data.image_set import ImageSet
from vptsp.data.splits import hold_out_classes
from vptsp.evaluation.metrics import evaluate_retrieval
from vptsp.settings.config import make_config, parse_assignments
from vptsp.training.session import Session
from vptsp.training.start_from_data import training_features

SHRINKAGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
Start = Callable[[Head, Tensor, Tensor], None]
STARTS: dict[str, Start] = {
    "random": lambda head, features, labels: None,
    "isometric": lambda head, features, labels: start_isometric(head, features),
    **{
        f"whitened, {share:g}": lambda head, features, labels, share=share: start_whitened(
            head, features, labels, share
        )
        for share in SHRINKAGES
    },
}
Score = tuple[float, float]


def score(vectors: Tensor, images: ImageSet) -> Score:
    """R@1 and MAP@R in percent."""
    report = evaluate_retrieval(
        torch.nn.functional.normalize(vectors, dim=1),
        images.labels,
        images.is_query,
        images.is_gallery,
        recall_ks=(1,),
        clustering=False,
    )
    return 100 * report.metrics["recall_at_1"], 100 * report.metrics["map_at_r"]


def started(start: Start, train: tuple[Tensor, Tensor], features: Tensor, size: int) -> Tensor:
    """Embeddings by a head that was started from the training features and labels."""
    torch.manual_seed(0)
    head = Head(features.shape[1], size)
    start(head, *train)
    with torch.no_grad():
        embedded: Tensor = head(features)
    return embedded


def held_out(start: Start, features: Tensor, images: ImageSet, size: int) -> Score:
    """The mean over three times a fifth of the classes, held out as a run holds them out."""
    row, scores = {name: row for row, name in enumerate(images.ids)}, []
    for seed in range(3):
        rest, val = hold_out_classes(images, 0.2, seed)
        assert val is not None
        kept, chosen = ([row[name] for name in part.ids] for part in (rest, val))
        train = features[kept], torch.as_tensor(rest.labels)
        scores.append(score(started(start, train, features[chosen], size), val))
    first, second = zip(*scores, strict=True)
    return sum(first) / 3, sum(second) / 3


def main(sets: list[str]) -> None:
    for words in sets or ["dataset=blossoms"]:
        config = make_config({"method": "linear", "val_fraction": 0.0}, parse_assignments(shlex.split(words)))
        session = Session.prepare(config)
        splits, labels = session.splits, torch.as_tensor(session.splits.train.labels)
        train, test = (
            training_features(session.model, images, session.config, session.fabric)
            for images in (splits.train, splits.test)
        )
        print(f"\n{words}: {len(splits.train.class_names)} training and {len(splits.test.class_names)} test classes")
        print(f"{'head at start':<18}{'held out':>16}{'test':>16}")
        centred = score(test - train.mean(0), splits.test)
        print(f"{'frozen, no head':<18}{'':>16}{centred[0]:>9.1f} /{centred[1]:5.1f}")
        for name, start in STARTS.items():
            validation = held_out(start, train, splits.train, config.embedding_size)
            final = score(started(start, (train, labels), test, config.embedding_size), splits.test)
            print(
                f"{name:<18}" + "".join(f"{one:9.1f} /{other:5.1f}" for one, other in (validation, final)), flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1:])
