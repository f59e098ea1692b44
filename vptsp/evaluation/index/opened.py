"""The index that a folder or a server holds, or that is built there, whatever its engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from vptsp.errors import ConfigError, RunError, UsageError
from vptsp.evaluation.index import table as tables
from vptsp.evaluation.index.stored import StoredIndex
from vptsp.text import plain

if TYPE_CHECKING:
    from vptsp.evaluation.index.lance import LanceIndex
    from vptsp.evaluation.index.postgres import PostgresIndex
    from vptsp.evaluation.index.sources import Images

    Opened: TypeAlias = StoredIndex | LanceIndex | PostgresIndex


def is_address(place: Any) -> bool:
    """Whether a place is a server's URL, and no folder."""
    return isinstance(place, str) and "://" in place


def open_index(place: str | Path) -> Opened:
    """The index in a folder, or at a server's URL. Raises RunError where there is none, or a damaged one."""
    if is_address(place):
        return _server(str(place)).load(str(place))
    folder = Path(place)
    if (folder / "lance.json").is_file():
        from vptsp.evaluation.index.lance import LanceIndex  # an optional package

        return LanceIndex.load(folder)
    if (folder / tables.NAME).is_file():
        return StoredIndex.load(folder)
    raise RunError(f"{folder} holds no index; vptsp index build {folder} SOURCE makes one")


def build_index(place: str | Path, images: Images, engine: str, dtype: Any = "float32", target: float = 0.95) -> Opened:
    """An index of images in a new folder, or at a server's URL.

    ``engine`` is lance, or one of :data:`~vptsp.evaluation.index.ENGINES`; of a server, exact or hnsw.
    """
    parts: dict[str, Any] = {"embeddings": images.embeddings, "ids": images.ids, "columns": images.columns}
    parts["model"] = images.model
    if (is_address(place) or engine == "lance") and dtype != "float32":
        raise ConfigError(f"a table of a server or of LanceDB holds float32, not {dtype}; leave --dtype out")
    if is_address(place):
        return _server(str(place)).build(str(place), **parts, kind=engine, target=target)
    if engine == "lance":
        from vptsp.evaluation.index.lance import LanceIndex

        return LanceIndex.build(place, **parts)
    return StoredIndex.build(place, **parts, engine=engine, dtype=dtype, target=target)


def _server(url: str) -> type[PostgresIndex]:
    from vptsp.evaluation.index.postgres import PostgresIndex
    from vptsp.evaluation.index.postgres_address import SCHEMES

    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise UsageError(
            f"{plain(scheme)}:// is no server that is known; legal: {', '.join(f'{s}://' for s in SCHEMES)}"
        )
    return PostgresIndex
