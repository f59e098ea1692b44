"""Where a file of the repository stands in the site, and the links of a page written anew for that."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
ELSEWHERE = {  # pages that do not lie in docs/
    "ARCHITECTURE.md": "explanation/architecture.md",
    "CONTRIBUTING.md": "reference/contributing.md",
    "CHANGELOG.md": "reference/changelog.md",
    "README.md": "index.md",
}
_FENCED_OR_LINK = re.compile(
    r"^(?P<fence>`{3,})[^\n]*\n.*?^(?P=fence)[ \t]*$"
    r"|(?P<picture>!?)\[(?P<words>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)",
    re.S | re.M,
)


def place(path: str) -> str | None:
    """The page of the site, as its source's name, for a path in the repository; none where there is none."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    at = PurePosixPath(path)
    if at.parts[:1] == ("notebooks",):
        return f"tutorials/{at.stem}.md" if at.suffix == ".ipynb" else "tutorials/index.md"
    return str(at.relative_to("docs")) if at.is_relative_to("docs") else None


def module(path: str) -> str | None:
    """The module that a path in the repository holds; none where it is no Python."""
    at = PurePosixPath(path)
    for folder, package in (("vptsp", "vptsp"), ("widgets/vptsp_widgets", "vptsp_widgets")):
        if at.is_relative_to(folder) and at.suffix in (".py", ""):
            inside = at.relative_to(folder).with_suffix("")
            return ".".join([package, *(part for part in inside.parts if part != "__init__")])
    return None


def moved_links(text: str, was: str, now: str) -> str:
    """A page's text with its links as they are for one that stood at ``was`` in the repository and is ``now`` a page.

    Links out of the site's world (a licence, a test) become plain text: a page that is read offline has no repository.
    """

    def moved(match: re.Match[str]) -> str:
        picture, words, target = match["picture"], match["words"], match["target"]
        if "://" in target or target.startswith(("#", "mailto:")):
            return match[0]
        path, _, anchor = target.partition("#")
        found = os.path.normpath(os.path.join(os.path.dirname(was), path)).replace(os.sep, "/")
        if (name := module(found)) is not None:
            return f"{{py:mod}}`{words.replace('`', '')} <{name}>`"  # its place in the page of its room
        if (page := place(found)) is None:
            return words
        link = os.path.relpath(page, os.path.dirname(now) or ".").replace(os.sep, "/")
        return f"{picture}[{words}]({link}{'#' * bool(anchor)}{anchor})"

    # fenced blocks, of however many backticks, are left alone
    return _FENCED_OR_LINK.sub(lambda match: match[0] if match["fence"] else moved(match), text)
