"""``vptsp page``."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli import suggestions
from vptsp.errors import UsageError

KINDS = ("sandbox", "presenter", "map", "gallery", "timemachine")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("run", required=False, type=click.Path(path_type=Path), shell_complete=suggestions.runs)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write, .html."
)
@click.option(
    "--projection", type=click.Choice(("umap", "pca")), default="umap", show_default=True, help="Of the page map."
)
def command(kind: str, run: Path | None, out: Path, projection: str) -> None:
    """Write a live page as one file, which needs no kernel and no network.

    \b
    sandbox      the whiteboard of proxies and losses; of a run, if one is given
    presenter    its seven stories for a classroom: full screen, large type, step by step
    map          the map of a run's test images
    gallery      a run's test images and what each of them finds
    timemachine  a run's epochs, to be played

    sandbox and presenter need no RUN. PAGE#story=outlier opens the presenter at a story.
    """
    from vptsp.runs.run import Run

    if run is None and kind not in ("sandbox", "presenter"):
        raise UsageError(f"the page {kind} shows a run and none is given; name one: vptsp page {kind} RUN --out FILE")
    opened = Run.open(run) if run else None
    if opened:
        opened.summary()  # refused here where the run is not finished

    from vptsp.reports.pages import write_page  # imports views

    click.echo(write_page(kind, out, opened, "pca" if projection == "pca" else "umap"))
