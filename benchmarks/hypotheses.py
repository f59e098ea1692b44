"""What each way to start and to train gives alone, and together, at a small equal budget: a table of docs/defaults.md.

Run as ``python -m benchmarks.hypotheses FOLDER ["dataset=folder data_root=PATH epochs=3" ...]``, each further one
the settings of one data set; without any, blossoms. ``TABLE=earlier`` in the environment starts from the defaults of
earlier versions and changes one thing of them; else each thing that they do now is left out. ``SEEDS`` says how
many seeds, ``ONLY`` which rows by their first letters (``ONLY=unit,class``). Runs are kept in FOLDER; what is there
already is not trained again, and runs of other settings are refused, so each table needs a FOLDER of its own.

Printed in Markdown, a table for each set: R@1 in percent on test classes, which share none with the training, of the
*last* epoch, then R@1 and MAP@R of what held-out classes *selected* among the whitened start, the epochs and the
whitened embeddings.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from benchmarks.outcomes import finished, folder_name, numbers, row
from vptsp.settings.config import make_config, parse_assignments

SEEDS = range(int(os.environ.get("SEEDS", "1")))
ONLY = tuple(filter(None, os.environ.get("ONLY", "").split(",")))
NOW = {  # what the defaults do, each left out
    "the defaults": "",
    "features as they are": "head_input=as_is",
    "features as they are, random head": "head_input=as_is head_init=random",
    "random head": "head_init=random",
    "parts from 8 %, mirrored": "crop_min=0.08 mirror=true",
    "all from the first step": "head_epochs=0",
    "never back": "step_back=1",
    "all from the first step, never back": "head_epochs=0 step_back=1",
    "a third of the rate": "lr=0.005",
    "biases as the rest": "bias_lr_factor=1",
    "none of these": "head_input=as_is head_init=random crop_min=0.08 mirror=true head_epochs=0 step_back=1 lr=0.005 "
    "bias_lr_factor=1",
}
BEFORE = (  # the defaults of earlier versions
    "head_input=as_is head_init=random augment_fit=none head_epochs=0 step_back=1 lr=0.005 bias_lr_factor=1 "
    "select_by=recall_at_1"
)
LOW = "lr=0.0005 lr_proxy=0.005"  # a tenth of them
START = "proxy_init=class_means proxy_length=unit unit_init=mean gru_activation=tanh"
EARLIER = {  # what was tried on them
    "the defaults": "",
    "isometric head": "head_init=isometric",
    "whitened head": "head_init=whitened",
    "proxies at class means": "proxy_init=class_means",
    "unit fusion": "proxy_length=unit",
    "GRU that starts as a mean, tanh": "unit_init=mean gru_activation=tanh",
    "a tenth of the rates": LOW,
    "larger crops": "crop_min=0.5",
    "larger crops, a tenth of the rates": f"crop_min=0.5 {LOW}",
    "prompt dropout 0.1": "prompt_dropout=0.1",
    "noise on features, 0.1": "feature_noise=0.1",
    "proxies held apart, 0.01": "anti_collapse=0.01",
    "proxies held apart, 0.1": "anti_collapse=0.1",
    "weights averaged, 0.98": "weight_average=0.98",
    "all of the start, the rates": f"head_init=isometric {START}",
    "all of the start, a tenth of the rates": f"head_init=isometric {START} {LOW}",
    "the same from a whitened head": f"head_init=whitened {START} {LOW}",
}
TABLES = {"now": (NOW, ""), "earlier": (EARLIER, BEFORE)}


def main(folder: Path, sets: list[str]) -> None:
    for words in sets or ["dataset=blossoms crop_min=0.3 epochs=3"]:
        row(f"`{words}`", "last", "selected", "MAP@R")
        row(*["---"] * 4)
        rows, base = TABLES[os.environ.get("TABLE", "now")]
        for name, settings in rows.items():
            if ONLY and not name.startswith(ONLY):
                continue
            results = []
            for seed in SEEDS:
                config = make_config(
                    parse_assignments(shlex.split(base)),
                    parse_assignments(shlex.split(words)),
                    parse_assignments(shlex.split(settings)),
                    {"seed": seed, "probe_images": 0},
                )
                own = folder / folder_name(words) / f"{folder_name(settings) or 'defaults'}-{seed}"
                results.append(finished(config, own).result())
            row(name, *numbers(results))


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("give a folder for the runs: python -m benchmarks.hypotheses FOLDER [SETTINGS ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
