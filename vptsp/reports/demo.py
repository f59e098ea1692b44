"""The demo: the notebook ``01_train`` on the embedded default, with its progress on the terminal."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from vptsp.data.batch_fits import require_classes
from vptsp.data.locate import place_of
from vptsp.errors import UsageError
from vptsp.notebooks import run_notebook
from vptsp.project import placed
from vptsp.runs.run import RUNS, Run
from vptsp.settings.config import make_config
from vptsp.settings.methods import METHODS

_NOTEBOOK = "01_train"
_POLL_SECONDS, _SAID_SECONDS = 0.5, 30


def run_demo(run_dir: str | Path | None = None, settings: Mapping[str, Any] | None = None) -> Run:
    """Train, score and report by running the notebook headless; prints progress, result and report's path.

    ``run_dir`` none: a free ``runs/demo-N``. ``settings`` are parameters of the notebook, beside the preset demo.
    Raises :class:`UsageError` with what went wrong in the notebook.
    """
    parameters = {"preset": "demo"} | dict(settings or {})
    fields = {name: value for name, value in parameters.items() if name not in ("preset", "baselines", "projection")}
    config = make_config(fields, preset=parameters["preset"] or None)  # a wrong setting is refused at once
    place_of(config)
    require_classes(config)
    folder = placed(run_dir).resolve() if run_dir else _free_directory()
    run = Run(folder)
    if (folder / "config.json").exists():
        raise UsageError(f"{folder} already holds a run; choose another directory, or delete it")

    from vptsp.training.baselines import result_line  # imports torch: only now is there something to do

    executed = folder / f"{_NOTEBOOK}.ipynb"
    click.echo(f"running {_NOTEBOOK} into {folder}")
    with _progress(run, config.method):
        _execute(executed, parameters | {"run_dir": str(folder)})
    click.echo(result_line(run))
    if advice := run.result().advice:
        click.echo(advice)
    click.echo(f"notebook: {executed.resolve()}")
    click.echo(f"report:   {(folder / 'report.html').resolve()}")
    return run


def _execute(output: Path, parameters: Mapping[str, Any]) -> None:
    from papermill.exceptions import PapermillExecutionError  # Jupyter, which importing this package must not need

    try:
        run_notebook(_NOTEBOOK, output, parameters)
    except PapermillExecutionError as error:
        ours = {"UsageError", *(kind.__name__ for kind in UsageError.__subclasses__())}
        what = error.evalue if error.ename in ours else f"{error.ename}: {error.evalue}"
        raise UsageError(f"{what}\n(cell {error.exec_count} of {output}, which holds the whole traceback)") from None


def _free_directory() -> Path:
    number = 1
    while (folder := placed(RUNS).resolve() / f"demo-{number}").exists():
        number += 1
    return folder


# --- progress -----------------------------------------------------------------------------------------
@contextlib.contextmanager
def _progress(run: Run, method: str) -> Iterator[None]:
    """Tell the terminal where the notebook is, from what the runs write about themselves."""
    from vptsp.training.baselines import BASELINES

    stages = [(METHODS[method].title, run)]
    stages += [(METHODS[name].title, Run(run.path / "baselines" / name)) for name in BASELINES]
    finished = threading.Event()
    watcher = threading.Thread(target=_watch, args=(stages, finished), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        finished.set()
        watcher.join()


def _watch(stages: list[tuple[str, Run]], finished: threading.Event) -> None:
    live = sys.stdout.isatty()
    before: tuple[object, ...] = ()  # in a log: a line for each epoch, and each half minute
    told: set[str] = set()
    began = time.monotonic()
    while True:
        over = finished.wait(_POLL_SECONDS)
        for number, (name, run) in enumerate(stages, start=1):
            title = f"{number}/{len(stages)} {name}"
            state = run.progress()
            if not state or title in told:
                continue
            done = state["state"] == "done"
            left = _left(state)
            if live:
                click.echo(f"\r{title:<17}{_bar(state, left):<66}", nl=done)
            else:
                now = (title, state["epoch"], done, int((time.monotonic() - began) / _SAID_SECONDS))
                if before != now:
                    click.echo(f"{title}: {_epochs(state)}{left}{_loss(state)}")
                before = now
            if done:
                told.add(title)
                break  # the next one's line is its own
        if over:
            return


def _epochs(state: Mapping[str, Any]) -> str:
    """The epoch under way, as the monitor counts; after the last, what is done then."""
    if not state["steps"]:
        return "nothing to train, embedding images"
    trained = f"{state['epochs']} epoch{'s' * (state['epochs'] != 1)}"
    if state["state"] == "done":
        return f"{trained}, scored"
    if state["step"] >= state["steps"]:
        return f"{trained} done, embedding images to score them"
    return f"epoch {min(state['epoch'] + 1, state['epochs'])} of {state['epochs']}"


def _left(state: Mapping[str, Any]) -> str:
    """The time that the remaining steps take; empty where nothing is known of it."""
    left = state.get("seconds_left")
    if left is None or state["step"] >= state["steps"]:
        return ""
    return f"  {round(left) // 60}:{round(left) % 60:02d} left to train"


def _bar(state: Mapping[str, Any], left: str = "", width: int = 12) -> str:
    if not state["steps"]:
        return _epochs(state)
    filled = width * state["step"] // state["steps"]
    return f"[{'#' * filled:.<{width}}] {_epochs(state)}{left}{_loss(state) * (filled < width)}"


def _loss(state: Mapping[str, Any]) -> str:
    return f"  loss {state['loss']:.3f}" if "loss" in state else ""
