"""The command line: thin, every command is a call that Python can make as well."""

from __future__ import annotations

from pathlib import Path

import click

from vptsp.cli_compare import compare
from vptsp.cli_data import data
from vptsp.cli_doctor import doctor
from vptsp.cli_notebooks import lab, notebooks
from vptsp.cli_sweep import sweep
from vptsp.config import Config, make_config, parse_assignments
from vptsp.errors import UsageError
from vptsp.presets import preset_names, preset_notes, read_preset


class _Commands(click.Group):
    """Prints errors meant for the user as one message, without a traceback."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except UsageError as error:
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt as stop:
            click.echo(str(stop) or "interrupted", err=True)
            raise SystemExit(130) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vptsp-workbench")
def main() -> None:
    """Parameter-efficient deep metric learning with visual prompts and semantic proxies."""


main.add_command(compare)
main.add_command(data)
main.add_command(doctor)
main.add_command(lab)
main.add_command(notebooks)
main.add_command(sweep)


@main.command()
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--preset", help="Settings to start from, by name or as a .toml file.")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Where the run is kept; default: a new one in runs/.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a stopped or killed run.")
def train(settings: tuple[str, ...], preset: str | None, run_dir: Path | None, resume: Path | None) -> None:
    """Train a model and score it, for example: vptsp train method=linear epochs=5"""
    from vptsp.runs import Run
    from vptsp.training import train as run_training

    if resume and (settings or preset or run_dir):
        raise UsageError("--resume goes on with the run's own settings; give no others")
    if resume:
        if Run.open(resume).is_finished():
            click.echo(f"{resume} is finished; nothing is left to train")
        run = run_training(run_dir=resume, resume=True)
    else:
        run = run_training(make_config(parse_assignments(settings), preset=preset), run_dir)
    summary = run.summary()
    _print_metrics(summary["test"][summary["selected"]], f"test, {summary['selected']} epoch")
    click.echo(f"run: {run.path}")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--checkpoint", type=click.Choice(["last", "best_val"]), help="Which epoch; default: the selected one.")
def evaluate(run: Path, checkpoint: str | None) -> None:
    """Score a run's checkpoint on its test images and refresh its stored embeddings."""
    from vptsp.evaluation import evaluate_run

    score = evaluate_run(run, checkpoint)
    sizes = ", ".join(f"{size} {name.removeprefix('num_').replace('_', ' ')}" for name, size in score.sizes.items())
    _print_metrics(score.metrics, sizes)


@main.command()
@click.option("--run-dir", type=click.Path(path_type=Path), help="Where the run is kept; default: a new one in runs/.")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
def demo(run_dir: Path | None, settings: tuple[str, ...]) -> None:
    """Train, evaluate and report on the embedded default: the notebook 01_train, run headless."""
    from vptsp.demo import run_demo

    run_demo(run_dir, parse_assignments(settings))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Write a run's report.html, which needs no network and no kernel to view."""
    from vptsp.report import write_report
    from vptsp.runs import Run

    click.echo(write_report(Run.open(run)))


@main.command(name="export")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--checkpoint", type=click.Choice(["last", "best_val"]), help="Which epoch; default: the selected one.")
def export_model(run: Path, file: Path, checkpoint: str | None) -> None:
    """Write a run's model to FILE: .safetensors for the workbench, .onnx or .pt2 for other programs."""
    from vptsp.export import export
    from vptsp.runs import Run

    click.echo(export(Run.open(run), file, checkpoint))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default="runs")
def runs(folder: Path) -> None:
    """List runs: state, test metrics, parameters, and the settings in which they differ."""
    from vptsp.runs import compare, list_runs

    found = list_runs(folder)
    if not found:
        raise UsageError(f"there are no runs in {folder}; vptsp train makes one")
    click.echo(compare(found).to_string(index=False, na_rep="-"))


@main.command()
def settings() -> None:
    """List every setting with its default and meaning."""
    for name, field in Config.model_fields.items():
        click.echo(f"{name} = {field.default!r}\n    {field.description}")


@main.command()
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the presets, or print the settings of one and the results it is expected to give."""
    if name is None:
        for preset in preset_names():
            values, expected = read_preset(preset), preset_notes(preset).get("expected", {})
            recall = f"published R@1 {100 * expected['recall_at_1']:.1f} %" if "recall_at_1" in expected else ""
            click.echo(f"{preset:<26}{values['dataset']:<14}{values.get('backbone', 'bundled'):<38}{recall}".rstrip())
        return
    for key, value in read_preset(name).items():
        click.echo(f"{key} = {value!r}")
    for title, values in preset_notes(name).items():
        click.echo(f"\n{title}:")
        for key, value in values.items():
            click.echo(f"  {key} = {value!r}")


@main.command()
def methods() -> None:
    """List the tuning methods and what each trains."""
    from vptsp.methods import METHODS

    for method in METHODS.values():
        click.echo(f"{method.name:<18}{method.title:<24}{method.summary}")


def _print_metrics(metrics: dict[str, float], title: str) -> None:
    click.echo(title)
    for name, value in metrics.items():
        if not name.startswith("num_"):
            click.echo(f"  {name:<22}{100 * value:7.2f} %")
