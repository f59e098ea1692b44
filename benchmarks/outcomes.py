"""What a run gives beside the frozen backbone, as it was trained and as it is selected: the table of docs/defaults.md.

Run as ``python -m benchmarks.outcomes FOLDER ["dataset=folder data_root=PATH ..." ...]``, each further argument the
settings of one data set; without any, blossoms. ``METHODS`` and ``SEEDS`` in the environment say which (``METHODS``
separated by commas). Runs are kept in FOLDER; what is there already is not trained again, and runs of other settings,
as of defaults of another version, are refused.

It is printed in Markdown. *last*: the last epoch, as training left it; *selected*: what held-out classes chose among
the whitened start, the epochs and whitened embeddings; *held out*: the metric that chose it, of each seed. Percent on
test classes, which share none with the training; mean and standard deviation over seeds. Every run of the table is a
line of ``outcomes.csv`` in FOLDER, which the next table replaces.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import statistics
import sys
from collections import Counter
from pathlib import Path

import pandas as pd

from vptsp.notebooks.resolving import train_or_resume
from vptsp.runs.result import RunResult
from vptsp.runs.run import Run
from vptsp.settings.config import Config, make_config, parse_assignments

METHODS = os.environ.get("METHODS", "frozen,linear,vptsp_g").split(",")
SEEDS = range(int(os.environ.get("SEEDS", "3")))


def finished(config: Config, folder: Path) -> Run:
    """The run of this folder, trained to its end if it is not yet. RunError if the run there has other settings."""
    with contextlib.redirect_stdout(sys.stderr):  # what it says is no row of the table
        return train_or_resume(config, str(folder), lambda event: None)


def spread(values: list[float]) -> str:
    """Mean and standard deviation, in percent."""
    deviation = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{deviation}"


def folder_name(words: str) -> str:
    """A folder for the runs of these settings."""
    return re.sub(r"\W+", "-", words).strip("-")


def numbers(results: list[RunResult]) -> list[str]:
    """R@1 of the last epoch, R@1 and MAP@R of what was selected, each a cell."""
    found = [[result.last_metrics["recall_at_1"] for result in results]]
    found += [[result.metrics[name] for result in results] for name in ("recall_at_1", "map_at_r")]
    return [spread(values) for values in found]


def row(*cells: str) -> None:
    """Print a row of a table in Markdown; numbers of a cell stay on one line."""
    plain = [cell.replace("|", "\\|").replace(" ± ", "\u00a0±\u00a0") for cell in cells]
    print("|", " | ".join(plain), "|", flush=True)


def _held_out(results: list[RunResult]) -> str:
    """The metric by which each was selected; of the untrained backbone there is nothing to select."""
    return ", ".join(f"{100 * result.validation:.1f}" for result in results if result.validation is not None)


def main(folder: Path, sets: list[str]) -> None:
    row("set", "method", "last", "selected", "MAP@R", "held out", "which")
    row(*["---"] * 7)
    every = []
    for words in sets or ["dataset=blossoms"]:
        given = parse_assignments(shlex.split(words))
        for method in METHODS:
            results = []
            for seed in SEEDS if method != "frozen" else SEEDS[:1]:
                config = make_config(given, {"method": method, "seed": seed, "probe_images": 0})
                result = finished(config, folder / folder_name(words) / f"{method}-{seed}").result()
                results.append(result)
                tested = {f"last_{name}": result.last_metrics[name] for name in ("recall_at_1", "map_at_r")}
                tested |= {f"selected_{name}": result.metrics[name] for name in ("recall_at_1", "map_at_r")}
                chosen = {"held_out": result.validation, "selected": result.title}
                every.append({"set": words, "method": method, "seed": seed, **tested, **chosen})
            told = Counter("start" if result.epoch == 0 else result.selected for result in results)
            which = ", ".join(f"{name} {count}" for name, count in told.items())
            row(f"`{words}`", method, *numbers(results), _held_out(results), which)
            pd.DataFrame(every).to_csv(folder / "outcomes.csv", index=False, float_format="%.4f")


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("give a folder for the runs: python -m benchmarks.outcomes FOLDER [SETTINGS ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
