"""``vptsp train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vptsp.cli import completing
from vptsp.cli.options import RUN_DIR, SETTINGS, print_metrics
from vptsp.errors import UsageError

if TYPE_CHECKING:
    from vptsp.runs.run import Run


@click.command()
@SETTINGS
@click.option("--preset", shell_complete=completing.presets, help="Settings to start from, by name or as a .toml file.")
@RUN_DIR
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", shell_complete=completing.runs,
              help="Go on with a stopped or killed run.")  # fmt: skip
def command(settings: tuple[str, ...], preset: str | None, run_dir: Path | None, resume: Path | None) -> None:
    """Train a model and score it, for example: vptsp train method=linear epochs=5"""
    if resume and (settings or preset or run_dir):
        raise UsageError("--resume goes on with the run's own settings; give no others")
    run = _resumed(resume) if resume else _trained(settings, preset, run_dir)
    result = run.result()
    print_metrics(result.metrics, f"test, {result.selected} epoch")
    click.echo(f"run: {run.path.resolve()}")


def _trained(settings: tuple[str, ...], preset: str | None, run_dir: Path | None) -> Run:
    from vptsp.data.enough import require_classes
    from vptsp.data.find import place_of
    from vptsp.root import placed
    from vptsp.runs.run import Run
    from vptsp.settings.config import make_config, parse_assignments

    config = make_config(parse_assignments(settings), preset=preset)
    place_of(config)
    require_classes(config)
    if run_dir:
        Run(placed(run_dir)).require_free()

    from vptsp.training.loop import train  # imports torch: only now is there something to train

    return train(config, run_dir)


def _resumed(path: Path) -> Run:
    from vptsp.data.find import place_of
    from vptsp.runs.run import Run

    run = Run.open(path)
    if run.is_finished():
        click.echo(f"{path} is finished; nothing is left to train")
        return run
    place_of(run.config)

    from vptsp.training.loop import train

    return train(run_dir=path, resume=True)
