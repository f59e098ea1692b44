"""A file of views that anybody can open: no kernel, no network, nothing beside it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from vptsp.errors import UsageError
from vptsp.files import write_text
from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import plain

_MOST_BYTES = 5_000_000  # of thumbnails in a page; images beyond show as grey tiles
_STYLE = ":root { color-scheme: light dark } body { margin: 12px; background: Canvas; color: CanvasText }"


def write_page(path: str | Path, title: str, blocks: Sequence[str]) -> Path:
    """Write views, as blocks of HTML, one below the other, and return the path; a file there is replaced as a whole.

    Raises UsageError for a path that is a directory or has another ending than .html.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise UsageError(f"{plain(path)} is not the name of a page; give a file that ends in .html")
    write_text(
        path,
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">\n<title>{html.escape(plain(title))}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style></head>\n'
        f"<body>{''.join(blocks)}</body>\n</html>\n",
    )
    return path


def pages_of(thumbnails: Thumbnails | None) -> list[Path]:
    """The first pages of thumbnails, as many as a saved page holds."""
    pages: list[Path] = []
    if thumbnails is None:
        return pages
    size = 0
    while (path := thumbnails.page_path(len(pages))).is_file() and size + path.stat().st_size <= _MOST_BYTES:
        size += path.stat().st_size
        pages.append(path)
    return pages
