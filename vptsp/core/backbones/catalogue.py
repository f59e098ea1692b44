"""What timm has: its image models by family, with what a person chooses by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import timm

from vptsp.core.backbones import ANY_MODEL, FAMILIES
from vptsp.core.backbones.bundled import NAME as BUNDLED_BACKBONE
from vptsp.core.backbones.load import family_of, outline


@dataclass(frozen=True)
class Listed:
    """A model of timm: ``parameters`` without its classifier, ``size`` height and width in pixels, ``pooling`` cls,
    mean or timm's own word, ``tags`` of its pretrained weights; ``where`` prompts enter, or why they cannot."""

    name: str
    family: str  # its name in FAMILIES
    parameters: int
    size: tuple[int, int]
    pooling: str
    tags: tuple[str, ...]
    where: str


def names(word: str = "") -> list[str]:
    """Architectures whose name contains ``word``, all without; with ``*`` and ``?`` it is a pattern."""
    pattern = word if any(sign in word for sign in "*?") else f"*{word}*"
    found: list[str] = timm.list_models(pattern)
    return sorted(found)


def counts() -> dict[str, int]:
    """How many architectures each family has, by the file of timm that they are in; a few of a file may differ."""
    owner = {module: name for name, entry in FAMILIES.items() for module in entry.load().modules}
    found = dict.fromkeys(FAMILIES, 0)
    for module in timm.list_modules():
        found[owner.get(module, ANY_MODEL)] += len(timm.list_models(module=module))
    found["plain"] += 1  # the bundled one is in a file of this package
    return found


def listed(architectures: Iterable[str]) -> Iterator[Listed]:
    """These of :func:`names`, one after the other; each is built, without memory. Those that cannot be are left out."""
    for name in architectures:
        try:
            model = outline(name)
            family = family_of(model, name)
            pooling = family.pooling(name, model, "auto")
        except Exception:  # timm needs a package that is not there, or the model gives no features
            continue
        entry = next(key for key, entry in FAMILIES.items() if entry.load() is family)
        own = str(getattr(model, "global_pool", "") or "its own")
        tags = () if name == BUNDLED_BACKBONE else tuple(t.partition(".")[2] for t in timm.list_pretrained(f"{name}.*"))
        yield Listed(
            name=name,
            family=entry,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            size=tuple(timm.data.resolve_model_data_config(model)["input_size"][-2:]),
            pooling=pooling if pooling != "own" else own if own.isidentifier() else "its own",
            tags=tuple(tag for tag in tags if tag),
            where=family.where_in(model),
        )
