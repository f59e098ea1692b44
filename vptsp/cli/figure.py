"""``vptsp figure``."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli.options import RUN

KINDS = ("map", "curves", "recall", "spaces", "retrieval", "effect")


@click.command()
@RUN
@click.argument("kind", type=click.Choice(KINDS))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file, .pdf, .svg or .png."
)
@click.option(
    "--columns", type=click.Choice(("1", "2")), default="1", show_default=True, help="Width: 3.25 or 6.875 inches."
)
@click.option(
    "--projection", type=click.Choice(("umap", "pca")), default="umap", show_default=True, help="Of the figure map."
)
def command(run: Path, kind: str, out: Path, columns: str, projection: str) -> None:
    """Write a figure for a paper: fonts embedded, colours that everybody can tell apart.

    \b
    map        test images on a plane, seven classes in colours and shapes, and the proxies
    curves     training loss and validation over epochs
    recall     R@K of the run and its baselines
    spaces     learned, semantic and fused proxies among the same images (VPTSP, Figure 4)
    retrieval  queries and what they find
    effect     the same queries by the frozen backbone and by the run

    \b
    For example: vptsp figure runs/demo-1 map -o map.pdf --columns 2
    """
    from vptsp.runs.run import Run

    opened = Run.open(run)
    opened.summary()  # refused here where the run is not finished

    from vptsp.figures.paper import save_figure  # imports matplotlib

    click.echo(save_figure(opened, kind, out, int(columns), "pca" if projection == "pca" else "umap"))
