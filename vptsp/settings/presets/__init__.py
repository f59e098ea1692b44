"""Settings that ship with the package, as TOML files beside this one, and how a preset file is read.

A file holds settings by their names, and may hold tables that are notes and not settings: ``[published]`` with the keys
of a published configuration, ``[expected]`` with results and their source.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError
from vptsp.settings.earlier import as_recorded

NOTES = ("published", "expected")
_HERE = Path(__file__).parent  # importlib.resources would take longer to import than all presets to read


def preset_names() -> list[str]:
    """Names of the presets that ship with the package."""
    return sorted(path.stem for path in _HERE.glob("*.toml"))


def read_preset(name: str) -> dict[str, Any]:
    """Settings of a preset: a name from :func:`preset_names`, the path of a TOML file, or that of a run's config.json.

    Raises :class:`ConfigError` for a preset that does not exist and for a file that is neither.
    """
    return {key: value for key, value in _load(name).items() if key not in NOTES}


def preset_notes(name: str) -> dict[str, Any]:
    """The tables of a preset that are not settings, by name; see the module. Raises as :func:`read_preset` does."""
    return {key: value for key, value in _load(name).items() if key in NOTES}


def _load(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix in (".toml", ".json"):
        if not path.is_file():
            raise ConfigError(f"preset file {name} does not exist")
        data = path.read_bytes()
    elif name in preset_names():
        data = (_HERE / f"{name}.toml").read_bytes()
    else:
        raise ConfigError(
            f"preset {name!r} is not known; legal: {', '.join(preset_names())}, or a path to a .toml file "
            "or to a run's config.json"
        )
    try:
        return as_recorded(json.loads(data)) if path.suffix == ".json" else tomllib.loads(data.decode())
    except (ValueError, TypeError) as error:  # both kinds of decoding errors are ValueErrors
        raise ConfigError(f"preset {name} is not valid {path.suffix[1:].upper() or 'TOML'}: {error}") from None
