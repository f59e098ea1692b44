"""``vptsp train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vptsp.cli import suggestions
from vptsp.cli.options import RUN_DIR, SETTINGS, changes, elsewhere, print_metrics
from vptsp.devices.surroundings import is_first, surroundings
from vptsp.errors import UsageError

if TYPE_CHECKING:
    from vptsp.runs.run import Run


@click.command()
@SETTINGS
@click.option(
    "--preset", shell_complete=suggestions.presets, help="Settings to start from, by name or as a .toml file."
)
@RUN_DIR
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    shell_complete=suggestions.runs,
    help="Go on with a stopped or killed run.",
)
@click.option(
    "--slurm",
    metavar="KEY=VALUE",
    multiple=True,
    help="Put the training into the queue of a SLURM cluster, with this option of sbatch; may be repeated.",
)
@click.option("--changed-data", is_flag=True, help="With --resume: go on although its images are others now.")
@elsewhere
def command(
    settings: tuple[str, ...],
    preset: str | None,
    run_dir: Path | None,
    resume: Path | None,
    slurm: tuple[str, ...],
    changed_data: bool,
    data_root: Path | None,
    device: str | None,
    workers: int | None,
) -> None:
    """Train a model and score it, for example: vptsp train method=linear epochs=5"""
    given = changes(data_root, device, workers, settings)
    if resume and (preset or run_dir):
        raise UsageError("--resume goes on with the run's own settings; give no others")
    if resume:
        from vptsp.runs.run import require_elsewhere

        require_elsewhere(given, "--resume")
    if changed_data and not resume:
        raise UsageError("--changed-data is for --resume RUN, which it lets go on with other images")
    if slurm:
        _queued(given, preset, run_dir, resume, slurm)
        return
    try:
        run = _resumed(resume, given, changed_data) if resume else _trained(given, preset, run_dir)
    except UsageError as error:
        if is_first() or getattr(error, "unheard", False):
            raise
        raise SystemExit(1) from None  # of several processes one speaks
    if not is_first():
        return
    result = run.result()
    tested = f"{result.images['test']:,} images of {result.classes['test']:,} classes" if result.images else ""
    print_metrics(result.metrics, ", ".join(filter(None, ["test", result.title, tested])))
    if result.advice:
        click.echo(result.advice)
    click.echo(f"run: {run.path.resolve()}")


def _trained(settings: dict[str, Any], preset: str | None, run_dir: Path | None) -> Run:
    from vptsp.data.batch_fits import require_classes
    from vptsp.data.locate import place_of
    from vptsp.project import placed
    from vptsp.runs.run import Run
    from vptsp.settings.config import make_config

    config = make_config(settings, preset=preset)
    if surroundings() is None:  # processes that torchrun has started look at this together
        place_of(config)
        require_classes(config)
        if run_dir:
            Run(placed(run_dir)).require_free()

    from vptsp.runs.progress import reading  # only now is there something to train

    if is_first():
        click.echo(reading(config))

    from vptsp.training.loop import train  # imports torch

    return train(config, run_dir)


def _queued(
    settings: dict[str, Any], preset: str | None, run_dir: Path | None, resume: Path | None, options: tuple[str, ...]
) -> None:
    from vptsp.runs.run import Run
    from vptsp.settings.config import make_config, parse_assignments

    if resume is None and run_dir is None:
        raise UsageError("--slurm needs --run-dir, by which a job that is begun again finds what it has done")
    config = Run.open(resume).elsewhere(**settings).config if resume else make_config(settings, preset=preset)
    place = resume or run_dir
    assert place is not None, "one of them was given"

    from vptsp.training.cluster_job import submit

    job = submit(config, place, parse_assignments(options))
    click.echo(f"job {job.job_id} is in the queue; run: {place.resolve()}")


def _resumed(path: Path, given: dict[str, Any], changed_data: bool) -> Run:
    from vptsp.data.locate import place_of
    from vptsp.runs.run import Run

    run = Run.open(path).elsewhere(**given)
    if run.is_finished():
        if is_first():
            click.echo(f"{path} is finished; nothing is left to train")
        return run
    if surroundings() is None:
        place_of(run.config)

    from vptsp.training.loop import train

    return train(run_dir=path, resume=True, changed_data=changed_data, **given)
