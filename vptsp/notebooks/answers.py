"""What the cells of exercises find, hidden until the reader asks: "Run all" must not give the answers away."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager

_BOX = "margin:2px 0;padding:4px 10px;border:1px solid rgba(128,128,128,.35);border-radius:6px"


@contextmanager
def answer(shown: bool) -> Iterator[None]:
    """Fold what is printed and displayed inside into a box that a click opens; ``shown``: leave it as it is.

    Outputs are folded as text and HTML. An error is raised as ever, after what was printed before it.
    """
    if shown:
        yield
        return
    from IPython.display import HTML, display  # only notebooks show
    from IPython.utils.capture import capture_output

    try:
        with capture_output() as found:
            yield
    finally:
        parts = [f"<pre>{html.escape(found.stdout)}</pre>"] if found.stdout else []
        parts += [output.data.get("text/html") or f"<pre>{html.escape(str(output))}</pre>" for output in found.outputs]
        summary = '<summary style="cursor:pointer">What this cell finds: answer first, then open</summary>'
        display(HTML(f'<details style="{_BOX}">{summary}{"".join(parts)}</details>'))
