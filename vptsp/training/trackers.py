"""Also send a run's numbers to an experiment tracker, through Fabric's loggers. Never required: the run has all.

``tracker="tensorboard"`` and ``"csv"`` write into ``<run>/tracker``. Any other logger is named by its import path, for
example ``lightning.pytorch.loggers.WandbLogger``; it is made without arguments, or with the run's directory where it
takes a ``save_dir`` or ``root_dir``, and its own environment variables configure the rest.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError
from vptsp.runs.progress import Event, Observer
from vptsp.runs.run import Run
from vptsp.settings.config import Config

_KNOWN = {
    "tensorboard": "lightning_fabric.loggers.TensorBoardLogger",
    "csv": "lightning_fabric.loggers.CSVLogger",
}


def require_tracker(name: str | None) -> None:
    """Raises ConfigError for a tracker that cannot be found or lacks its package, before a run begins."""
    if name is not None:
        _find(name)


def tracked(observer: Observer, run: Run) -> Observer:
    """``observer``, and beside it the tracker of the run's configuration: settings, each epoch, the test metrics."""
    config = run.config
    if config.tracker is None:
        return observer
    logger = _make(config.tracker, run.path)

    def both(event: Event) -> None:
        observer(event)
        if event.kind == "start":
            with contextlib.suppress(NotImplementedError):  # Fabric's CSVLogger keeps metrics only
                logger.log_hyperparams(_plain(config))
        elif event.kind == "epoch":
            logger.log_metrics(_numbers(event.values), step=event.epoch)
        elif event.kind == "done":
            result = run.result()
            chosen = _numbers({**result.metrics, **result.sizes})
            logger.log_metrics({f"test/{name}": value for name, value in chosen.items()}, step=event.epoch)
            logger.finalize("success")
        elif event.kind == "stopped":
            logger.finalize("failed")

    return both


def _find(name: str) -> Callable[..., Any]:
    path = _KNOWN.get(name, name)
    module, _, attribute = path.rpartition(".")
    if not module:
        raise ConfigError(
            f"tracker={name!r} is not known; use {', '.join(_KNOWN)}, or the import path of a logger such as "
            "lightning.pytorch.loggers.WandbLogger"
        )
    try:
        if name == "tensorboard":
            import_module("tensorboard")
        found: Callable[..., Any] = getattr(import_module(module), attribute)
    except ImportError as error:
        missing = "pip install 'vptsp-workbench[trackers]'" if name == "tensorboard" else f"install {error.name}"
        raise ConfigError(f"tracker={name!r} needs a package that is not installed ({error}); {missing}") from None
    except AttributeError:
        raise ConfigError(f"tracker={name!r}: {module} has no {attribute}") from None
    return found


def _make(name: str, folder: Path) -> Any:
    make = _find(name)
    takes = inspect.signature(make).parameters
    given: dict[str, Any] = {key: str(folder) for key in ("root_dir", "save_dir") if key in takes}
    if name in _KNOWN:
        given |= {"name": "tracker", "version": ""}
    return make(**given)


def _plain(config: Config) -> dict[str, Any]:
    """Settings as trackers take them: numbers and text."""
    return {
        name: value if isinstance(value, (bool, int, float, str)) else str(value)
        for name, value in config.model_dump(mode="json").items()
    }


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}
