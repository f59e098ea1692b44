"""``vptsp report``."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli.options import RUN, changes, elsewhere


@click.command()
@RUN
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the page; default: RUN/report.html.")
@elsewhere
def command(run: Path, out: Path | None, data_root: Path | None, device: str | None, workers: int | None) -> None:
    """Write a run's report.html, which needs no network and no kernel to view."""
    from vptsp.runs.run import Run

    opened = Run.open(run).elsewhere(**changes(data_root, device, workers))
    opened.summary()  # refused here where the run is not finished

    from vptsp.reports.report import write_report  # imports torch and plotly

    click.echo(write_report(opened, path=out))
