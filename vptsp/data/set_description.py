"""What is known of a data set before it is read: who reads it, what its folder holds, where it is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Required, TypedDict, TypeVar, Unpack

from vptsp.core.registry import Catalogue, name_of
from vptsp.data.published_counts import Counts
from vptsp.data.settings import DataConfig

if TYPE_CHECKING:
    from vptsp.data.image_set import Parts

Task = Literal["retrieval", "recognition", "any"]
Root = Literal["folder", "file", "optional", "none"]
Builder = Callable[[DataConfig, Path], "Parts"]
Built = TypeVar("Built", bound=Builder)


@dataclass(frozen=True)
class Archive:
    """A file that its owner lets anyone download: ``makes`` is what is there afterwards, below the root."""

    url: str
    md5: str
    makes: str


@dataclass(frozen=True)
class Source:
    """A data set: ``builder`` reads it from ``data_root``, of which ``root`` says what it must be.

    ``builder`` is a function of a configuration and the root, or the place of one, ``package.module:function``.
    ``expected`` counts are checked on load. ``layout`` completes "data_root must hold ..."; ``where`` says where the
    files are from and on what terms. Without ``archives`` nothing can be downloaded by program.
    """

    title: str
    builder: str | Builder
    task: Task = "any"
    root: Root = "folder"
    layout: str = ""
    expected: Counts | None = None
    where: str = ""
    archives: tuple[Archive, ...] = ()

    def build(self, config: DataConfig, root: Path) -> Parts:
        """Read the set, which imports what that needs."""
        return self.function()(config, root)

    def function(self) -> Builder:
        """What :attr:`builder` names."""
        if not isinstance(self.builder, str):
            return self.builder
        module, _, name = self.builder.partition(":")
        found: Builder = getattr(import_module(module), name)
        return found


class About(TypedDict, total=False):
    """What is said of a data set where it is named; see :class:`Source`."""

    title: Required[str]
    task: Task
    root: Root
    layout: str
    expected: Counts | None
    where: str
    archives: tuple[Archive, ...]


class Sources(Catalogue[Source]):
    """Data sets by name."""

    def add(self, name: str, place: str, **about: Unpack[About]) -> None:
        """Name the data set whose builder lives at ``place`` (``package.module:function``)."""
        self.put(name, Source(builder=place, **about), by=place)

    def register(self, name: str, **about: Unpack[About]) -> Callable[[Built], Built]:
        """Name a data set where its builder is defined, by decorating that."""

        def keep(builder: Built) -> Built:
            self.put(name, Source(builder=builder, **about), by=name_of(builder))
            return builder

        return keep
