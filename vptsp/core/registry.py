"""Things of one kind by name: losses, accumulators, families of backbones. Naming them imports none of them.

A registry knows of each entry what a person wants to read (a title, a summary, where it is from) and where it lives;
the file is imported when the entry is first used. So settings can be checked, and commands can list what there is,
without torch. Adding a thing of a known kind is a file and a line, from inside and from outside the package; what is
defined in a notebook is decorated by :meth:`Registry.register`. docs/extend.md has a recipe for each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from vptsp.core.errors import ConfigError


@runtime_checkable
class Titled(Protocol):
    """What every entry has: a title, as a person reads it."""

    @property
    def title(self) -> str: ...


Thing = TypeVar("Thing")
Known = TypeVar("Known", bound=Titled)
Registered = TypeVar("Registered")


class Catalogue(Mapping[str, Known]):
    """Entries by name, in the order in which they were put. ``kind`` is what an error calls them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Known] = {}
        self._by: dict[str, str] = {}

    def __getitem__(self, name: str) -> Known:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: str) -> Known:
        """The entry ``name``. Raises :class:`ConfigError` that lists what there is."""
        if name not in self._entries:
            raise ConfigError(f"{self.kind} {name!r} is not known; legal: {', '.join(self._entries)}")
        return self._entries[name]

    def put(self, name: str, entry: Known, by: str = "") -> None:
        """Keep an entry. Raises :class:`ConfigError` for a name that is taken, unless ``by`` the same definition:
        a notebook's cell that defines a thing is run more than once, and then the later one counts."""
        before = self._entries.get(name)
        if before is not None and not (by and by == self._by[name]):
            raise ConfigError(f"there is a {self.kind} {name!r} already ({before.title}); choose another name")
        self._entries[name], self._by[name] = entry, by

    def remove(self, name: str) -> None:
        """Forget an entry. Raises :class:`ConfigError` that lists what there is."""
        self.find(name)
        del self._entries[name], self._by[name]


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


class Registry(Catalogue[Entry[Thing]]):
    """A catalogue of classes, functions or objects of one kind."""

    def add(self, name: str, place: str, *, title: str, summary: str, source: str) -> None:
        """Name what lives at ``place`` (``package.module:attribute``)."""
        self.put(name, Entry(name, title, summary, source, place), by=place)

    def register(self, name: str, *, title: str, summary: str, source: str) -> Callable[[Registered], Registered]:
        """Name a class or function where it is defined::

        @LOSSES.register("my_loss", title="My loss", summary="what it does", source="where it is from")
        def my_loss(embeddings, labels, proxies, scale=32.0): ...
        """

        def keep(thing: Registered) -> Registered:
            entry: Entry[Any] = Entry(name, title, summary, source, thing=thing)
            self.put(name, entry, by=name_of(thing))
            return thing

        return keep

    def load(self, name: str) -> Thing:
        """What is registered under ``name``. Raises :class:`ConfigError` that lists what there is."""
        return self.find(name).load()


def name_of(thing: Any) -> str:
    """Where a class or function is defined, which stays when its cell or file is run again."""
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
