"""``vptsp demo``."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli.options import RUN_DIR, SETTINGS


@click.command()
@RUN_DIR
@SETTINGS
def command(run_dir: Path | None, settings: tuple[str, ...]) -> None:
    """Train, evaluate and report on the embedded default: the notebook 01_train, run headless."""
    from vptsp.reports.demo import run_demo
    from vptsp.settings.config import parse_assignments

    run_demo(run_dir, parse_assignments(settings))
