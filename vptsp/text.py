"""Names that come from outside (classes, files) as text that no page, figure or legend takes for markup."""

from __future__ import annotations

import difflib
import html
import unicodedata
from collections.abc import Iterable

_ISOLATE, _END = "\u2068", "\u2069"  # first-strong isolate: right-to-left names cannot turn what stands beside them


def plain(name: object, longest: int = 80) -> str:
    """One line of text: control characters and line breaks as spaces, too long names cut with an ellipsis."""
    text = "".join(" " if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") else sign for sign in str(name))
    text = " ".join(text.split()) or "(no name)"
    return text if len(text) <= longest else text[: longest - 1] + "…"


def meant(name: object, known: Iterable[str]) -> str:
    """`` (did you mean this or that?)`` for a name that is none of the known ones but near to some; else nothing."""
    near = difflib.get_close_matches(str(name), list(known), n=2, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def safe(name: object, longest: int = 80) -> str:
    """:func:`plain` for HTML and for plotly, which reads a few tags of it: escaped, and isolated if needed."""
    text = plain(name, longest)
    turned = any(unicodedata.bidirectional(sign) in ("R", "AL", "AN") for sign in text)
    escaped = html.escape(text).replace("&quot;", "&#34;")  # plotly knows the number, not the name
    return f"{_ISOLATE}{escaped}{_END}" if turned else escaped


def script_json(text: str) -> str:
    """JSON that cannot close the script element it stands in."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
