"""``vptsp export``."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli.options import CHECKPOINT, RUN


@click.command()
@RUN
@click.argument("file", type=click.Path(path_type=Path))
@CHECKPOINT
def command(run: Path, file: Path, checkpoint: str | None) -> None:
    """Write a run's model to FILE: .safetensors for the workbench, .onnx or .pt2 for other programs."""
    from vptsp.reports.export_forms import require_form
    from vptsp.runs.run import Run

    opened = Run.open(run)
    require_form(file)

    from vptsp.reports.export import export  # imports torch

    click.echo(export(opened, file, checkpoint))
