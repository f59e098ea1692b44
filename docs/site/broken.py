"""Links of a built site that lead nowhere, and requests that would leave it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("video", "src")}
_NOT_LOADED = {"canonical", "index", "search", "next", "prev", "author"}  # of <link rel>


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.found: list[tuple[str, bool]] = []  # address, and whether the page loads it by itself

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        for name in ("href", "src"):
            if name in values and not (tag == "link" and values.get("rel", "") in _NOT_LOADED):
                self.found.append((values[name], (tag, name) in _LOADED))


def links(site: Path) -> list[str]:
    """Each link to a file or an anchor that is not there, and each thing that a page would load from elsewhere."""
    pages = {path: _read(path) for path in sorted(site.resolve().rglob("*.html"))}
    site = site.resolve()
    wrong = []
    for path, page in pages.items():
        for address, loaded in page.found:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if loaded and parts.scheme != "data":
                    wrong.append(f"{path.relative_to(site)} loads {address}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            known = pages[target].ids if anchor and target in pages else None
            if not target.is_file() or (
                known is not None and anchor not in known and not anchor.startswith(("story=", ":~:"))
            ):
                wrong.append(f"{path.relative_to(site)} links to {address}")
    return wrong


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page
