"""Every error sentence of the workbench, read from its source, as a page: python tests/sentences.py > docs/errors.md"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ERRORS = {
    "UsageError",
    "ConfigError",
    "DataError",
    "RunError",
    "RunInUse",
    "BackboneError",
    "TrainingError",
    "LostProcess",
    "LayoutError",
}
HOLE = "\N{HORIZONTAL ELLIPSIS}"  # stands for what a sentence fills in and has no name
_HEAD = """# What the workbench says when it refuses

Every sentence of an error, read from the source by `make errors`, and what it tells you to do. `{name}` is filled in
with what was given. A test tries each remedy: its command and options exist, its settings can be set.

"""


@dataclass(frozen=True)
class Sentence:
    """The text of an error with ``{name}`` for what is filled in, its kind, and the place of its line."""

    text: str
    kind: str
    module: str
    function: str

    @property
    def remedy(self) -> str:
        """The last part, which says what to do or what is legal; empty for a sentence of one part."""
        parts = re.split(r"; |\. (?=[A-Z])", self.text)
        return parts[-1] if len(parts) > 1 else ""

    def pattern(self) -> re.Pattern[str]:
        """What the filled-in sentence matches."""
        parts = re.split(rf"\{{[^{{}}]*\}}|{HOLE}", self.text)
        return re.compile(".*".join(map(re.escape, parts)), re.DOTALL)


def sentences() -> list[Sentence]:
    """All of them, in the order of their modules."""
    found: dict[Sentence, None] = {}
    for base, package in ((ROOT, "vptsp"), (ROOT / "widgets", "vptsp_widgets")):
        for file in sorted((base / package).rglob("*.py")):
            module = ".".join(file.relative_to(base).with_suffix("").parts)
            found |= dict.fromkeys(_of_module(module, ast.parse(file.read_text(encoding="utf-8"))))
    return list(found)


def _of_module(module: str, tree: ast.Module) -> Iterator[Sentence]:
    of_pydantic = module in ("vptsp.settings.config", "vptsp.settings.agreement")
    known = ERRORS | ({"ValueError"} if of_pydantic else set())  # which pydantic hands on
    constants = {
        target.id: _text(node.value, {})
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant | ast.JoinedStr)
    }

    def visit(node: ast.AST, function: str) -> Iterator[Sentence]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            function = node.name
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known and node.args:
            text = _text(node.args[0], constants)
            if re.search(r"[a-z]{3}", re.sub(r"\{[^{}]*\}", "", text)):
                yield Sentence(text, node.func.id, module, function)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, function)

    yield from visit(tree, "")


def _text(node: ast.expr, constants: dict[str, str]) -> str:
    """A string expression with ``{name}`` for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, constants) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, constants) + _text(node.right, constants)
    if isinstance(node, ast.Name):
        return constants.get(node.id) or f"{{{node.id}}}"
    if isinstance(node, ast.Attribute):
        return f"{{{node.attr}}}"
    return HOLE


def page() -> str:
    """The catalogue in Markdown."""
    lines, room = [_HEAD], ""
    for sentence in sentences():
        if sentence.module != room:
            room = sentence.module
            lines.append(f"\n## {room}\n\n| it says | do |\n|---|---|\n")
        says = sentence.text.removesuffix(sentence.remedy).rstrip("; .")
        lines.append(f"| {_cell(says)} | {_cell(sentence.remedy)} |\n")
    return "".join(lines)


def _cell(text: str) -> str:
    for plain, safe in (("|", "\\|"), ("<", "&lt;"), ("*", "\\*"), ("_", "\\_"), ("\n", " ")):
        text = text.replace(plain, safe)
    return text


if __name__ == "__main__":
    sys.stdout.write(page())
