"""Parameterised notebooks: run them headless with papermill, and check the parameters they receive.

papermill itself only warns about a parameter that a notebook does not know, so that a typo would train
the default. Here names are checked twice: before a notebook starts, and by its own resolve cell.
"""

from __future__ import annotations

import logging
import os
import types
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.config import Config, make_config
from vptsp.errors import ConfigError, UsageError
from vptsp.parameters import read_signature

if TYPE_CHECKING:
    from vptsp.progress import Observer
    from vptsp.runs import Run

_IPYTHON_NAMES = {"In", "Out", "exit", "quit", "open", "get_ipython", "papermill"}


def resolve(
    namespace: Mapping[str, Any], extras: Mapping[str, type], preset: str | None = None
) -> tuple[Config, dict[str, Any]]:
    """The configuration and the notebook's own settings, from the names its parameter cells defined.

    Call it with ``globals()`` in the first cell after the parameters. A configuration field that is none
    is as the preset has it. ``extras`` are the notebook's own parameters and their types.

    Raises :class:`ConfigError` for names that are neither, and for values of the wrong type.
    """
    given = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_")
        and name not in _IPYTHON_NAMES
        and not isinstance(value, (types.ModuleType, types.FunctionType, types.MethodType, type))
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
    settings = {name: value for name, value in given.items() if value is not None}
    return make_config(settings, preset=preset or own.get("preset") or None), own


def train_or_resume(config: Config, run_dir: str, observer: Observer | None = None) -> Run:
    """Train into ``run_dir`` (empty: a new one), go on with the unfinished run that is there, or return a finished one.

    Raises :class:`~vptsp.errors.RunError` if the run that is there has other settings.
    """
    from vptsp.runs import Run  # late: what only starts notebooks needs no torch
    from vptsp.training import train
    from vptsp.trials import require_own

    resume = bool(run_dir) and (Path(run_dir) / "config.json").exists() and not Run(Path(run_dir)).came_to_nothing()
    if resume:
        require_own(Path(run_dir), config)
    return train(config, run_dir or None, resume=resume, observer=observer)


def find_notebook(name: str) -> Path:
    """A notebook by path, or one of the workbench's own by name (``01_train``)."""
    if Path(name).suffix == ".ipynb" and Path(name).is_file():
        return Path(name)
    package = Path(__file__).parent
    folders = [package.parent / "notebooks", package / "_notebooks"]  # a checkout, an installed wheel
    for folder in folders:
        if (path := folder / f"{Path(name).stem}.ipynb").is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.ipynb")})
    raise UsageError(f"notebook {name!r} does not exist; there are: {', '.join(known)}, or pass the path of an .ipynb")


def run_notebook(name: str, output: str | Path, parameters: Mapping[str, Any]) -> Path:
    """Execute a notebook headless and write the executed copy to ``output``.

    Raises :class:`~vptsp.errors.UsageError` for unknown notebooks and parameters that papermill would
    ignore, and papermill's own error, with the cell's traceback, when a cell fails.
    """
    source = find_notebook(name)
    read_signature(source).refuse_unknown(parameters)
    return execute(source, output, parameters)


def execute(source: Path, output: str | Path, parameters: Mapping[str, Any], **more: Any) -> Path:
    """Execute a notebook whose parameters were checked; ``more`` goes to papermill and its client."""
    import papermill  # pulls in Jupyter, which `import vptsp` must not

    logging.getLogger("papermill").setLevel(logging.ERROR)  # names were checked before, by more than it knows
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("VPTSP_HEADLESS")
    os.environ["VPTSP_HEADLESS"] = "1"
    try:
        papermill.execute_notebook(
            str(source),
            str(output),
            parameters=dict(parameters),
            kernel_name="python3",
            progress_bar=False,
            log_output=False,
            # widget state of live views would add megabytes to every executed notebook
            store_widget_state=False,
            coalesce_streams=True,
            extra_arguments=["--log-level=CRITICAL"],  # the kernel's chatter about its own sockets
            **more,
        )
    finally:
        if before is None:
            del os.environ["VPTSP_HEADLESS"]
        else:
            os.environ["VPTSP_HEADLESS"] = before
    return Path(output)
