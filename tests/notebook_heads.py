"""What stands at the head of each notebook, from one source: python tests/notebook_heads.py writes it into all of them.

The last paragraph of the first cell says how long the notebook takes and on what, from the notebook's own metadata; the
table of notebook 00 says the same; and the comment of a parameter that is a setting says what the setting says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from vptsp.cli.groups import choices
from vptsp.notebooks.library import Notebook, list_notebooks, notebook_table
from vptsp.settings.config import Config

LONGEST = 120  # letters of a line
MOST_NAMED = 8  # values of a setting that a comment lists
LISTED_BY = {"dataset": "vptsp data list", "method": "vptsp methods", "loss": "vptsp settings loss"}
GENERIC = {
    "dataset",
    "data_root",
    "method",
    "backbone",
    "backbone_weights",
    "loss",
    "device",
    "precision",
}  # everywhere
_PARAMETER = re.compile(r"^(\w+)(: .*?)  # (.*?)( \(none: .*\))$", re.MULTILINE)
_TAKES = re.compile(r"\n\n\*About \d+ min .*\*$", re.DOTALL)


def help_of(name: str) -> str:
    """A setting's meaning in few words: its values where they are few, else who lists them, else its description."""
    legal = choices(name)
    if name in LISTED_BY:
        others = " or pml:NAME" if name == "loss" else ""
        return f"one of {len(legal)}{others}; {LISTED_BY[name]} shows them"
    if 2 < len(legal) <= MOST_NAMED:
        return f"{', '.join(legal[:-1])} or {legal[-1]}"
    description = (Config.model_fields[name].description or "").partition("; none:")[0]
    return description


def with_help(source: str, every: bool) -> str:
    """A parameters cell whose comments are those of the settings; unless ``every``, of those that mean the same."""

    def said(match: re.Match[str]) -> str:
        name, middle, _, none = match.groups()
        known = name in Config.model_fields and (every or name in GENERIC)
        if not known:
            return match[0]
        line = f"{name}{middle}  # {help_of(name)}{none}"
        return line if len(line) <= LONGEST else f"{name}{middle}  # {re.split(r' [(]|; ', help_of(name))[0]}{none}"

    return _PARAMETER.sub(said, source)


def with_takes(source: str, notebook: Notebook) -> str:
    """The first cell with its last paragraph: time, machine, needs."""
    return f"{_TAKES.sub('', source)}\n\n*{notebook.takes}*"


def written(notebook: Notebook) -> dict[str, Any]:
    """The notebook as it has to be."""
    content: dict[str, Any] = json.loads(notebook.path.read_text(encoding="utf-8"))
    for number, cell in enumerate(content["cells"]):
        source = "".join(cell["source"])
        if number == 0:
            source = with_takes(source, notebook)
        elif "vptsp-settings" in cell["metadata"].get("tags", ()):
            source = with_help(source, every=notebook.name == "01_train")
        elif notebook.name == "00_start_here" and cell["id"] == "notebooks":
            before, rest = source.split("| notebook |", 1)
            source = before + notebook_table(".ipynb") + "\n\n" + rest.split("\n\n", 1)[1]
        cell["source"] = source.splitlines(keepends=True)
    return content


if __name__ == "__main__":
    for notebook in list_notebooks():
        text = json.dumps(written(notebook), indent=1, ensure_ascii=False)
        Path(notebook.path).write_text(text + "\n", encoding="utf-8")
