"""What the shell offers when Tab is pressed: settings and their values, presets, runs. Nothing of it imports torch."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

Items = list[CompletionItem]


def settings(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """``lr=`` for what begins so, then the values of a setting that has few."""
    from vptsp.cli.groups import choices
    from vptsp.settings.config import Config

    before = [word for word in context.params.get(parameter.name or "") or () if word != "="]
    if before and "=" not in before[-1] and "=" not in begun and before[-1] in Config.model_fields:
        key, text, lead = before[-1], begun, ""  # bash takes method=linear for three words
    else:
        key, sign, text = begun.partition("=")
        if not sign:
            found = {name: field.description or "" for name, field in Config.model_fields.items()}
            return [CompletionItem(f"{name}=", help=about) for name, about in found.items() if name.startswith(key)]
        lead = f"{key}="
    legal = choices(key) if key in Config.model_fields else []
    return [CompletionItem(lead + value) for value in legal if value.startswith(text)]


def presets(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """Names of presets; a path of one's own where none begins so."""
    from vptsp.settings.presets import preset_names

    return [CompletionItem(name) for name in preset_names() if name.startswith(begun)] or [_path(begun, "file")]


def runs(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """The project's runs as ``runs/<name>``, newest first, also by their name alone; else folders."""
    from vptsp.errors import UsageError
    from vptsp.runs.run import RUNS, list_runs

    try:
        names = [str(RUNS / run.path.name) for run in reversed(list_runs())]
    except (UsageError, OSError):
        names = []
    found = [name for name in names if name.startswith(begun) or Path(name).name.startswith(begun)]
    return [CompletionItem(name) for name in found] or [_path(begun, "dir")]


def sweeps(context: click.Context, parameter: click.Parameter, begun: str) -> Items:
    """Names of the sweeps that ship; else files and folders."""
    from vptsp.sweeps.spec import sweep_names

    return [CompletionItem(name) for name in sweep_names() if name.startswith(begun)] or [_path(begun, "file")]


def _path(begun: str, kind: str) -> CompletionItem:
    return CompletionItem(begun, type=kind)
