"""An executed notebook as a page of the site: its prose, its code, and its outputs with their pictures as files."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

import nbformat

from vptsp.reports.formulas import drawn

_PICTURE = re.compile(r'src="data:image/(png|jpeg|webp);base64,([^"]+)"')
_FENCE = "`````````"
_KINDS = ("text/html", "image/png", "text/markdown", "text/plain")


def page_of(notebook: Path, source: Path, pictures: Path, link: str, note: str = "") -> str:
    """Markdown of an executed notebook, its words and code as they are in its ``source`` now.

    Pictures are written into a folder that the page calls ``link``. ``note`` stands below the heading: how it was run.
    """
    parts = []
    now = {cell.get("id"): cell.source for cell in nbformat.read(str(source), as_version=4).cells}
    for number, cell in enumerate(nbformat.read(str(notebook), as_version=4).cells):
        cell.source = now.get(cell.get("id"), cell.source)
        if cell.cell_type == "markdown":
            text = drawn(_without_tail(cell.source))
            if number == 0 and note:
                heading, _, rest = text.partition("\n")
                text = f"{heading}\n{rest}\n\n{note}"
            parts.append(text)
            continue
        injected = "injected-parameters" in cell.metadata.get("tags", [])
        if injected:
            parts.append("Passed here, so that the page is made in minutes:")
        parts.append(f"{_FENCE}python\n{cell.source}\n{_FENCE}")
        parts += [shown for output in cell.outputs if (shown := _output(output, pictures, link))]
    return "\n\n".join(parts) + "\n"


def _without_tail(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _output(output: nbformat.NotebookNode, pictures: Path, link: str) -> str:
    if output.output_type == "stream":
        return _text(output.text) if output.name == "stdout" and output.text.strip() else ""
    if output.output_type == "error":
        raise ValueError(f"a cell ended with {output.ename}: {output.evalue}")
    data = output.get("data", {})
    kind = next((kind for kind in _KINDS if kind in data), None)
    if kind == "text/html":
        shown = _PICTURE.sub(
            lambda match: f'loading="lazy" src="{_kept(match[2], match[1], pictures, link)}"', data[kind]
        )
        return f'{_FENCE}{{raw}} html\n<div class="nb-output" tabindex="0">{shown}</div>\n{_FENCE}'
    if kind == "image/png":
        return f"![output]({_kept(data[kind], 'png', pictures, link)})"
    if kind == "text/markdown":
        return re.sub(r"^#", "###", str(data[kind]), flags=re.M)  # below the headings of the notebook
    return _text(data[kind]) if kind else ""


def _text(text: str) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return f'{_FENCE}{{raw}} html\n<pre class="nb-output" tabindex="0">{html.escape(text.rstrip())}</pre>\n{_FENCE}'


def _kept(encoded: str, kind: str, pictures: Path, link: str) -> str:
    content = base64.b64decode(encoded)
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / name).write_bytes(content)
    return f"{link}/{name}"
