"""What is known of a loss before it is imported: what it compares embeddings with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from vptsp.core.registry import Entry, Registered, Registry, name_of

PREFIX = "pml:"  # begins the names of pytorch-metric-learning

Needs = Literal["proxies", "pairs", "classes"]


@dataclass(frozen=True)
class LossEntry(Entry[Callable[..., Any]]):
    """A loss by name. ``needs`` is what it compares embeddings with:

    - ``proxies``: the model's, learned or fused with semantic ones;
    - ``pairs``: other images of the batch, and with cross-batch memory of the batches before;
    - ``classes``: weights of its own for every class, which are trained with it.
    """

    needs: Needs = "proxies"


class Losses(Registry[Callable[..., Any]]):
    """Losses by name; see :class:`LossEntry`."""

    def add(self, name: str, place: str, *, title: str, summary: str, source: str, needs: Needs = "proxies") -> None:
        """Name what lives at ``place`` (``package.module:attribute``)."""
        self.put(name, LossEntry(name, title, summary, source, place, needs=needs), by=place)

    def register(
        self, name: str, *, title: str, summary: str, source: str, needs: Needs = "proxies"
    ) -> Callable[[Registered], Registered]:
        """Name a function or module where it is defined; see :meth:`~vptsp.core.registry.Registry.register`."""

        def keep(thing: Registered) -> Registered:
            entry: LossEntry = LossEntry(name, title, summary, source, thing=thing, needs=needs)  # type: ignore[arg-type]
            self.put(name, entry, by=name_of(thing))
            return thing

        return keep

    def needs(self, name: str) -> Needs:
        """What the loss ``name`` compares embeddings with. Raises :class:`ConfigError` that lists what there is."""
        entry = self.find(name)
        return entry.needs if isinstance(entry, LossEntry) else "proxies"
