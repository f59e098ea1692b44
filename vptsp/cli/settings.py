"""``vptsp settings``."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """List every setting with its default and meaning."""
    from vptsp.settings.config import Config

    for name, field in Config.model_fields.items():
        click.echo(f"{name} = {field.default!r}\n    {field.description}")
