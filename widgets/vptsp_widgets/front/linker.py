"""A small linker: the ES modules that an entry needs, as one text with a function for each.

A notebook hands a browser one text, and a page without a server can import nothing. Every module becomes
``const space__camera = (() => { ...; return { Camera }; })();``, in an order in which what is imported stands first:
no name of a module can meet one of another, and names stay as they are written.

Only what this project needs is understood, and the rest refused: at the start of a line, ``import { a, b as c } from
"./x.js";`` and ``export`` before ``function``, ``class`` or ``const``; ``export default`` in an entry.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_IMPORT = re.compile(r'^import \{([^{}]*)\} from "([^"\n]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:(?:async )?function\*?|class|const) +([A-Za-z_$][\w$]*))", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_NAME = re.compile(r"([A-Za-z_$][\w$]*)(?: as ([A-Za-z_$][\w$]*))?")
_LEFT = re.compile(r"^[ \t]*(?:import|export)\b.*|\bimport(?:\s*\(|\.meta).*", re.MULTILINE)  # what nothing above took


class LinkError(Exception):
    """The modules do not fit together, or use what this linker does not know."""


@dataclass
class Module:
    """One file: what it takes from which others, what it gives, and its text without the words for both."""

    path: str
    body: str
    imports: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)  # path, [(name there, name here)]
    exports: list[str] = field(default_factory=list)

    @property
    def variable(self) -> str:
        return variable(self.path)


def variable(path: str) -> str:
    """The constant that holds a module's exports: ``space__camera`` of ``space/front/camera.js``."""
    folder, _, name = path.removesuffix(".js").rpartition("/")
    return re.sub(r"[^\w$]", "_", f"{folder.removesuffix('/front')}__{name}")


def link(entries: Iterable[str], read: Callable[[str], str]) -> str:
    """The modules that the entries need, and the entries, as statements of one scope.

    ``read`` gives the text of a path such as ``space/front/view.js``; it raises ``OSError`` or ``KeyError`` for one
    that is missing. The default export of an entry is ``<variable>.default``. Raises :class:`LinkError`.
    """
    modules: dict[str, Module] = {}  # in the order in which they must run
    entries = list(entries)
    for entry in entries:
        _visit(entry, (), read, modules)
    inner = [module for module in modules.values() if "default" in module.exports and module.path not in entries]
    if inner:
        raise LinkError(f"{inner[0].path}: only an entry may have a default export; give it a name")
    taken: dict[str, str] = {}
    for module in modules.values():
        if (other := taken.setdefault(module.variable, module.path)) != module.path:
            raise LinkError(f"{module.path} and {other} would both be called {module.variable}; rename one")
    return "\n".join(_wrapped(module) for module in modules.values())


def _visit(path: str, above: tuple[str, ...], read: Callable[[str], str], modules: dict[str, Module]) -> None:
    if path in above:
        raise LinkError(f"modules import each other in a circle: {' -> '.join([*above[above.index(path) :], path])}")
    if path in modules:
        return
    try:
        text = read(path)
    except (OSError, KeyError):
        raise LinkError(f"{above[-1] if above else 'the entry'} needs {path}, which does not exist") from None
    module = parse(path, text)
    for source, names in module.imports:
        _visit(source, (*above, path), read, modules)
        missing = [name for name, _ in names if name not in modules[source].exports]
        if missing:
            given = ", ".join(sorted(modules[source].exports)) or "nothing"
            raise LinkError(f"{path} imports {missing[0]} from {source}, which exports {given}")
    modules[path] = module


def parse(path: str, text: str) -> Module:
    """What a module takes and gives; :class:`LinkError` for statements that are not understood."""
    module = Module(path, "")

    def take(found: re.Match[str]) -> str:
        if not found[2].startswith(("./", "../")) or not found[2].endswith(".js"):
            raise LinkError(f'{path}: "{found[2]}" is no relative path to a .js file')
        source = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[2]))
        parts = [part.strip() for part in found[1].split(",")]
        names = [_NAME.fullmatch(part) for part in (parts[:-1] if not parts[-1] else parts)]
        if not all(names) or not names:
            raise LinkError(f"{path}: not understood: {' '.join(found[0].split())}")
        module.imports.append((source, [(name[1], name[2] or name[1]) for name in names if name]))
        return ""

    def give(found: re.Match[str]) -> str:
        module.exports.append(found[1])
        return ""

    body = _EXPORT.sub(give, _IMPORT.sub(take, text))
    body, defaults = _DEFAULT.subn("const $default = ", body)
    module.exports += ["default"] * defaults
    if defaults > 1 or (left := _LEFT.search(body)):
        what = "two default exports" if defaults > 1 else left[0].strip() if left else ""
        raise LinkError(
            f'{path}: not understood: {what[:100]}; legal are import {{ a, b as c }} from "./x.js"; and export before '
            "function, class or const, both at the start of a line"
        )
    module.body = body.strip("\n")
    return module


def _wrapped(module: Module) -> str:
    lines = [f"// --- {module.path}", f"const {module.variable} = (() => {{"]
    for source, names in module.imports:
        taken = ", ".join(name if name == here else f"{name}: {here}" for name, here in names)
        lines.append(f"const {{ {taken} }} = {variable(source)};")
    given = ", ".join("default: $default" if name == "default" else name for name in module.exports)
    return "\n".join([*lines, module.body, f"return {{ {given} }};", "})();"])
