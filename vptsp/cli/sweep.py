"""``vptsp sweep``: a batch of notebook runs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vptsp.cli import suggestions
from vptsp.cli.options import SETTINGS
from vptsp.errors import ConfigError, UsageError
from vptsp.project import placed

if TYPE_CHECKING:
    from vptsp.sweeps.spec import Sweep


@click.command()
@click.argument("sweep", metavar="SWEEP", shell_complete=suggestions.sweeps)
@SETTINGS
@click.option("--folder", type=click.Path(path_type=Path), help="Where the runs are kept; default: as the sweep says.")
@click.option(
    "--workers",
    type=int,
    help="Devices at once, of which a run of devices=N takes N; default: one per GPU, else per two cores.",
)
@click.option("--threads", type=int, help="Threads of each device; default: the cores divided among the workers.")
@click.option("--gpus", default="", metavar="0,1", help="GPUs, one for each worker in turn, N for a run of devices=N.")
@click.option("--dask", metavar="ADDRESS", help="Run on the workers of this Dask scheduler.")
@click.option(
    "--slurm",
    metavar="KEY=VALUE",
    multiple=True,
    help="Queue each run on a SLURM cluster, with this option of sbatch; may be repeated.",
)
@click.option("--retry-failed", is_flag=True, help="Also run again what failed by its own error.")
@click.option("--any-code", is_flag=True, help="Count runs as done that other versions of the code have done.")
@click.option("--yes", is_flag=True, help="Do not ask, however many runs there are.")
@click.option("--dry-run", is_flag=True, help="Check everything and list the runs, but start none.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, given: _list(context, given),
    help="List the sweeps that ship, and do nothing else.",
)
def command(
    sweep: str,
    settings: tuple[str, ...],
    folder: Path | None,
    workers: int | None,
    threads: int | None,
    gpus: str,
    dask: str | None,
    slurm: tuple[str, ...],
    retry_failed: bool,
    any_code: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Run a notebook many times, for example: vptsp sweep table1 epochs=3

    SWEEP is a .yaml file, the name of a sweep that ships (table1, figure3), or the folder of one that was stopped.
    Settings are parameters of every run. Runs that are done are skipped, others go on from their checkpoints.
    Ctrl-C lets running jobs write theirs; a second one kills them.
    """
    from vptsp.settings.config import parse_assignments
    from vptsp.sweeps.places import gpus_in_words, places_for
    from vptsp.sweeps.plan import make_plan
    from vptsp.sweeps.runner import choose, run_sweep

    if slurm and (dask or gpus or workers is not None):
        raise UsageError("--slurm leaves it to the cluster where runs compute; drop --dask, --gpus and --workers")
    wanted = _read(sweep).with_parameters(parse_assignments(settings))
    yes = yes or dry_run or _confirmed(wanted)
    plan = make_plan(wanted, yes)
    path = placed(folder or wanted.folder or "").absolute()
    chosen = choose(plan, path, retry_failed, any_code)
    spread = ""
    named = [gpu.strip() for gpu in gpus.split(",") if gpu.strip()]
    if dask is None and not slurm:
        places = places_for(plan, workers, threads, named)  # what finds no room is refused, by --dry-run too
        spread = gpus_in_words(places, named)
    for note in chosen.notes:
        click.echo(note)
    click.echo(f"{len(chosen.to_run)} of {len(plan.jobs)} runs to do in {path}")
    if spread:
        click.echo(spread)
    if dry_run:
        for planned, state, runs in chosen.jobs:
            click.echo(f"  {'run ' if runs else 'skip'}  {state:<11}  {planned.name}")
        return

    from rich.console import Console

    from vptsp.sweeps.terminal import summary_line, table, watching
    from vptsp.sweeps.view import overview

    console = Console()
    with _executor(dask, parse_assignments(slurm)) as executor, watching(console) as watch:
        done = run_sweep(
            plan,
            path,
            workers=workers,
            threads=threads,
            gpus=named,
            executor=executor,
            retry_failed=retry_failed,
            any_code=any_code,
            watch=watch,
        )
    view = overview(done)
    (console if console.is_terminal else Console(width=180)).print(table(view.rows))
    click.echo(f"{summary_line(view)}\nledger: {path / 'ledger.jsonl'}")
    if view.counts["queued"] or view.counts["interrupted"]:
        click.echo(f"stopped; go on with: vptsp sweep {path}", err=True)
        raise SystemExit(130)
    if view.counts["failed"] or view.counts["killed"]:
        click.echo(
            f"some runs did not finish; vptsp sweep {path} goes on with killed ones, with --retry-failed "
            "also with failed ones",
            err=True,
        )
        raise SystemExit(1)


def _list(context: click.Context, wanted: bool) -> None:
    if not wanted:
        return
    from vptsp.sweeps.spec import read_sweep, sweep_names

    for name in sweep_names():
        sweep = read_sweep(name)
        click.echo(f"{name:<20}{sweep.notebook:<24}{sweep.count()} runs")
    context.exit()


def _read(name: str) -> Sweep:
    from vptsp.sweeps.runner import as_sweep
    from vptsp.sweeps.spec import read_sweep

    return as_sweep(name) if placed(name).is_dir() else read_sweep(name)


def _confirmed(wanted: Sweep) -> bool:
    """Whether somebody at the keyboard wants as many runs as that; where there is nobody, the plan refuses them."""
    from vptsp.sweeps.plan import MANY, MOST

    count = wanted.count()
    if not MANY < count <= MOST or not sys.stdin.isatty():
        return False
    if not click.confirm(f"This is {count:,} runs. Start them?"):
        raise ConfigError(f"nothing was started; {count:,} runs are more than {MANY}")
    return True


@contextlib.contextmanager
def _executor(address: str | None, slurm: dict[str, Any]) -> Iterator[Executor | None]:
    """The workers of a Dask scheduler, the queue of a cluster, or none for this machine's own."""
    if slurm:
        from vptsp.sweeps.slurm import SlurmExecutor

        with SlurmExecutor(slurm) as queue:
            yield queue
        return
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--dask needs the package distributed: pip install 'vptsp-workbench[cluster]'") from None
    try:
        client = Client(address, timeout="30s")
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {address} ({error}); start one with: dask scheduler") from None
    with client:
        yield client.get_executor(pure=False)
