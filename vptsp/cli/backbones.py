"""``vptsp backbones``."""

from __future__ import annotations

import click

_MOST = 60  # models that are built for a list


@click.command()
@click.argument("word", default="")
def command(word: str) -> None:
    """List the backbones: the families, or the models whose name contains WORD (or matches it, with * and ?).

    Of each model: parameters in millions without a classifier, image size, pooling, the tags of its pretrained weights
    (backbone=NAME.TAG) and which methods take it.
    """
    from vptsp.core.backbones import FAMILIES
    from vptsp.core.backbones.catalogue import counts, listed, names
    from vptsp.errors import BackboneError

    if not word:
        number = counts()
        for name, entry in FAMILIES.items():
            click.echo(f"{entry.title:<46}{number[name]:>5}  {entry.summary}")
        click.echo("\nvptsp backbones WORD lists models by name, for example: vptsp backbones dinov3")
        return
    found = names(word)
    if not found:
        hint = "without a word the families are listed"
        if nearest := next((word[:cut] for cut in range(len(word) - 1, 2, -1) if names(word[:cut])), None):
            hint = f"{len(names(nearest))} have {nearest!r} (vptsp backbones {nearest})"
        raise BackboneError(f"no model of timm has {word!r} in its name; {hint}")
    if len(found) > _MOST:
        near = sorted({name.split("_")[0] for name in found})
        raise BackboneError(
            f"{len(found)} models of timm have {word!r} in their names, more than the {_MOST} that are listed at once; "
            f"say more of the name (they begin with {', '.join(near[:12])})"
        )
    by_family: dict[tuple[str, str], list[str]] = {}
    for model in listed(found):
        height, width = model.size
        side = f"{height}" if height == width else f"{height},{width}"
        what = f"{model.parameters / 1e6:>8.1f} M {side:>9} px  {model.pooling:<8} {', '.join(model.tags)}"
        line = f"  {model.name:<44}{what}"
        by_family.setdefault((model.family, model.where), []).append(line.rstrip())
    for (name, where), lines in by_family.items():
        takes = "all methods" if FAMILIES.load(name).prompts else "methods without prompts and adapters (vptsp methods)"
        click.echo(f"{FAMILIES[name].title}: {takes}; {where}")
        click.echo("\n".join(lines))
