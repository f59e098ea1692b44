"""Arguments and options that several commands take, and numbers as they print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from vptsp.cli import suggestions

RUN = click.argument("run", type=click.Path(path_type=Path), shell_complete=suggestions.runs)
SETTINGS = click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=suggestions.settings)
CHECKPOINT = click.option(
    "--checkpoint", type=click.Choice(["last", "best_val", "whitened"]), help="Which epoch; default: the selected one."
)
_ELSEWHERE = (
    click.option("--data-root", type=click.Path(path_type=Path), help="Where the run's data are now."),
    click.option("--device", help="auto, cpu, cuda or cuda:1; default: as the run was trained."),
    click.option("--workers", type=click.IntRange(0), help="Processes that load images."),
)
RUN_DIR = click.option(
    "--run-dir", type=click.Path(path_type=Path), help="Where the run is kept; default: a new one in runs/."
)


def elsewhere(command: Any) -> Any:
    """``--data-root``, ``--device`` and ``--workers``, for commands that take up a run in another place."""
    for option in reversed(_ELSEWHERE):
        command = option(command)
    return command


def changes(
    data_root: Path | None, device: str | None, workers: int | None, settings: Sequence[str] = ()
) -> dict[str, Any]:
    """What those options say as settings of a run, together with KEY=VALUE words."""
    from vptsp.settings.config import parse_assignments

    given = {"data_root": data_root, "device": device, "num_workers": workers}
    return parse_assignments(settings) | {name: value for name, value in given.items() if value is not None}


def print_metrics(metrics: Mapping[str, float], title: str) -> None:
    """A line of title, then a metric in percent a line; counts are left out."""
    click.echo(title)
    for name, value in metrics.items():
        if not name.startswith("num_"):
            click.echo(f"  {name:<22}{100 * value:7.2f} %")
