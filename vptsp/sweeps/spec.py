"""What a sweep varies: grids, parameters side by side, explicit lists, random search and seeds.

::

    notebook: 01_train              # one of the workbench's, or the path of an .ipynb
    folder: runs/sweeps/rates       # default: runs/sweeps/<name of this file>
    parameters: {preset: demo, epochs: 4}         # of every run
    grid: {method: [vptsp_m, vptsp_g], lr: [1e-3, 5e-3]}   # every combination
    zip: {num_prompts: [5, 10], num_class_prompts: [1, 3]}  # side by side
    list:                           # explicit runs, with or without names; they win over `parameters`
      linear probe: {method: linear}
      biases: {method: bias}
    random:                         # draws
      runs: 8
      seed: 0
      parameters: {lr: {loguniform: [1e-4, 1e-1]}, num_prompts: {int: [1, 20]}}
    seeds: [0, 1, 2]                # or a number: 3 is 0, 1, 2

Sections multiply. Seeds vary slowest: after a part of the night every setting has been run once.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError
from vptsp.sweeps.random_search import draw, require_distributions
from vptsp.sweeps.yaml12 import read_yaml

SWEEPS = Path("runs/sweeps")
_SHIPPED = Path(__file__).parent / "presets"
Values = dict[str, Any]
Labelled = tuple[str, Values]
Axis = list[Labelled]
Listed = Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Sweep:
    """A notebook and what varies; see the module for each section.

    Raises :class:`ConfigError` where a section is empty, of the wrong shape, or names what another one names.
    """

    notebook: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] | None = None
    zip: Mapping[str, Sequence[Any]] | None = None
    list: Listed | None = None
    random: Mapping[str, Any] | None = None
    seeds: int | Sequence[int] | None = None
    folder: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.notebook, str) or not self.notebook:
            raise ConfigError(f"notebook={self.notebook!r} is not a notebook's name or path, for example 01_train")
        if self.folder is not None and not isinstance(self.folder, (str, Path)):
            raise ConfigError(f"folder={self.folder!r} is not a path")
        _require_mapping("parameters", self.parameters, empty=True)
        varied: dict[str, str] = {}
        for section, names in self._varied().items():
            for name in names:
                if name in varied:
                    raise ConfigError(f"{name} is in {varied[name]} and in {section}; vary it in one of them")
                varied[name] = section
        hidden = [name for name in self.parameters if name in varied and name not in self._sometimes()]
        if hidden:
            raise ConfigError(
                f"{hidden[0]}={self.parameters[hidden[0]]!r} would have no effect, because "
                f"{varied[hidden[0]]} gives {hidden[0]} to every run; change it there"
            )

    def count(self) -> int:
        """Runs before equal ones are merged, without making them."""
        lengths = [len(values) for values in (self.grid or {}).values()]
        lengths += [len(next(iter(self.zip.values())))] if self.zip else []
        lengths += [len(self.list)] if self.list is not None else []
        lengths += [_random(self.random)[0]] if self.random is not None else []
        lengths += [len(_seeds(self.seeds))] if self.seeds is not None else []
        return math.prod(lengths)

    def runs(self) -> Iterator[tuple[str, Values]]:
        """A name (empty for most) and the parameters of each run."""
        for choice in itertools.product(*self._axes()):
            values: Values = dict(self.parameters)
            for _, part in choice:
                values |= part
            yield ", ".join(label for label, _ in choice if label), values

    def with_parameters(self, given: Mapping[str, Any]) -> Sweep:
        """This sweep with some parameters of every run set to others."""
        return replace(self, parameters={**self.parameters, **given})

    def as_dict(self) -> dict[str, Any]:
        """The sections that are given, as YAML has them."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}

    # --- sections as axes of one product ------------------------------------------------------
    def _axes(self) -> Iterator[Sequence[Labelled]]:
        if self.seeds is not None:
            yield [("", {"seed": seed}) for seed in _seeds(self.seeds)]
        if self.list is not None:
            yield _listed(self.list)
        if self.grid is not None:
            for name, values in self.grid.items():
                yield [("", {name: value}) for value in _values("grid", name, values)]
        if self.zip is not None:
            rows = zip(*self.zip.values(), strict=True)  # the built-in: a method does not see its class's names
            yield [("", dict(zip(self.zip, row, strict=True))) for row in rows]
        if self.random is not None:
            runs, seed, parameters = _random(self.random)
            yield [("", values) for values in draw(parameters, runs, seed)]

    def _varied(self) -> dict[str, Iterator[str] | Sequence[str]]:
        """Parameter names by the section that gives them; every section is checked on the way."""
        found: dict[str, Any] = {}
        if self.grid is not None:
            _require_mapping("grid", self.grid)
            found["grid"] = [name for name, values in self.grid.items() if _values("grid", name, values)]
        if self.zip is not None:
            _require_mapping("zip", self.zip)
            lengths = {name: len(_values("zip", name, values)) for name, values in self.zip.items()}
            if len(set(lengths.values())) > 1:
                sizes = ", ".join(f"{name} has {length}" for name, length in lengths.items())
                raise ConfigError(f"zip: lists that go side by side must be equally long; {sizes}")
            found["zip"] = sorted(lengths)
        if self.list is not None:
            found["list"] = sorted({name for _, values in _listed(self.list) for name in values})
        if self.random is not None:
            found["random"] = sorted(_random(self.random)[2])
        if self.seeds is not None:
            _seeds(self.seeds)
            found["seeds"] = ["seed"]
        return found

    def _sometimes(self) -> set[str]:
        """Names that some, not all, entries of the list give: the others take them from ``parameters``."""
        entries = [values for _, values in _listed(self.list)] if self.list is not None else []
        return {name for values in entries for name in values if not all(name in other for other in entries)}


def sweep_names() -> list[str]:
    """Names of the sweeps that ship with the package."""
    return sorted(path.stem for path in _SHIPPED.glob("*.yaml"))


def read_sweep(name: str | Path) -> Sweep:
    """A sweep from a YAML file, or one of :func:`sweep_names`. Its folder is ``runs/sweeps/<name>`` unless it says.

    Raises :class:`ConfigError` for files that are missing or cannot be understood.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    elif str(name) in sweep_names():
        text = (_SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise ConfigError(
            f"sweep {str(name)!r} is not known; pass a .yaml file, the folder of a sweep, "
            f"or one of {', '.join(sweep_names())}"
        )
    sweep = sweep_from(read_yaml(text, path), str(name))
    return sweep if sweep.folder else replace(sweep, folder=str(SWEEPS / path.stem))


def sweep_from(data: Any, name: str) -> Sweep:
    """A sweep from what YAML or JSON held; ``name`` is where it came from."""
    legal = [item.name for item in fields(Sweep)]
    if not isinstance(data, dict) or "notebook" not in data:
        raise ConfigError(f"{name} is not a sweep: it needs notebook, and may have {', '.join(legal[1:])}")
    for key in data:
        if key not in legal:
            near = difflib.get_close_matches(str(key), legal, n=1)
            hint = f"did you mean {near[0]}?" if near else f"legal: {', '.join(legal)}"
            raise ConfigError(f"{name}: {key} is not a section of a sweep; {hint}")
    # a section without anything under it is none in YAML, and an empty grid is refused rather than left out
    return Sweep(**{key: {} if value is None else value for key, value in data.items()})


def _require_mapping(section: str, value: Any, empty: bool = False) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{section}={value!r} is not a mapping from parameter names to values")
    if not value and not empty:
        raise ConfigError(f"{section} is empty, so there is nothing to run; name a parameter in it, or drop it")


def _values(section: str, name: str, values: Any) -> Sequence[Any]:
    if values is not None and not isinstance(values, (list, tuple, range)):
        raise ConfigError(f"{section}: {name}={values!r} is not a list; write [{values}], or put it under parameters")
    if not values:
        raise ConfigError(f"{section}: {name} has no values, so there is nothing to run")
    return values


def _listed(given: Any) -> Axis:
    if isinstance(given, Mapping):
        entries = [(str(label), values) for label, values in given.items()]
    elif isinstance(given, (list, tuple)):
        entries = [("", values) for values in given]
    else:
        raise ConfigError(f"list={given!r} is neither a list of parameters nor a mapping from names to them")
    if not entries:
        raise ConfigError("list is empty, so there is nothing to run; add an entry, or drop it")
    for _, values in entries:
        _require_mapping("list", {} if values is None else values, empty=True)
    return [(label, dict(values or {})) for label, values in entries]


def _random(given: Any) -> tuple[int, int, Mapping[str, Any]]:
    legal = {"runs", "seed", "parameters"}
    if not isinstance(given, Mapping) or not {"runs", "parameters"} <= set(given) <= legal:
        raise ConfigError(f"random={given!r} needs runs and parameters, and may have seed")
    runs, seed, parameters = given["runs"], given.get("seed", 0), given["parameters"]
    if type(runs) is not int or runs < 1:
        raise ConfigError(f"random: runs={runs!r} is not a number of runs; write 1 or more")
    if type(seed) is not int:
        raise ConfigError(f"random: seed={seed!r} is not a whole number")
    _require_mapping("random", parameters)
    require_distributions(parameters)
    return runs, seed, parameters


def _seeds(given: Any) -> Sequence[int]:
    seeds = range(given) if type(given) is int else given
    plain = isinstance(seeds, range) or (
        isinstance(seeds, (list, tuple)) and all(type(seed) is int and seed >= 0 for seed in seeds)
    )
    if not plain:
        raise ConfigError(f"seeds={given!r} is neither a number of seeds nor a list of whole numbers")
    if not seeds:
        raise ConfigError(f"seeds={given!r} asks for no seeds, so there is nothing to run")
    return seeds
