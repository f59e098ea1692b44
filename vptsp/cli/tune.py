"""``vptsp tune``: rates chosen by held-out data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vptsp.cli import suggestions
from vptsp.cli.options import SETTINGS, print_metrics
from vptsp.errors import ConfigError

if TYPE_CHECKING:
    from vptsp.sweeps.halving import Search, Stage
    from vptsp.sweeps.tuned import Candidate, Tuned


@click.command()
@SETTINGS
@click.option(
    "--preset", shell_complete=suggestions.presets, help="Settings to start from, by name or as a .toml file."
)
@click.option(
    "--ladder",
    multiple=True,
    metavar="KEY=A,B,...",
    help="Values to try of a setting; several make every combination. Default: nine, of rates and weight decay.",
)
@click.option("--keep", type=int, default=3, show_default=True, help="One candidate in so many goes on.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Runs of each candidate.")
@click.option("--folder", type=click.Path(path_type=Path), help="Default: runs/tuned/<data set>-<method>.")
@click.option("--workers", type=int, help="Runs at once; default: one per GPU, else per two cores.")
@click.option("--threads", type=int, help="Threads of each; default: the cores divided among the workers.")
@click.option("--gpus", default="", metavar="0,1", help="GPUs, one for each worker in turn.")
@click.option("--retry-failed", is_flag=True, help="Also run again what failed by its own error.")
@click.option("--yes", is_flag=True, help="Do not ask, however many runs there are.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what it costs, but train nothing.")
def command(
    settings: tuple[str, ...],
    preset: str | None,
    ladder: tuple[str, ...],
    keep: int,
    seeds: int,
    folder: Path | None,
    workers: int | None,
    threads: int | None,
    gpus: str,
    retry_failed: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Search for learning rates and weight decay, for example: vptsp tune --preset own_images data_root=my_images

    Successive halving: all candidates are trained for a few epochs, the best by held-out classes for more, and one to
    the end. Test images choose nothing. Stopped with Ctrl-C, the same command goes on.
    """
    from vptsp.settings.config import parse_assignments
    from vptsp.sweeps.halving import make_search
    from vptsp.sweeps.places import gpus_in_words, places_for

    search = make_search(
        parse_assignments(settings), preset, _ladder(ladder), keep=keep, seeds=seeds, folder=folder, yes=yes
    )
    named = [gpu.strip() for gpu in gpus.split(",") if gpu.strip()]
    # what finds no room is refused, by --dry-run too
    places = places_for(search.first, workers, threads, named)
    click.echo(cost(search))
    if spread := gpus_in_words(places, named):
        click.echo(spread)
    if dry_run:
        return

    from rich.console import Console

    from vptsp.sweeps.terminal import watching
    from vptsp.sweeps.tuned import tune

    with watching(Console()) as watch:
        tuned = tune(search, workers=workers, threads=threads, gpus=named, retry_failed=retry_failed, watch=watch)
    for number, (stage, candidates) in enumerate(tuned.stages, 1):
        click.echo("\n".join(_stage(search, number, stage, candidates)))
    _say(search, tuned)


def cost(search: Search) -> str:
    """What a search does and costs, in sentences."""
    stages = ", then ".join(f"{stage.candidates} for {_epochs(stage.epochs)}" for stage in search.stages)
    seeds = f", with {len(search.seeds)} seeds each" if len(search.seeds) > 1 else ""
    runs = search.epochs / search.config.epochs
    return (
        f"{stages}{seeds}: as much as {runs:.3g} trainings of {_epochs(search.config.epochs)}.\n"
        f"Held-out data choose; runs are kept in {search.folder}"
    )


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' if count != 1 else ''}"


def _stage(search: Search, number: int, stage: Stage, candidates: list[Candidate]) -> list[str]:
    wide = max(20, *(len(search.told(candidate.values)) for candidate in candidates))
    lines = [f"\n{f'stage {number}, {_epochs(stage.epochs)}':<{wide + 2}}{'held out':>10}{'trained':>10}"]
    for candidate in candidates:
        shares = "".join(
            f"{'' if value is None else f'{100 * value:.1f} %':>10}"
            for value in (candidate.validation, candidate.trained)
        )
        lines.append(
            f"{search.told(candidate.values):<{wide + 2}}{shares}{'  ' + candidate.error if candidate.error else ''}"
        )
    return lines


def _say(search: Search, tuned: Tuned) -> None:
    from vptsp.runs.run import Run

    result = Run.open(tuned.run).result()
    print_metrics(result.metrics, f"\ntest of what was chosen, {result.title}")
    if result.advice:
        click.echo(result.advice)
    chosen = " ".join(f"{name}={value!r}" for name, value in tuned.values.items())
    click.echo(
        f"chosen: {chosen}\nrun: {tuned.run.resolve()}\nagain, or with other seeds: vptsp train --preset {tuned.preset}"
    )


def _ladder(words: tuple[str, ...]) -> dict[str, list[Any]] | None:
    """``lr=0.001,0.005`` as a name and its values; commas within brackets and quotes are of a value."""
    from vptsp.settings.config import parse_assignments

    ladder: dict[str, list[Any]] = {}
    for word in words:
        name, sign, text = word.partition("=")
        name = name.strip()
        if not sign or not text:
            raise ConfigError(f"--ladder {word!r} is not KEY=A,B,...; write for example --ladder lr=0.001,0.005")
        if name in ladder:
            raise ConfigError(f"--ladder {name} is given twice; write all its values in one, {name}=A,B,...")
        listed = parse_assignments([f"{name}=[{text}]"])[name] if set("[({'\"") & set(text) else None
        if not isinstance(listed, list):
            listed = [parse_assignments([f"{name}={value}"])[name] for value in text.split(",")]
        ladder[name] = listed
    return ladder or None
