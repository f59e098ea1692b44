"""What a run directory says at the moment, read from its files alone while another process writes them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vptsp.analysis.confusions import confused_pairs, overlapping_proxies
from vptsp.errors import RunError, explained
from vptsp.files import read_json
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshots
from vptsp.settings.tasks import TASKS, Task
from vptsp.text import plain
from vptsp_widgets.state_words import state_word

RESUMABLE = ("stopped", "killed", "failed")
MOST_PAIRS = 8
_LIVE_POINTS = 600
_NOTE = (
    "Hard negatives: images of the two classes whose most similar image of any other class is of the other one. "
    "Mistakes: those for which it is more similar than every image of their own class."
)
_COMMAND = (sys.executable, "-c", "from vptsp.cli import main; main()", "train", "--resume")
_children: dict[Path, subprocess.Popen[bytes]] = {}  # runs resumed from here, so that each is reaped


class Watch:
    """Follows one run. :meth:`look` reads what has changed; the attributes hold plain JSON values.

    ``now``: state, message, counts of epochs and steps, loss, images per second, seconds left. ``curves``: epochs with
    their loss and the validation metric of the run's task, and the losses of single steps seen while watching.
    ``confused``: class pairs of the newest snapshot. Writes nothing but ``STOP``.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.stopping = False
        self.now: dict[str, Any] = {}
        self.curves: dict[str, Any] = {"epoch": [], "loss": [], "judged": [], "title": "R@1", "live": []}
        self.confused: dict[str, Any] = {}
        self._state = "unknown"
        self._progress: dict[str, Any] = {}
        self._seen: dict[str, Any] = {}  # file -> its stamp when last read
        self._latest = 0
        self._config: dict[str, Any] = {}
        self._refused = ""  # why a process started here ended at once

    def look(self) -> None:
        """Read what has changed since the last look. Raises RunError for files that cannot be read."""
        if not (self.run.path / "config.json").is_file():
            raise RunError(f"{self.run.path} is gone or no run directory any more")
        if not self._config:
            with contextlib.suppress(RunError):  # damaged settings are no reason not to show the rest
                self._config = read_json(self.run.path / "config.json", "train again")
        self._read_state()
        if self._changed("metrics.jsonl"):
            lines = self.run.metrics()
            self.curves = {
                "epoch": [line["epoch"] for line in lines],
                "loss": [line.get("loss") for line in lines],
                "judged": [line.get(f"val_{self.task.metric}") for line in lines],
                "title": self.task.title,
                "live": self.curves["live"],
            }
            self._seen["speed"] = lines[-1].get("images_per_second") if lines else None
        self._tell()
        if self._changed("snapshots"):
            self.confused = confusions_of(self.run)

    @property
    def task(self) -> Task:
        """What the run is judged by."""
        return TASKS[self._config.get("task", "retrieval")]

    # --- the moment -----------------------------------------------------------------------------
    def _read_state(self) -> None:
        child = self._child()
        # asking whether a process holds the run takes its lock for a moment: not more often than needed, and never
        # while a process that is about to take it starts
        if self._changed("progress.json"):
            self._progress = self.run.progress()
            self._state = self.run.state()
            self._note_step()
        elif self._state == "training":
            self._state = self.run.state()
        if child is not None and self._progress.get("pid") != child.pid:
            self._state = "starting"
        elif self._state == "starting":
            self._state = self.run.state()
        if self._state not in ("training", "starting"):
            self.stopping = False
        elif self.stopping and self._state == "training":
            self._write_stop()  # a run that begins removes the STOP of its last life

    def _child(self) -> subprocess.Popen[bytes] | None:
        """The process that was started here to go on with the run, while it lives."""
        path = self.run.path.resolve()
        child = _children.get(path)
        if child is None or child.poll() is None:
            return child
        del _children[path]
        # one that never came to write its progress, because the images are gone for example
        if child.returncode and self.run.progress().get("pid") != child.pid:
            lines = (path / "log.txt").read_text(errors="replace").splitlines()
            self._refused = f"it did not go on: {lines[-1] if lines else f'exit code {child.returncode}'}"
        return None

    def _note_step(self) -> None:
        step = self._progress.get("step")
        if self._state != "training" or step is None:
            return
        if step < self._latest:  # somebody started again from an earlier checkpoint
            self.curves["live"] = [point for point in self.curves["live"] if point[0] <= self._epochs(step)]
        self._latest = step
        loss = self._progress.get("loss")
        if loss is not None:
            live = [*self.curves["live"], [self._epochs(step), loss]]
            self.curves = self.curves | {"live": live[(len(live) - 1) % 2 :: 2] if len(live) > _LIVE_POINTS else live}

    def _epochs(self, step: int) -> float:
        """A step as finished epochs."""
        return step * self._progress.get("epochs", 0) / max(1, self._progress.get("steps", 0))

    def _tell(self) -> None:
        known = self._progress
        message = self._refused or known.get("message", "")
        step, steps = known.get("step", 0), known.get("steps", 0)
        speed = known.get("images_per_second") or self._seen.get("speed")
        self.now = {
            "name": plain(self.run.name),
            "state": state_word(self._state),
            "message": plain(message, 400) if message else "",
            "epoch": known.get("epoch", 0),
            "epochs": known.get("epochs", 0),
            "step": step,
            "steps": steps,
            "loss": known.get("loss"),
            "speed": speed,
            "left": known.get("seconds_left") if self._state == "training" else None,
            "quiet": time.time() - known["updated"] if self._state == "training" and "updated" in known else None,
            "stopping": self.stopping,
            "scoring": self._state == "training" and step >= steps,
        }

    def _changed(self, name: str) -> bool:
        try:
            status = os.stat(self.run.path / name)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = None
        changed = self._seen.get(name, ()) != stamp
        self._seen[name] = stamp
        return changed and stamp is not None

    # --- what a person may ask for ----------------------------------------------------------------
    def stop(self) -> str:
        """Ask the run to stop after its current step. Returns what happens now; RunError if it cannot stop."""
        self.look()
        if self._state not in ("training", "starting"):
            name, word = plain(self.run.name), _WORDS[self._state]
            raise RunError(f"{name} is not training ({word}), so there is nothing to stop")
        if self.now["scoring"]:
            raise RunError("no step is left to train, the images are being scored; the run ends by itself")
        self.stopping = True
        self._write_stop()
        return "the run stops after its current step, saves itself, and can be resumed"

    def _write_stop(self) -> None:
        with explained(self.run.path / "STOP"):
            (self.run.path / "STOP").touch()

    def resume(self) -> str:
        """Let a process of its own go on with the run. Returns what happens now; RunError if it cannot go on."""
        self.look()
        if self._state not in RESUMABLE:
            raise RunError(
                f"{plain(self.run.name)} cannot be resumed: {_WORDS[self._state]}; "
                "only a run that was stopped, was killed or failed goes on"
            )
        path = self.run.path.resolve()
        with explained(path / "log.txt"), (path / "log.txt").open("ab") as log:
            # a session of its own: neither interrupting nor ending this kernel ends the run; unbuffered, so that the
            # last line of the log is the last thing it said
            _children[path] = subprocess.Popen(
                [*_COMMAND, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        self._state, self._refused = "starting", ""
        self._tell()
        return f"the run goes on in a process of its own; what it prints is in {plain(self.run.path / 'log.txt', 200)}"


_WORDS = {
    "unknown": "it has not begun",
    "starting": "it is starting",
    "training": "it is training",
    "done": "it is done",
    "stopped": "it was stopped",
    "killed": "it was killed",
    "failed": "it failed",
}


def confusions_of(run: Run) -> dict[str, Any]:
    """The most confused class pairs of the newest snapshot, as JSON: of probe images (train, test) and of proxies.

    ``{"epoch": 3, "groups": [{"title", "header", "rows", "note"}]}``, cells as text; empty without snapshots.
    """
    snapshots = Snapshots(run)
    if not len(snapshots):
        return {}
    newest = snapshots[snapshots.epochs[-1]]
    groups = []
    for split, embeddings in newest.embeddings.items():
        probes = newest.index.probes[split]
        names = probes.class_names
        pairs = confused_pairs(embeddings, probes.labels, MOST_PAIRS)
        rows = [
            [*_names(names, pair.first, pair.second), f"{pair.count} of {pair.images}", str(pair.mistakes)]
            for pair in pairs
        ]
        header = ["class", "confused with", "hard negatives", "mistakes"]
        title = f"{len(probes):,} {'training' if split == 'train' else 'test'} images"
        groups.append({"title": title, "header": header, "rows": rows, "note": _NOTE})
    if newest.fused is not None:
        overlap = overlapping_proxies(newest.fused, MOST_PAIRS)
        names = newest.index.class_names
        rows = [[*_names(names, pair.first, pair.second), f"{pair.cosine:.3f}"] for pair in overlap]
        header = ["class", "close to", "cosine of proxies"]
        groups.append({"title": "proxies", "header": header, "rows": rows, "note": "The fused proxies of the classes."})
    return {"epoch": newest.epoch, "groups": groups}


def _names(names: Sequence[str], first: int, second: int) -> tuple[str, str]:
    return plain(names[first]), plain(names[second])
