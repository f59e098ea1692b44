"""An executed notebook as one still page: prose, tables and pictures, no scripts and no requests.

``python -m vptsp.reports.notebook_page executed.ipynb page.html``
"""

from __future__ import annotations

import html
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from traitlets.config import Config as ExporterConfig

from vptsp.errors import UsageError
from vptsp.files import write_text
from vptsp.reports.formulas import drawn

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { font-size: 13px; overflow-x: auto; background: #8883; padding: .6rem .8rem; border-radius: 6px; }
table { border-collapse: collapse; font-size: 14px; display: block; overflow-x: auto; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #8886; text-align: left; }
img { max-width: 100%; } a.anchor-link { display: none; }
"""


def write_page(notebook: str | Path, page: str | Path) -> Path:
    """Render the outputs and the prose of an executed notebook; code is left out.

    Pictures are the still forms that every view and figure carries. Raises UsageError for a file that is no notebook.
    """
    try:
        node = nbformat.read(str(notebook), as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise UsageError(f"{notebook} cannot be read as a notebook ({error})") from None
    for cell in node.cells:
        if cell.cell_type == "markdown":
            cell.source = drawn(cell.source)
    settings = ExporterConfig()
    settings.NbConvertBase.display_data_priority = ["text/html", "image/png", "text/markdown", "text/plain"]
    exporter = HTMLExporter(config=settings, template_name="basic", exclude_input=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(node)
    first = next((cell.source for cell in node.cells if cell.cell_type == "markdown"), "")
    title = first.splitlines()[0].lstrip("# ") if first else Path(notebook).stem
    write_text(
        Path(page),
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>{body}</body></html>\n",
    )
    return Path(page)


if __name__ == "__main__":
    print(write_page(*sys.argv[1:3]))
