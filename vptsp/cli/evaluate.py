"""``vptsp evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli.options import CHECKPOINT, RUN, SETTINGS, changes, elsewhere, print_metrics


@click.command()
@RUN
@SETTINGS
@CHECKPOINT
@elsewhere
def command(
    run: Path,
    settings: tuple[str, ...],
    checkpoint: str | None,
    data_root: Path | None,
    device: str | None,
    workers: int | None,
) -> None:
    """Score a run's checkpoint on its test images and refresh its stored embeddings.

    Where its data, weights or machine are others now, say so: --data-root FOLDER, skip_bad=true.
    """
    from vptsp.data.locate import place_of
    from vptsp.runs.run import Run

    opened = Run.open(run).elsewhere(**changes(data_root, device, workers, settings))
    place_of(opened.config)

    from vptsp.evaluation.evaluate import evaluate_run  # imports torch

    score = evaluate_run(opened, checkpoint)
    sizes = ", ".join(f"{size} {name.removeprefix('num_').replace('_', ' ')}" for name, size in score.sizes.items())
    print_metrics(score.metrics, sizes)
