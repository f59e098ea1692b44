"""``vptsp presets``."""

from __future__ import annotations

import click

from vptsp.cli import layout, suggestions

_LETTERS = 80  # of a line


@click.command()
@click.argument("name", required=False, shell_complete=suggestions.presets)
def command(name: str | None) -> None:
    """List the presets, or print the settings of one and the results it is expected to give."""
    from vptsp.settings.presets import preset_names, preset_notes, read_preset

    if name is None:
        for preset in preset_names():
            values, expected = read_preset(preset), preset_notes(preset).get("expected", {})
            recall = f"paper's R@1 {100 * expected['recall_at_1']:.1f} %" if "recall_at_1" in expected else ""
            backbone = values.get("backbone", "bundled").partition(".")[0]  # the whole name is among its settings
            about = f"{values['dataset']:<11}  {backbone:<21}  {recall}".rstrip()
            if len(preset) + len(about) + 2 > _LETTERS:  # the many presets of one method name their backbones
                about = values["dataset"]
            click.echo(f"{layout.name(f'{preset:<23}')}  {about}")
        return
    for key, value in read_preset(name).items():
        click.echo(f"{key} = {value!r}")
    for title, values in preset_notes(name).items():
        click.echo(f"\n{title}:")
        for key, value in values.items():
            click.echo(f"  {key} = {value!r}")
