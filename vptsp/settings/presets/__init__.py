"""Settings that ship with the package, as TOML files beside this one, and how a preset file is read.

A file holds settings by their names, and may hold tables that are notes and not settings: ``[published]`` with the keys
of a published configuration, ``[expected]`` with results and their source. With ``defaults = "published"`` what it does
not name is as in runs of before this project had ways of its own (:data:`vptsp.settings.earlier.BEFORE`).

Where a method's presets are many and differ in a few settings, one file of ``tables/`` holds all: what they have in
common, ``[shared.<name>]`` what some of them have, and ``[presets.<preset>]`` what is its own. A file with
``siblings_of`` makes a sibling, named with ``_clean``, of each preset of another such file.
"""

from __future__ import annotations

import functools
import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError
from vptsp.settings.earlier import as_recorded
from vptsp.text import meant

NOTES = ("published", "expected")
_HERE = Path(__file__).parent  # importlib.resources would take longer to import than all presets to read


def preset_names() -> list[str]:
    """Names of the presets that ship with the package."""
    return sorted([*(path.stem for path in _HERE.glob("*.toml")), *_tabled()])


def read_preset(name: str) -> dict[str, Any]:
    """Settings of a preset: a name from :func:`preset_names`, the path of a TOML file, or that of a run's config.json.

    Raises :class:`ConfigError` for a preset that does not exist and for a file that is neither.
    """
    return {key: value for key, value in _load(name).items() if key not in NOTES}


def preset_notes(name: str) -> dict[str, Any]:
    """The tables of a preset that are not settings, by name; see the module. Raises as :func:`read_preset` does."""
    return {key: value for key, value in _load(name).items() if key in NOTES}


def about_preset(name: str) -> str:
    """What the file of a preset that ships says at its top, as one paragraph; of a sibling in a table, that table's."""
    stem = next((stem for stem in _tables() if name in _of_table(stem, _tables())), None)
    path = _HERE / f"{name}.toml" if stem is None else _HERE / "tables" / f"{stem}.toml"
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    top = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return " ".join(line.removeprefix("#").strip() for line in top)


def _load(name: str) -> dict[str, Any]:
    values = _stored(name)
    match values.pop("defaults", None):
        case None:
            return values
        case "published":
            return values | as_recorded(values)  # its own settings first, as it has them
        case other:
            raise ConfigError(
                f'preset {name}: defaults is {other!r}; legal: "published", or leave it out for the defaults of today'
            )


def _stored(name: str) -> dict[str, Any]:
    """What the file of a preset holds."""
    path = Path(name)
    if path.suffix in (".toml", ".json"):
        if not path.is_file():
            raise ConfigError(f"preset file {name} does not exist")
        data = path.read_bytes()
    elif name in _tabled():
        return dict(_tabled()[name])
    elif name in preset_names():
        data = (_HERE / f"{name}.toml").read_bytes()
    else:
        near = meant(name, preset_names())
        some = "those" if near else f"{', '.join(sorted(path.stem for path in _HERE.glob('*.toml')))} and others"
        raise ConfigError(
            f"preset {name!r} is not known{near}; legal: {some} that vptsp presets lists, or a path to a .toml file or "
            "to a run's config.json"
        )
    try:
        return as_recorded(json.loads(data)) if path.suffix == ".json" else tomllib.loads(data.decode())
    except (ValueError, TypeError) as error:  # both kinds of decoding errors are ValueErrors
        raise ConfigError(f"preset {name} is not valid {path.suffix[1:].upper() or 'TOML'}: {error}") from None


@functools.cache
def _tables() -> dict[str, dict[str, Any]]:
    """The files in ``tables/``, by their stems."""
    return {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in (_HERE / "tables").glob("*.toml")}


@functools.cache
def _tabled() -> dict[str, dict[str, Any]]:
    """The presets of the files in ``tables/``, by name."""
    files = _tables()
    found: dict[str, dict[str, Any]] = {}
    for stem in files:
        found |= _of_table(stem, files)
    return found


def _of_table(stem: str, files: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    common = dict(files[stem])
    own, shared, siblings_of = (common.pop(key, None) for key in ("presets", "shared", "siblings_of"))
    if siblings_of is not None:
        elder = _of_table(siblings_of, files)
        return {f"{name}_clean": {**rest, **common, **own.get(f"{name}_clean", {})} for name, rest in elder.items()}
    found = {}
    for name, settings in own.items():
        settings = dict(settings)
        found[name] = {**common, **shared[settings.pop("shared")], **settings}
    return found
