"""``vptsp report``."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli.options import RUN


@click.command()
@RUN
def command(run: Path) -> None:
    """Write a run's report.html, which needs no network and no kernel to view."""
    from vptsp.runs.run import Run

    opened = Run.open(run)
    opened.summary()  # refused here where the run is not finished

    from vptsp.reports.report import write_report  # imports torch and plotly

    click.echo(write_report(opened))
