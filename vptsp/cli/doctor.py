"""``vptsp doctor``: whether this machine has what the workbench needs, and what to do where it has not."""

from __future__ import annotations

import click

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
def command() -> None:
    """Look at versions, device, threads, folders and disk; exit with 1 if something would not work."""
    from vptsp.doctor import run_checks

    failed = 0
    for finding in run_checks():
        failed += finding.state == "fail"
        click.echo(f"{click.style(f'{finding.state:<4}', fg=_COLOURS[finding.state])}  {finding.name}: {finding.what}")
        if finding.remedy:
            click.echo(f"      {finding.remedy}")
    if failed:
        click.echo(f"{failed} of these would stop the workbench; do what stands below each")
        raise SystemExit(1)
