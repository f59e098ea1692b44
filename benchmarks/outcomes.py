"""What a run gives beside the frozen backbone, as it was trained and as it is selected: the table of docs/defaults.md.

Run as ``python -m benchmarks.outcomes FOLDER ["dataset=folder data_root=PATH ..." ...]``, each further argument the
settings of one data set; without any, blossoms. ``METHODS`` and ``SEEDS`` in the environment say which (``METHODS``
separated by commas). Runs are kept in FOLDER; what is there already is not trained again.

*last*: the last epoch, as training left it; *start*: the untrained model with whitened features, a candidate of the
selection; *selected*: what held-out classes chose among start, epochs and whitened embeddings. R@1 in percent on test
classes, which share none with the training; mean and standard deviation over seeds.
"""

from __future__ import annotations

import os
import re
import shlex
import statistics
import sys
from collections import Counter
from pathlib import Path

from vptsp.runs.result import RunResult
from vptsp.runs.run import Run
from vptsp.settings.config import Config, make_config, parse_assignments
from vptsp.training.loop import train

METHODS = os.environ.get("METHODS", "frozen,linear,vptsp_g").split(",")
SEEDS = range(int(os.environ.get("SEEDS", "3")))


def finished(config: Config, folder: Path) -> Run:
    """The run of this folder, trained to its end if it is not yet."""
    if (folder / "summary.json").is_file():
        return Run.open(folder)
    if (folder / "config.json").is_file():
        return train(run_dir=folder, resume=True, observer=lambda event: None)
    return train(config, folder, observer=lambda event: None)


def spread(values: list[float]) -> str:
    """Mean and standard deviation, in percent."""
    deviation = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{deviation}"


def folder_name(words: str) -> str:
    """A folder for the runs of these settings."""
    return re.sub(r"\W+", "-", words).strip("-")


def numbers(results: list[RunResult]) -> str:
    """R@1 of the last epoch, R@1 and MAP@R of what was selected, as columns."""
    found = [[result.last_metrics["recall_at_1"] for result in results]]
    found += [[result.metrics[name] for result in results] for name in ("recall_at_1", "map_at_r")]
    return "".join(f"{spread(values):>14}" for values in found)


def main(folder: Path, sets: list[str]) -> None:
    for words in sets or ["dataset=blossoms"]:
        given = parse_assignments(shlex.split(words))
        print(f"\n{words}\n{'method':<12}{'last':>14}{'selected':>14}{'MAP@R':>14}  what was selected", flush=True)
        for method in METHODS:
            results = []
            for seed in SEEDS if method != "frozen" else SEEDS[:1]:
                config = make_config(given, {"method": method, "seed": seed, "probe_images": 0})
                results.append(finished(config, folder / folder_name(words) / f"{method}-{seed}").result())
            chosen = Counter("start" if result.epoch == 0 else result.selected for result in results)
            told = ", ".join(f"{name} {count}" for name, count in chosen.items())
            print(f"{method:<12}" + numbers(results) + f"  {told}", flush=True)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("give a folder for the runs: python -m benchmarks.outcomes FOLDER [SETTINGS ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
