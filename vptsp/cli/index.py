"""``vptsp index``: a gallery on disk that images come into and go from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vptsp.cli import layout, suggestions
from vptsp.errors import DataError, RunError, UsageError
from vptsp.text import plain

if TYPE_CHECKING:
    from vptsp.evaluation.index.sources import Images


class _Place(click.ParamType):
    """A folder, or a server's URL, which stays as it was written."""

    name = "folder"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        return value if isinstance(value, Path) or "://" in value else Path(value)


FOLDER = click.argument("folder", type=_Place())
SOURCE = click.argument("source", type=click.Path(path_type=Path), shell_complete=suggestions.runs)
IDS = click.option("--ids", type=click.Path(path_type=Path), help="Ids of the rows of a file of numbers, one a line.")
EMBEDDED_BY = click.option(
    "--run", type=click.Path(path_type=Path), help="Run that embeds images.", shell_complete=suggestions.runs
)


def _not_blank(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise UsageError("--where is blank; write SQL over the columns, such as \"class = 'rose'\", or leave it out")
    return value


WHERE = click.option(
    "--where", metavar="EXPRESSION", callback=_not_blank, help="SQL over the columns, such as: class = 'rose'"
)
_ENGINES = ("exact", "hnsw", "ivf", "ivfpq", "lance")


@click.group()
def command() -> None:
    """An index of images on disk: build, add, remove, search and check it.

    SOURCE is a run (its test images), a folder of embeddings, a file of them (.npy, .npz, .parquet, .csv), or a folder
    of images, which --run embeds. FOLDER may also be a table of a PostgreSQL server that has pgvector:
    postgresql://user@host/database#table
    """


@command.command()
@FOLDER
@SOURCE
@click.option("--engine", type=click.Choice(_ENGINES), default="exact", show_default=True, help="How it searches.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="How vectors are stored.",
)
@click.option(
    "--target",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="Share of the true ten to find.",
)
@EMBEDDED_BY
@IDS
def build(
    folder: Path | str, source: Path, engine: str, dtype: str, target: float, run: Path | None, ids: Path | None
) -> None:
    """Build an index of SOURCE in FOLDER: exact, or hnsw, ivf, ivfpq for many images; its recall is measured.

    lance makes a LanceDB table, which other programs read, of float32. A server has the engines exact and hnsw.
    """
    _refuse_existing(folder)
    images = _images(source, run, ids)

    from vptsp.evaluation.index.opened import build_index

    index = build_index(folder, images, engine, dtype=dtype, target=target)
    for line in index.describe().lines():
        click.echo(line)


@command.command()
@FOLDER
@SOURCE
@click.option("--replace", is_flag=True, help="Images whose ids are there give way to the new ones.")
@EMBEDDED_BY
@IDS
def add(folder: Path | str, source: Path, replace: bool, run: Path | None, ids: Path | None) -> None:
    """Add the images of SOURCE to the index in FOLDER; its recall is measured again."""
    _refuse_missing(folder)

    from vptsp.evaluation.index.opened import open_index

    index = open_index(folder)
    images = _images(source, run, ids)
    index.add(images.embeddings, images.ids, images.columns, replace=replace, model=images.model)
    click.echo(f"{len(images.ids):,} images added; {index.describe().lines()[0]}")


@command.command()
@FOLDER
@click.argument("names", nargs=-1, metavar="[ID]...")
@WHERE
def remove(folder: Path | str, names: tuple[str, ...], where: str | None) -> None:
    """Remove images from the index in FOLDER, by id or all those of which --where is true."""
    if bool(names) == bool(where):
        raise UsageError("name the images to remove by their ids, or by --where EXPRESSION, and not by both")
    _refuse_missing(folder)

    from vptsp.evaluation.index.opened import open_index

    index = open_index(folder)
    gone = list(dict.fromkeys(names)) or index.ids_where(where or "")
    index.remove(gone)
    click.echo(f"{len(gone):,} images removed; {index.describe().lines()[0]}")


@command.command()
@FOLDER
@click.argument("query")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Images to find.")
@WHERE
@EMBEDDED_BY
def search(folder: Path | str, query: str, k: int, where: str | None, run: Path | None) -> None:
    """Print the images of the index in FOLDER that are nearest to QUERY: an id of it, or an image that --run embeds."""
    _refuse_missing(folder)

    from vptsp.evaluation.index.opened import open_index

    index = open_index(folder)
    if run is None:
        try:
            vectors, own = index.vectors([query]), [query]
        except DataError:
            if not Path(query).is_file():
                raise
            raise UsageError(
                f"{query} is a file and no id of this index; to search with an image name the run that embeds it: "
                "--run RUN"
            ) from None
    else:
        from vptsp.evaluation.index.sources import query_of

        vectors, model = query_of([query], run)
        index.require_model(model)
        own = None
    found = index.find(vectors, k, own, where)
    columns = index.about(found.ids[0])
    names = index.columns
    click.echo(layout.heading("\t".join(["rank", "similarity", "id", *map(plain, names)])))
    for rank, (name, cosine) in enumerate(zip(found.ids[0], found.similarities[0], strict=False), start=1):
        values = ["-" if value is None else plain(value) for value in columns[name].values()]
        click.echo("\t".join([str(rank), f"{cosine:.4f}", plain(name, 200), *values]))
    click.echo(f"{'exact' if found.recall is None else found.recall} (of {len(index):,} images)", err=True)


@command.command()
@FOLDER
@click.option("--measure", is_flag=True, help="Measure the recall again.")
def check(folder: Path | str, measure: bool) -> None:
    """Read every byte of the index in FOLDER, and say what it is and whether it is whole."""
    _refuse_missing(folder)

    from vptsp.evaluation.index.check import problems_of
    from vptsp.evaluation.index.opened import open_index
    from vptsp.evaluation.index.stored import StoredIndex

    index = open_index(folder)
    if measure:
        index.measure()
    for line in index.describe().lines():
        click.echo(line)
    problems = problems_of(folder) if isinstance(index, StoredIndex) else []
    for problem in problems:
        click.echo(problem)
    if problems:
        raise RunError(f"{folder} is not whole; build the index again")
    click.echo("every byte is as it was written" if isinstance(index, StoredIndex) else "the table can be read")


def _images(source: Path, run: Path | None, ids: Path | None) -> Images:
    from vptsp.evaluation.index.sources import images_of

    lines = None
    if ids is not None:
        try:
            lines = ids.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{ids} cannot be read ({error}); give a text file with an id a line") from None
        blank = [number for number, line in enumerate(lines, start=1) if not line.strip()]
        if blank:
            raise UsageError(f"line {blank[0]} of {ids} is blank; give an id for each row")
    images = images_of(source, run, lines)
    for note in images.notes:
        click.echo(f"note: {note}")
    return images


def _refuse_missing(folder: Path | str) -> None:
    """Before anything heavy is imported; a server says it itself."""
    if isinstance(folder, Path) and not any((folder / name).is_file() for name in ("index.sqlite", "lance.json")):
        raise RunError(f"{folder} holds no index; vptsp index build {folder} SOURCE makes one")


def _refuse_existing(folder: Path | str) -> None:
    if isinstance(folder, Path) and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} exists already; choose another folder, or delete it first")
