"""The reference pages that are made from the package: settings, names in registries, presets, commands, files, API."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import types
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    cells = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in cells)


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


# --- settings -----------------------------------------------------------------------------------------
def settings_page() -> str:
    """Every field of the configuration, in its groups."""
    from vptsp.cli.groups import choices, groups
    from vptsp.settings.config import Config

    parts = [
        "# Settings",
        f"A run is one checked configuration of {len(Config.model_fields)} settings, given by name: as `key=value` on "
        "the command line, as keywords in Python, as parameters of a notebook. `vptsp settings WORD` finds them in a "
        "terminal. An unknown name or an impossible value is refused before anything is written.",
    ]
    for group, names in groups().items():
        rows = []
        for name in names:
            field = Config.model_fields[name]
            legal = choices(name)
            kind = (
                ", ".join(f"`{value}`" for value in legal) if 0 < len(legal) <= 24 else f"`{_kind(field.annotation)}`"
            )
            rows.append((f"`{name}`", f"`{field.default!r}`", kind, field.description or ""))
        parts += [f"## {group[0].upper()}{group[1:]}", table(("name", "default", "takes", "meaning"), rows)]
    return "\n\n".join(parts) + "\n"


def published_settings() -> str:
    """The settings whose meaning names the published code, as a table."""
    from vptsp.settings.config import Config

    said = {name: field for name, field in Config.model_fields.items() if "published" in (field.description or "")}
    rows = ((f"`{name}`", f"`{field.default!r}`", field.description or "") for name, field in said.items())
    return table(("setting", "default", "meaning"), rows)


def _kind(annotation: Any) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(_kind(part) for part in get_args(annotation))
    if get_origin(annotation) is Literal:
        return "one of the listed"
    if annotation is type(None):
        return "None"
    if get_origin(annotation):
        inner = ", ".join(_kind(part) if part is not ... else "..." for part in get_args(annotation))
        return f"{get_origin(annotation).__name__}[{inner}]"
    return str(getattr(annotation, "__name__", annotation))


# --- names --------------------------------------------------------------------------------------------
def names_page() -> str:
    """What can be named: methods, losses, accumulators, families of backbones, data sets."""
    from vptsp.core import ACCUMULATORS, FAMILIES, LOSSES
    from vptsp.data.registry import DATASETS
    from vptsp.settings.methods import METHODS

    def rows(catalogue: Any) -> Iterator[tuple[str, ...]]:
        for name in catalogue:
            entry = catalogue[name]
            yield f"`{name}`", entry.title, str(getattr(entry, "summary", "")), str(getattr(entry, "source", ""))

    parts = [
        "# Methods, losses, backbones and data sets",
        "Each of these is a registry, and each entry one file and one line; [extend](../extend.md) adds others.",
    ]
    header = ("name", "title", "what it does", "source")
    for title, setting, catalogue in (
        ("Tuning methods", "method", METHODS),
        ("Losses", "loss", LOSSES),
        ("Accumulators of semantic proxies", "semantic_unit", ACCUMULATORS),
    ):
        parts += [f"## {title}", f"The setting `{setting}` takes these.", table(header, rows(catalogue))]
    families = ((f"`{name}`", FAMILIES[name].title, FAMILIES[name].summary, FAMILIES[name].source) for name in FAMILIES)
    parts += [
        "## Families of backbones",
        "Any image model of timm is a `backbone`; its family says where prompts enter.",
    ]
    parts += [table(header, families), "## Data sets"]
    sets = ((f"`{name}`", DATASETS[name].title, f"`data_root`: {DATASETS[name].root}") for name in DATASETS)
    return "\n\n".join([*parts, table(("name", "title", "what it needs"), sets)]) + "\n"


def presets_page() -> str:
    """Every preset with what it sets, and what it is expected to give where that was published."""
    from vptsp.settings.presets import preset_names, preset_notes, read_preset

    rows = []
    for name in preset_names():
        values, notes = dict(read_preset(name)), preset_notes(name).get("expected", {})
        expected = f"{100 * notes['recall_at_1']:.1f} %" if "recall_at_1" in notes else ""
        first = [f"`{values.pop(key)}`" if key in values else "" for key in ("dataset", "method")]
        rest = ", ".join(f"`{key}={value!r}`" for key, value in values.items())
        rows.append((f"`{name}`", *first, expected, rest))
    head = (
        "# Presets\n\n`vptsp train --preset NAME`, `vptsp.train(preset=NAME)`; what you give besides wins. A published "
        "preset keeps what the published code does; its `_clean` sibling follows the paper's equations.\n\n"
    )
    return head + table(("preset", "data", "method", "paper's R@1", "other settings"), rows) + "\n"


# --- command line -------------------------------------------------------------------------------------
def commands_page() -> str:
    """Every command with its arguments and options, read from click."""
    from vptsp.cli import main

    context = click.Context(main, info_name="vptsp")
    parts = ["# Command line", "`vptsp COMMAND --help` says the same in a terminal. An error is one sentence."]
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        parts += _command(command, f"vptsp {name}", 2)
    return "\n\n".join(parts) + "\n"


def _command(command: click.Command, name: str, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    yield f"{'#' * level} {name}"
    yield "```text\n" + " ".join([name, *command.collect_usage_pieces(context)]) + "\n```"
    yield inspect.cleandoc(command.help or "").replace("\b\n", "").replace("*", "\\*").replace("<", "\\<")
    rows = [record for option in command.get_params(context) if (record := option.get_help_record(context))]
    rows = [
        (f"`{words}`", text.replace("<", "\\<").replace("*", "\\*")) for words, text in rows if "--help" not in words
    ]
    if rows:
        yield table(("option", "meaning"), rows)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _command(found, f"{name} {below}", level + 1)


# --- files --------------------------------------------------------------------------------------------
def files_page(run: Path | None) -> str:
    """What a run directory holds; with a run, what is in each of its files."""
    import vptsp.runs.run

    listing = inspect.getdoc(vptsp.runs.run) or ""
    block = listing.split("::\n", 1)[1].split("\n\nWhatever")[0]
    parts = [
        "# Run directory and file formats",
        "A run is a folder of JSON and safetensors; nothing in it is ever unpickled, and each file is replaced whole, "
        "so that anything may read it while training goes on.",
        f"```text\n{inspect.cleandoc(block)}\n```",
    ]
    if run is None:
        return "\n\n".join(parts) + "\n"
    parts += [
        "## What is in each file",
        "Read from the run that notebook 01 has trained for this page. Shapes are those of that run.",
    ]
    for path in sorted(run.rglob("*")):
        where = path.relative_to(run)
        if not path.is_file() or where.parts[0] in ("baselines", "thumbnails") or len(where.parts) > 3:
            continue
        if path.suffix == ".safetensors" and not re.search(r"epoch_000[1-9]|_0*[1-9]\d*\.", path.name):
            parts += [f"### `{where}`", table(("tensor", "type", "shape"), _tensors(path))]
        elif path.suffix == ".json" and path.stat().st_size < 2_000_000:
            parts += [f"### `{where}`", table(("key", "type", "for example"), _keys(path))]
    return "\n\n".join(parts) + "\n"


def _tensors(path: Path) -> Iterator[tuple[str, str, str]]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        names = list(file.keys())
        for name in names[:40]:
            piece = file.get_slice(name)
            yield f"`{name}`", piece.get_dtype(), str(tuple(piece.get_shape()))
        if len(names) > 40:
            yield f"and {len(names) - 40} more", "", ""


def _keys(path: Path) -> Iterator[tuple[str, str, str]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        yield "", type(content).__name__, f"`{json.dumps(content)[:60]}`"
        return
    for key, value in list(content.items())[:90]:
        short = json.dumps(value, ensure_ascii=False)
        yield (
            f"`{key}`",
            type(value).__name__,
            "`" + (short if len(short) <= 60 else short[:57] + "...").replace("`", "'") + "`",
        )


# --- API ----------------------------------------------------------------------------------------------
PACKAGES = ("vptsp", "vptsp_widgets")
_SKIPPED = re.compile(r"(\.__main__|^vptsp\.moved|^vptsp_widgets\.moved|\.known_to_papermill|^vptsp\.cli(\..*)?)$")


def api_pages() -> dict[str, str]:
    """reST of a page for each package by name, with all of its modules, and ``index``."""
    modules = list(_modules())
    packages = [name for name in modules if hasattr(importlib.import_module(name), "__path__")]
    pages = {}
    for name in packages:
        lines = [f"``{name}``", "=" * (len(name) + 4), "", *_automodule(name)]
        for inside in (other for other in modules if other.rpartition(".")[0] == name and other not in packages):
            title = f"``{inside.rpartition('.')[2]}``"
            lines += ["", title, "-" * len(title), "", *_automodule(inside)]
        pages[name] = "\n".join(lines) + "\n"
    pages["index"] = (
        "API\n===\n\nEvery room with its modules and their docstrings: shapes, units, errors, sources. What begins "
        "with an underscore is left out.\n\n.. toctree::\n   :maxdepth: 1\n\n"
        + "".join(f"   {name}\n" for name in packages)
    )
    return pages


def _automodule(name: str) -> list[str]:
    # a name has its place where it is defined, not where it is named again
    return [f".. automodule:: {name}", "   :members:", "   :ignore-module-all:", "   :show-inheritance:"]


def _modules() -> Iterator[str]:
    for package in PACKAGES:
        yield package
        path = importlib.import_module(package).__path__
        for found in sorted(info.name for info in pkgutil.walk_packages(path, f"{package}.")):
            if not _SKIPPED.search(found) and not any(part.startswith("_") for part in found.split(".")):
                yield found
