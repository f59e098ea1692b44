"""Arguments and options that several commands take, and numbers as they print them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from vptsp.cli import completing

RUN = click.argument("run", type=click.Path(path_type=Path), shell_complete=completing.runs)
SETTINGS = click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=completing.settings)
CHECKPOINT = click.option(
    "--checkpoint", type=click.Choice(["last", "best_val"]), help="Which epoch; default: the selected one."
)
RUN_DIR = click.option(
    "--run-dir", type=click.Path(path_type=Path), help="Where the run is kept; default: a new one in runs/."
)


def print_metrics(metrics: Mapping[str, float], title: str) -> None:
    """A line of title, then a metric in percent a line; counts are left out."""
    click.echo(title)
    for name, value in metrics.items():
        if not name.startswith("num_"):
            click.echo(f"  {name:<22}{100 * value:7.2f} %")
