"""What tests ask of HTML: its tags and attributes, and whether an untrusted notebook or an offline page keeps it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# kept by JupyterLab's sanitiser in outputs of notebooks that are not trusted
KEPT_TAGS = {
    *("div", "span", "p", "b", "img", "figure", "figcaption"),
    *("table", "thead", "tbody", "tr", "th", "td", "caption"),
    *("details", "summary", "pre", "a"),
}
KEPT_ATTRIBUTES = {"style", "src", "href", "alt", "title", "width", "height"}


class Markup(HTMLParser):
    """The elements of a page, as (tag, attributes), and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def outside_references(page: str) -> list[str]:
    """Everything a browser would fetch for the page, beyond what it holds itself."""
    markup = Markup(page)
    found = [
        f"{tag} {name}={value[:60]}"
        for tag, attributes in markup.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "poster", "action") and not value.startswith(("data:", "#"))
    ]
    styles = re.findall(r"<style>(.*?)</style>", page, re.S) + [a.get("style", "") for _, a in markup.elements]
    return found + [url for style in styles for url in re.findall(r"url\((?!data:)[^)]*\)|@import[^;]*", style)]


def refused_by_sanitiser(page: str) -> list[str]:
    """Tags and attributes that JupyterLab would remove from an untrusted output."""
    refused = []
    for tag, attributes in Markup(page).elements:
        if tag not in KEPT_TAGS:
            refused.append(tag)
        refused += [f"{tag} {name}" for name in attributes if name not in KEPT_ATTRIBUTES]
    return refused
