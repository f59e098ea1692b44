"""What is known of a data set before it is read: who reads it, what its folder holds, where it is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vptsp.data.counts import Counts
from vptsp.data.settings import DataConfig

if TYPE_CHECKING:
    from vptsp.data.images import Parts


@dataclass(frozen=True)
class Archive:
    """A file that its owner lets anyone download: ``makes`` is what is there afterwards, below the root."""

    url: str
    md5: str
    makes: str


@dataclass(frozen=True)
class Source:
    """A data set: ``builder`` names what reads it from ``data_root``, of which ``root`` says what it must be.

    ``builder`` is ``module:function`` below ``vptsp.data``; the function takes a configuration and the root.
    ``expected`` counts are checked on load. ``layout`` completes "data_root must hold ..."; ``where`` says where the
    files are from and on what terms. Without ``archives`` nothing can be downloaded by program.
    """

    title: str
    builder: str
    task: Literal["retrieval", "recognition", "any"] = "any"
    root: Literal["folder", "file", "optional", "none"] = "folder"
    layout: str = ""
    expected: Counts | None = None
    where: str = ""
    archives: tuple[Archive, ...] = ()

    def build(self, config: DataConfig, root: Path) -> Parts:
        """Read the set, which imports what that needs."""
        return self.function()(config, root)

    def function(self) -> Callable[[DataConfig, Path], Parts]:
        """What :attr:`builder` names."""
        module, _, name = self.builder.partition(":")
        found: Callable[[DataConfig, Path], Parts] = getattr(import_module(f"vptsp.data.{module}"), name)
        return found
