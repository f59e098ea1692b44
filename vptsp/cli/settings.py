"""``vptsp settings``."""

from __future__ import annotations

import difflib

import click

from vptsp.cli import layout
from vptsp.errors import UsageError


@click.command()
@click.argument("word", required=False)
def command(word: str | None) -> None:
    """List every setting with its default and meaning.

    With WORD only those whose name, meaning or group has it, for example: vptsp settings prompt
    """
    from vptsp.cli.groups import choices, groups
    from vptsp.settings.config import Config

    shown = 0
    for group, names in groups().items():
        texts = {name: Config.model_fields[name].description or "" for name in names}
        chosen = [name for name in names if word is None or _has(word, group, name, texts[name])]
        if not chosen:
            continue
        click.echo(("\n" if shown else "") + layout.heading(group))
        for name in chosen:
            default = Config.model_fields[name].default
            click.echo(f"{layout.name(name)} = {default!r}")
            legal = choices(name)
            told = len(legal) in range(3, 9) and not all(value in texts[name] for value in legal)
            click.echo(layout.paragraph(texts[name] + (f" ({', '.join(legal)})" if told else "")))
        shown += len(chosen)
    if not shown:
        near = difflib.get_close_matches(str(word), Config.model_fields, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "vptsp settings lists all of them"
        raise UsageError(f"no setting has {word!r} in its name, meaning or group; {hint}")


def _has(word: str, *texts: str) -> bool:
    return any(word.lower() in text.lower() for text in texts)
