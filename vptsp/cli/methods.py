"""``vptsp methods``."""

from __future__ import annotations

import click

from vptsp.cli import layout


@click.command()
def command() -> None:
    """List the tuning methods and what each trains."""
    from vptsp.settings.methods import METHODS

    click.echo(layout.definitions((method.name, f"{method.title}: {method.summary}") for method in METHODS.values()))
