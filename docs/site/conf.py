"""Sphinx's configuration. The sources it is given are assembled by ``python docs/site``; see ``__main__.py``.

Sphinx, and not MkDocs: the docstrings are reST with roles, which only Sphinx resolves; its search index is a script, so
that a site opened as a file is searched as well; and with MyST the pages stay Markdown. Furo asks no network for
anything, has both themes, and needs no script to be read.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
sys.path.insert(0, str(HERE))

project = "VPTSP workbench"
author = "the authors of the workbench"
release = version = metadata.version("vptsp-workbench")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 4
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "VPTSP workbench"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["offline.js"]
html_extra_path = ["_extra"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
html_theme_options = {
    "light_css_variables": {
        "font-stack": _FONTS,
        "color-brand-primary": "#0b5a94",
        "color-brand-content": "#0b5a94",
        "color-foreground-muted": "#565b60",
        "color-foreground-border": "#6a6f74",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc0f5",
        "color-brand-content": "#7cc0f5",
        "color-foreground-muted": "#a8adb3",
        "color-foreground-border": "#8d9299",
    },
}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
autodoc_default_options = {"exclude-members": "__init__"}
python_use_unqualified_type_names = True
copybutton_exclude = ".linenos, .gp"
# What a docstring quotes of another library is no page of ours; what Markdown links to must be there.
suppress_warnings = ["autodoc", "ref.python", "docutils"]
