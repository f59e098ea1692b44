"""``vptsp recipes``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vptsp.cli import layout, suggestions
from vptsp.errors import UsageError

if TYPE_CHECKING:
    from vptsp.runs.recipes import Recipe
    from vptsp.runs.recorded_results import Recorded


@click.command()
@click.argument("preset", required=False, shell_complete=suggestions.presets)
@click.option("--all", "every", is_flag=True, help="The cards of all presets.")
@click.option(
    "--record",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Print the line that records a finished run of PRESET; several times for several seeds.",
)
def command(preset: str | None, every: bool, record: tuple[Path, ...]) -> None:
    """Recipe cards: what a preset needs, is expected to give, and gave us.

    Without PRESET one line each, for example: vptsp recipes cub_vit_s
    """
    from vptsp.runs.recipes import recipe
    from vptsp.settings.presets import preset_names

    if record:
        if preset is None:
            raise UsageError("--record RUN records a run of a preset; name it, as in vptsp recipes demo --record RUN")
        import json

        from vptsp.runs.recorded_results import record_of

        for run in record:
            click.echo(json.dumps(record_of(run, preset), ensure_ascii=False))
    elif preset is not None:
        click.echo(_card(recipe(preset)))
    elif every:
        click.echo("\n\n".join(_card(recipe(name)) for name in preset_names()))
    else:
        click.echo(layout.heading(f"{'preset':<37} {'the paper':<17} {'measured here':<22} epoch chosen"))
        for name in preset_names():
            click.echo(_line(recipe(name)))


def _line(card: Recipe) -> str:
    """Name, what was published, what came out for us, and whether a fair split chose it."""
    from vptsp.runs.recorded_results import headline

    published = headline(card.expected).partition(",")[0] or ("per task" if card.expected else "–")
    ours = headline(card.ours[-1].metrics, card.ours[-1].spread).partition(",")[0] if card.ours else "–"
    chosen = "held out" if card.config.val_fraction else "last epoch"
    return f"{layout.name(f'{card.preset:<37}')} {published:<17} {ours:<22} {chosen}".rstrip()


def _card(card: Recipe) -> str:
    from vptsp.runs.recorded_results import headline

    parts = [layout.heading(card.preset) + f"  {card.method}"]
    if card.about:
        parts.append(layout.paragraph(card.about))
    sections: list[tuple[str, list[str]]] = [("needs", list(card.needs))]
    led = headline(card.expected)
    rest = [f"{name} {100 * value:.1f} %" for name, value in card.expected.items()]
    expected = [", ".join(rest if len(rest) > 1 or not led else [led]), card.source] if card.expected else []
    sections.append(("expected", expected or ["nothing is published for it"]))
    ours = [line for result in card.ours for line in _result(result, card.preset)]
    sections.append(("ours", ours or [f"not recorded yet; vptsp train --preset {card.preset}"]))
    sections.append(("chosen by", [card.chosen_by]))
    sections.append(("differs", list(card.differs) or ["in nothing that is known but what is said above"]))
    for title, lines in sections:
        parts.append(layout.name(title))
        parts += [layout.paragraph(line) for line in lines]
    return "\n".join(parts)


def _result(result: Recorded, preset: str) -> list[str]:
    from vptsp.runs.recorded_results import headline

    seeds = ", ".join(map(str, result.seeds))
    over = f"mean ± deviation of seeds {seeds}" if len(result.seeds) > 1 else f"seed {seeds}"
    epochs = ", ".join("last" if epoch is None else str(epoch) for epoch in result.epochs)
    return [
        f"{headline(result.metrics, result.spread)} ({over}; epochs {epochs} of {result.trained})",
        f"on {result.machine}; code {result.code}; "
        + ", ".join(f"{name} {version}" for name, version in result.versions.items()),
        result.command(preset),
    ]
