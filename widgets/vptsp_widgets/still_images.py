"""Thumbnails in stills: pictures that hold their own data."""

from __future__ import annotations

import html
from collections.abc import Sequence

from vptsp.runs.thumbnails import Thumbnails
from vptsp.text import plain


def pictures(thumbnails: Thumbnails | None, ids: Sequence[str]) -> list[str]:
    """Data URIs of the images; "" where there are no thumbnails."""
    return thumbnails.data_uris(ids) if thumbnails else [""] * len(ids)


def framed(source: str, name: str, word: str, border: str, below: str = "", size: int = 60) -> str:
    """A thumbnail of class ``name`` in a frame, or the name where there is none; ``word`` says what the frame means."""
    alt = html.escape(", ".join(filter(None, (plain(name), word))))
    box = f"box-sizing:border-box;width:{size}px;height:{size}px;border-radius:6px;border:{border}"
    picture = (
        f'<img src="{source}" alt="{alt}" title="{alt}" width="{size}" height="{size}" style="display:block;{box}">'
        if source
        else f'<div style="{box};font-size:10px;overflow:hidden">{html.escape(plain(name, 24))}</div>'
    )
    return picture + (f'<div style="font-size:11px;line-height:1.4">{html.escape(below)}</div>' if below else "")
