"""What a notebook's own cells call: its settings from the names it defined, and a run trained once.

The module is not called as its function is: importing it would put the module in the function's place.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vptsp.data.batch_fits import require_classes
from vptsp.errors import ConfigError, RunError
from vptsp.notebooks.cells import parameter_names
from vptsp.notebooks.notes import say_notes
from vptsp.project import placed
from vptsp.settings.config import Config, make_config

if TYPE_CHECKING:
    from vptsp.runs.progress import Observer
    from vptsp.runs.run import Run

_IPYTHON_NAMES = {"In", "Out", "exit", "quit", "open", "get_ipython", "papermill"}


def resolve(
    namespace: Mapping[str, Any], extras: Mapping[str, type], preset: str | None = None, **fixed: Any
) -> tuple[Config, dict[str, Any]]:
    """The configuration and the notebook's own settings, from the names its parameter cells defined.

    Call it with ``globals()`` in the first cell after the parameters, as often as you like: what other cells have
    defined meanwhile is no setting (:mod:`vptsp.notebooks.cells`). A configuration field that is none is as the preset
    has it. ``extras`` are the notebook's own parameters and their types; a ``run_dir`` that begins with ``runs/`` is in
    the project's. ``fixed`` are settings that the notebook decides, whatever its parameters say.

    Raises :class:`ConfigError` for names that are neither, for values of the wrong type, and for settings that cannot
    be trained with, as far as that is known before any data is read.
    """
    say_notes()
    defined = parameter_names(namespace, {*extras, *Config.model_fields})
    given = {
        name: value
        for name, value in namespace.items()
        if (_may_be_setting(name, value) if defined is None else name in defined and not name.startswith("_"))
    }
    own = {name: given.pop(name) for name in extras if name in given}
    for name, value in own.items():
        if not isinstance(value, extras[name]):
            raise ConfigError(
                f"{name}={value!r} is of type {type(value).__name__}; this notebook wants {extras[name].__name__}"
            )
    unknown = sorted(given.keys() - Config.model_fields.keys())
    if unknown:
        try:
            make_config(dict.fromkeys(unknown))
        except ConfigError as error:
            raise ConfigError(f"{error}\nThe notebook's own parameters are: {', '.join(extras)}") from None
    if own.get("run_dir"):
        own["run_dir"] = str(placed(own["run_dir"]))
    settings = {name: value for name, value in given.items() if value is not None}
    config = make_config(settings, fixed, preset=preset or own.get("preset") or None)
    require_classes(config)
    return config, own


def _may_be_setting(name: str, value: Any) -> bool:
    """Whether a name may have been meant as a setting, where nothing says which cell defined it."""
    code = (types.ModuleType, types.FunctionType, types.MethodType, type)
    return not name.startswith("_") and name not in _IPYTHON_NAMES and not isinstance(value, code)


def chosen(parameter: str, text: str, known: Iterable[str]) -> list[str]:
    """The names in a notebook's ``parameter``, separated by commas, or all ``known`` ones where it is empty.

    Raises :class:`ConfigError` for names that are not known.
    """
    every = list(known)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in every]:
        raise ConfigError(f"{parameter}={text!r}: {', '.join(unknown)} is not known; choose from {', '.join(every)}")
    return names or every


def run_to_show(run: str, fits: Callable[[Run], bool], what: str, trains: bool) -> Run | None:
    """The run that a notebook shows, or none if it is to train one; prints which, and how to have it otherwise.

    That named by ``run``, or the newest finished one under ``runs/`` that ``fits``, which is to say that has ``what``;
    none where there is no such run, or where the notebook was given settings to train with (``trains``).

    Raises :class:`~vptsp.errors.RunError` if the run that is named has not ``what``.
    """
    from vptsp.runs.run import RUNS, Run, list_runs  # late: what only starts notebooks needs no torch

    if run:
        named = Run.of(run)
        if not fits(named):
            raise RunError(f"{named.path} has no {what}; name a run that has, or none, and one is trained here")
        print(f"Shown here: {named.path.resolve()}")
        return named
    found = (run for run in reversed(list_runs()) if run.is_finished() and fits(run))
    newest = next(found, None)
    if newest is None:
        print(f"Trained here: no finished run in {placed(RUNS).resolve()} has {what}")
    elif trains:
        print(f'Trained here, by the settings above; run = "{RUNS / newest.name}" would show that one instead')
        newest = None
    else:
        print(f'Shown here: {newest.path.resolve()}, the newest run with {what}; run = "runs/NAME" shows another')
    return newest


def train_or_resume(config: Config, run_dir: str, observer: Observer | None = None) -> Run:
    """Train into ``run_dir`` (empty: a new one), go on with the unfinished run that is there, or return a finished one.

    Raises :class:`~vptsp.errors.RunError` if the run that is there has other settings.
    """
    from vptsp.runs.progress import reading
    from vptsp.runs.run import Run, require_own  # late: what only starts notebooks needs no torch

    folder = placed(run_dir) if run_dir else None
    resume = folder is not None and Run(folder).has_begun()
    if folder is not None:
        require_own(folder, config)
    if folder is not None and Run(folder).is_finished():
        print(f"{folder.resolve()} is finished: it is shown, and not trained again")
    else:
        print(reading(config), flush=True)

    from vptsp.training.loop import train

    return train(config, folder, resume=resume, observer=observer)
