"""What a notebook takes: the names and types of its parameters cell, and the settings it resolves.

Read from the notebook's own source, without running it, so that a batch of runs can be refused as a whole.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

from vptsp.errors import ConfigError, UsageError
from vptsp.settings.config import Config, make_config

_TYPES = {kind.__name__: kind for kind in (str, int, float, bool, list, dict, tuple)}
_NONE = type(None)


@dataclass(frozen=True)
class Parameter:
    """One name of a parameters cell. ``types`` are those it takes, none for any."""

    name: str
    default: Any
    types: tuple[type, ...]

    def typed(self, value: Any) -> Any:
        """``value`` as the notebook shall get it: whole numbers become floats where floats are wanted.

        Raises :class:`ConfigError` for another type.
        """
        if not self.types:
            return value
        if float in self.types and type(value) is int:
            return float(value)
        legal = tuple(list if kind is tuple else kind for kind in self.types)  # papermill passes lists
        if type(value) in legal:
            return value
        wanted = " or ".join("none" if kind is _NONE else kind.__name__ for kind in self.types)
        raise ConfigError(f"{self.name}={value!r} is of type {type(value).__name__}; the notebook wants {wanted}")


@dataclass(frozen=True)
class Signature:
    """The parameters of a notebook. ``resolves``: it also takes every setting of
    :class:`~vptsp.settings.config.Config`. ``content`` is a hash of its code cells, ``rooms`` what they name of this
    package (``core`` for ``from vptsp.core.model import ...``).
    """

    source: Path
    parameters: dict[str, Parameter]
    has_cell: bool
    resolves: bool
    content: str
    rooms: frozenset[str] = frozenset()

    def refuse_unknown(self, names: Mapping[str, Any]) -> None:
        """Raise :class:`~vptsp.errors.UsageError` for names that papermill would ignore."""
        if names and not self.has_cell:
            raise UsageError(f"{self.source} has no cell tagged 'parameters', so it takes no parameters")
        legal = list(dict.fromkeys([*self.parameters, *(Config.model_fields if self.resolves else ())]))
        unknown = sorted(set(names) - set(legal))
        if unknown:
            near = difflib.get_close_matches(unknown[0], legal, n=2)
            raise UsageError(
                f"{self.source.name} has no parameter {', '.join(unknown)}; it has: {', '.join(self.parameters)}"
                + (", and every field of vptsp settings" if self.resolves else "")
                + (f". Did you mean {' or '.join(near)}?" if near else "")
            )

    def check(self, given: Mapping[str, Any]) -> Checked:
        """What would be passed, after names, types and values were checked as the notebook's own cells check them.

        Raises :class:`~vptsp.errors.UsageError` with the first thing that is wrong.
        """
        self.refuse_unknown(given)
        passed: dict[str, Any] = {}
        for name, value in given.items():
            _require_plain(name, value)
            own = self.parameters.get(name)
            is_setting = self.resolves and name in Config.model_fields
            # a setting that is none is as the preset has it, and settings know their types better than annotations do
            passed[name] = value if own is None or (is_setting and value is None) else own.typed(value)
        values = {name: own.default for name, own in self.parameters.items()} | passed
        meaning = {
            name: value
            for name, value in values.items()
            if name not in self._settings and (name not in self.parameters or value != self.parameters[name].default)
        }
        if self.resolves:
            known = {name: value for name, value in values.items() if not isinstance(value, ast.expr)}
            settings = {name: value for name, value in known.items() if name in self._settings and value is not None}
            config = make_config(settings, preset=known.get("preset") or None)
            meaning |= config.model_dump(mode="json", exclude_defaults=True)
        return Checked(passed, meaning)

    @cached_property
    def _settings(self) -> frozenset[str]:
        return frozenset(Config.model_fields) if self.resolves else frozenset()


@dataclass(frozen=True)
class Checked:
    """Parameters as passed, and their ``meaning``: equal for any two that make the notebook do the same."""

    passed: dict[str, Any]
    meaning: dict[str, Any]


def read_signature(source: Path) -> Signature:
    """Read a notebook's parameters.

    Raises :class:`~vptsp.errors.UsageError` for a file that is no notebook.
    """
    code = _code_cells(source)
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    parameters = _declared(tagged[0]["source"], source) if tagged else {}
    resolves = any(_calls_resolve(cell["source"]) for cell in code)
    cells = [cell["source"] for cell in code]
    content = hashlib.sha256(json.dumps(cells).encode()).hexdigest()
    rooms = frozenset(re.findall(r"\bvptsp\.(\w+)", "\n".join(cells)))
    return Signature(source, parameters, bool(tagged), resolves, content, rooms)


def _code_cells(source: Path) -> list[dict[str, Any]]:
    """Code cells as nbformat gives them, without its seconds of imports for a notebook of the usual version 4."""
    try:
        notebook = json.loads(source.read_text(encoding="utf-8"))
        if notebook["nbformat"] != 4:
            import nbformat

            notebook = nbformat.read(source, as_version=4)
        code = [dict(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
        return [cell | {"source": "".join(cell["source"]), "metadata": cell["metadata"]} for cell in code]
    except Exception as error:  # there are a dozen ways of not being a notebook
        raise UsageError(f"{source} cannot be read as a notebook ({type(error).__name__}: {error})") from None


def _declared(text: str, source: Path) -> dict[str, Parameter]:
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        raise UsageError(f"the parameters cell of {source} is not plain Python ({error})") from None
    found: dict[str, Parameter] = {}
    for statement in statements:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            default = _literal(statement.value)
            types = _types(statement.annotation)
            types += (_NONE,) if types and default is None and _NONE not in types else ()
            found[statement.target.id] = Parameter(statement.target.id, default, types)
        elif isinstance(statement, ast.Assign):
            default = _literal(statement.value)
            types = (type(default),) if isinstance(default, (str, int, float, bool, list, dict, tuple)) else ()
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = Parameter(target.id, default, types)
    return found


def _literal(node: ast.expr) -> Any:
    """A default as a value; computed ones stay as their text, which equals no value anybody passes."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return node


def _types(annotation: ast.expr) -> tuple[type, ...]:
    """The plain types of an annotation; empty where it says more than this reads."""
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return (_NONE,)
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _types(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.Name):
        return (_TYPES[annotation.id],) if annotation.id in _TYPES else ()
    if isinstance(annotation, ast.Subscript):
        if isinstance(annotation.value, ast.Name) and annotation.value.id == "Optional":
            inner = _types(annotation.slice)
            return (*inner, _NONE) if inner else ()
        return _types(annotation.value)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        left, right = _types(annotation.left), _types(annotation.right)
        return left + right if left and right else ()
    return ()


def _calls_resolve(text: str) -> bool:
    """Whether a cell hands its names to :func:`vptsp.notebooks.resolve`."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # IPython's own syntax
        return False
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "resolve"
        for node in ast.walk(tree)
    )


def as_literal(name: str, value: Any) -> Any:
    """A parameter as a notebook's cell can hold it: text for paths, lists for tuples and arrays.

    Raises :class:`ConfigError` for what has no such form.
    """
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        value = value.tolist()
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, (list, tuple)):
        return [as_literal(name, item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_literal(name, item) for key, item in value.items()}
    _require_plain(name, value)
    return value


def _require_plain(name: str, value: Any) -> None:
    """Refuse what a notebook's cell cannot hold as a literal."""
    if isinstance(value, (list, tuple)):
        for item in value:
            _require_plain(name, item)
    elif isinstance(value, dict):
        for item in value.values():
            _require_plain(name, item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name}={value!r} is not a finite number")
    elif not isinstance(value, (str, int, float, bool, _NONE)):
        raise ConfigError(f"{name}={value!r} is of type {type(value).__name__}; pass numbers, text, lists or none")
