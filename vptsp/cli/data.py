"""``vptsp data``: which data sets there are, whether one is whole, a cache of it, and downloads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vptsp.cli import layout
from vptsp.cli.options import SETTINGS
from vptsp.errors import DataError, UsageError

if TYPE_CHECKING:
    from vptsp.data.set_description import Source
    from vptsp.settings.config import Config

ROOT = click.option("--root", type=click.Path(path_type=Path), help="Folder (or table) of the data set.")


@click.group()
def command() -> None:
    """Data sets: list, check, prepare and download them."""


@command.command(name="list")
def list_command() -> None:
    """List every data set: its name, what it is for, its size, what its folder holds and where it is from."""
    from vptsp.data.registry import DATASETS

    for name, source in DATASETS.items():
        click.echo(f"{layout.name(name)}  {source.title}")
        facts = [f"for {source.task}"] if source.task != "any" else []
        facts += [str(source.expected)] if source.expected else []
        if facts:
            click.echo(layout.paragraph(": ".join(facts)))
        if source.layout:
            click.echo(layout.paragraph(f"data_root: {source.layout}"))
        if source.where:
            click.echo(layout.paragraph(f"from: {source.where}{'; vptsp data download' if source.archives else ''}"))


@command.command()
@click.argument("name")
@ROOT
@SETTINGS
@click.option("--sheet", type=click.Path(path_type=Path), help="Where to write a contact sheet, a PNG file.")
def check(name: str, root: Path | None, settings: tuple[str, ...], sheet: Path | None) -> None:
    """Read every image of data set NAME: counts, sizes, unreadable images, images in both train and test."""
    config = _config(name, root, settings)

    from vptsp.data.check import Findings
    from vptsp.data.check import check as check_images
    from vptsp.data.contact_sheet import contact_sheet
    from vptsp.data.load_splits import read_parts
    from vptsp.data.unreadable import refuse_missing

    parts = read_parts(config)
    for note in parts.notes:
        click.echo(f"note: {note}")
    if not config.skip_bad:
        refuse_missing(name, parts)
    found = _last(check_images(parts), sum(map(len, parts.each())), "checking")
    assert isinstance(found, Findings)
    for line in found.lines():
        click.echo(line)
    if sheet is not None:
        _write_png(contact_sheet(parts), sheet)
        click.echo(f"contact sheet: {sheet}")
    if found.unreadable:
        raise DataError(
            f"{len(found.unreadable):,} images cannot be read; replace them, or train with skip_bad=true to go without"
        )


@command.command()
@click.argument("name")
@ROOT
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the cache, or of the shards.")
@click.option("--size", type=click.IntRange(16), help="Shorter side in a cache, in pixels; default: 256.")
@click.option("--shards", is_flag=True, help="Write WebDataset shards (tars of the image files) instead of a cache.")
@click.option("--shard-mb", type=click.IntRange(1), help="Megabytes of a shard, about; default: 250.")
@SETTINGS
def prepare(
    name: str,
    root: Path | None,
    out: Path,
    size: int | None,
    shards: bool,
    shard_mb: int | None,
    settings: tuple[str, ...],
) -> None:
    """Decode and shrink the images of data set NAME into a cache for data_cache=OUT. Stopped, it goes on later.

    skip_bad=true leaves unreadable images out, num_workers=8 uses eight processes. The size 256 is right for
    image_size=224 (S * 256 / 224 in general).

    With --shards the image files are copied as they are into a few large tars, as network disks like them, for
    dataset=shards data_root=OUT; validation images that the set brings stay apart.
    """
    if shards and size is not None:
        raise UsageError("--size is of a cache of decoded images; --shards copies image files as they are: drop one")
    if shard_mb is not None and not shards:
        raise UsageError("--shard-mb is of shards; add --shards, or drop it")
    if shards:
        _write_shards(name, root, out, shard_mb, settings)
        return
    config = _config(name, root, settings)

    from vptsp.data.load_splits import read_parts
    from vptsp.data.prepare import Prepared
    from vptsp.data.prepare import prepare as fill

    parts = read_parts(config)
    steps = fill(parts, out, name, size or 256, skip_bad=config.skip_bad, num_workers=config.num_workers)
    done = _last(steps, sum(map(len, parts.each())), "preparing")
    assert isinstance(done, Prepared)
    click.echo(
        f"{done.made:,} images made, {done.reused:,} were there, {len(done.unreadable):,} cannot be read; "
        f"{done.bytes / 2**20:,.0f} MiB in {out}\ntrain with: data_cache={out}"
    )


def _write_shards(name: str, root: Path | None, out: Path, megabytes: int | None, settings: tuple[str, ...]) -> None:
    config = _config(name, root, ("val_fraction=0.2", *settings))  # any that has validation images kept apart

    from vptsp.data.load_splits import read_parts
    from vptsp.data.unreadable import refuse_missing
    from vptsp.data.write_shards import MEGABYTES, ShardsWritten, write_shards

    parts = read_parts(config)
    if not config.skip_bad:
        refuse_missing(name, parts)
    steps = write_shards(
        parts,
        out,
        name,
        megabytes=megabytes or MEGABYTES,
        skip_bad=config.skip_bad,
        num_workers=config.num_workers,
    )
    done = _last(steps, sum(map(len, parts.each())), "writing")
    assert isinstance(done, ShardsWritten)
    task = f" task={config.task}" if config.task != "retrieval" else ""
    click.echo(
        f"{done.made:,} images written, {done.reused:,} were there, {len(done.unreadable):,} cannot be read; "
        f"{done.shards:,} shards of {done.bytes / 10**6:,.1f} MB together in {out}\n"
        f"train with: dataset=shards data_root={out}{task}"
    )


@command.command()
@click.argument("name")
@ROOT
def download(name: str, root: Path | None) -> None:
    """Fetch data set NAME into the folder --root, where its owner lets anyone do so; an interrupted one goes on."""
    from vptsp.data.locate import find_source

    source = find_source(name)
    if not source.archives:
        raise UsageError(_by_hand(name, source))
    if root is None:
        raise UsageError(f"give --root FOLDER, where {name} is to be put")

    from tqdm import tqdm

    from vptsp.data.download import fetch

    for archive in source.archives:
        with tqdm(desc=archive.makes, unit="B", unit_scale=True, disable=None) as bar:
            for have, total in fetch(archive, root):
                bar.total = total
                bar.update(have - bar.n)
    click.echo(f"{name} is in {root}\nfrom: {source.where}\nuse it with: dataset={name} data_root={root}")


def _by_hand(name: str, source: Source) -> str:
    if source.root == "none":
        return f"{name} needs no files: dataset={name} draws its images"
    if source.root == "optional" or not source.where:
        return f"{name} is not downloaded by this command; {source.where or 'it is a data set of your own'}"
    return (
        f"{name} cannot be downloaded by program: get it from {source.where}; then pass data_root=FOLDER that holds "
        f"{source.layout}"
    )


def _config(name: str, root: Path | None, settings: tuple[str, ...]) -> Config:
    """The whole data set, nothing held out, under the task that it is for; its place is checked."""
    from vptsp.data.locate import find_source, place_of
    from vptsp.settings.config import make_config, parse_assignments

    values: dict[str, Any] = {"dataset": name, "val_fraction": 0.0}
    if root is not None:
        values["data_root"] = root
    if find_source(name).task == "recognition":
        values["task"] = "recognition"
    config = make_config(values, parse_assignments(settings))
    place_of(config)
    return config


def _last(steps: Iterator[Any], total: int, title: str) -> Any:
    """Runs to the end with a progress bar; the last thing is the result."""
    from tqdm import tqdm

    with tqdm(total=total, desc=title, unit="image", disable=None) as bar:
        for step in steps:
            if not isinstance(step, int):
                return step
            bar.update(step - bar.n)
    raise AssertionError("steps end with a result")


def _write_png(image: Any, path: Path) -> None:
    import io

    from vptsp.files import write_bytes

    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())
