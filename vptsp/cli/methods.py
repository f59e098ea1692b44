"""``vptsp methods``."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """List the tuning methods and what each trains."""
    from vptsp.settings.methods import METHODS

    for method in METHODS.values():
        click.echo(f"{method.name:<18}{method.title:<24}{method.summary}")
