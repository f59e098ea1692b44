"""Things of one kind by name: losses, accumulators, families of backbones. Naming them imports none of them.

A registry knows of each entry what a person wants to read (a title, a summary, where it is from) and where it lives;
the file is imported when the entry is first used. So settings can be checked, and commands can list what there is,
without torch. Adding a thing of a known kind is a file and a line; from outside the package, :meth:`Registry.register`
decorates it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from vptsp.core.errors import ConfigError

Thing = TypeVar("Thing")
Registered = TypeVar("Registered")


@dataclass(frozen=True)
class Entry(Generic[Thing]):
    """One thing: ``title`` as the literature writes it, ``summary`` what it does, ``source`` the paper and equation."""

    name: str
    title: str
    summary: str
    source: str
    place: str = ""  # module:attribute, imported when first used
    thing: Thing | None = None

    def load(self) -> Thing:
        """The thing itself."""
        if self.thing is not None:
            return self.thing
        module, _, attribute = self.place.partition(":")
        found: Thing = getattr(import_module(module), attribute)
        return found


class Registry(Mapping[str, Entry[Thing]]):
    """Entries by name, in the order in which they were added. ``kind`` is what an error calls them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry[Thing]] = {}

    def __getitem__(self, name: str) -> Entry[Thing]:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, place: str, *, title: str, summary: str, source: str) -> None:
        """Name what lives at ``place`` (``package.module:attribute``)."""
        self._put(Entry(name, title, summary, source, place))

    def register(self, name: str, *, title: str, summary: str, source: str) -> Callable[[Registered], Registered]:
        """Name a class or function where it is defined::

        @LOSSES.register("my_loss", title="My loss", summary="what it does", source="where it is from")
        def my_loss(embeddings, labels, proxies, scale=32.0): ...
        """

        def keep(thing: Registered) -> Registered:
            entry: Entry[Any] = Entry(name, title, summary, source, thing=thing)
            self._put(entry)
            return thing

        return keep

    def load(self, name: str) -> Thing:
        """What is registered under ``name``. Raises :class:`ConfigError` that lists what there is."""
        if name not in self._entries:
            raise ConfigError(f"{self.kind} {name!r} is not known; legal: {', '.join(self._entries)}")
        return self._entries[name].load()

    def _put(self, entry: Entry[Thing]) -> None:
        before = self._entries.get(entry.name)
        again = before is not None and before.thing is not None and entry.thing is not None
        # a notebook's cell that defines a thing is run more than once: the later definition counts
        if before is not None and not (again and _name_of(before.thing) == _name_of(entry.thing)):
            raise ConfigError(f"there is a {self.kind} {entry.name!r} already ({before.title}); choose another name")
        self._entries[entry.name] = entry


def _name_of(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
