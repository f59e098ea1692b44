"""What the runs of a comparison cost: memory of one training step, computed, and its time, as it was."""

from __future__ import annotations

from statistics import median
from typing import Any

import pandas as pd

from vptsp.analysis.comparison import Comparison
from vptsp.analysis.footprint import training_footprint
from vptsp.runs.run import Run


def costs(comparison: Comparison) -> pd.DataFrame:
    """A row per finished run: experiment, seed, run (its directory) and

    - ``step_ms``: median over epochs of the time of one step, loading included; missing for runs that train nothing.
      Of runs that shared a machine it says little; :mod:`vptsp.analysis.pace` measures in turns.
    - ``footprint``: bytes of one step, :func:`~vptsp.analysis.footprint.training_footprint`; ``activations``, part of
      it. They are the same for all seeds.
    """
    rows: list[dict[str, Any]] = []
    for experiment in comparison.experiments.values():
        memory: dict[str, int] = {}
        for found in experiment.finished.values():
            run = Run.open(found.path)
            config = run.config
            memory = memory or training_footprint(config, run.result().classes["train"])
            speeds = [line["images_per_second"] for line in run.metrics() if line.get("images_per_second")]
            rows.append(
                {
                    "experiment": experiment.name,
                    "seed": found.seed,
                    "run": str(found.path),
                    "step_ms": 1000 * median(config.batch_size / speed for speed in speeds) if speeds else None,
                    "footprint": memory["total"],
                    "activations": memory["activations"],
                }
            )
    columns = ["experiment", "seed", "run", "step_ms", "footprint", "activations"]
    return pd.DataFrame(rows, columns=columns).astype({"seed": "Int64", "step_ms": float})
