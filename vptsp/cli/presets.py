"""``vptsp presets``."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the presets, or print the settings of one and the results it is expected to give."""
    from vptsp.settings.presets import preset_names, preset_notes, read_preset

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
