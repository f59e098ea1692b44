"""``vptsp evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli.options import CHECKPOINT, RUN, print_metrics


@click.command()
@RUN
@CHECKPOINT
def command(run: Path, checkpoint: str | None) -> None:
    """Score a run's checkpoint on its test images and refresh its stored embeddings."""
    from vptsp.data.find import place_of
    from vptsp.runs.run import Run

    place_of(Run.open(run).config)

    from vptsp.evaluation.evaluate import evaluate_run  # imports torch

    score = evaluate_run(run, checkpoint)
    sizes = ", ".join(f"{size} {name.removeprefix('num_').replace('_', ' ')}" for name, size in score.sizes.items())
    print_metrics(score.metrics, sizes)
