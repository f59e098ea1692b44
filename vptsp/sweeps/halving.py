"""Successive halving: every setting of a ladder for a few epochs, the better ones for more, one to the end.

Jamieson and Talwalkar, AISTATS 2016, arXiv 1502.07943, with ``keep`` for their eta. A stage is a sweep like any other
in a folder of its own, ``<folder>/stage-1`` and so on, so it is stopped, taken up again and spread over devices like
one. Each stage trains anew, because the cosine of the learning rate is laid over a run's epochs.

Here stands what is searched; :mod:`vptsp.sweeps.tuned` does it and says what decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError
from vptsp.project import placed
from vptsp.settings.config import Config, make_config
from vptsp.settings.methods import METHODS
from vptsp.sweeps.plan import MANY, Plan, make_plan
from vptsp.sweeps.spec import Sweep

NOTEBOOK = "01_train"
RATE_FACTORS = (0.25, 1.0, 4.0)
DECAY_FACTORS = (0.01, 1.0, 100.0)
_OF_THE_SEARCH = ("epochs", "seed", "preset", "run_dir")
# what is held out, and how it is judged: candidates that differ in it could not be compared
_JUDGES = ("select_by", "val_fraction", "recall_ks", "eval_every", "task", "dataset", "data_root")
_COUNT_EPOCHS = ("warmup_epochs", "cosine_length", "prune_after", "head_epochs")
_MAY_BE_NO_EPOCH = {"warmup_epochs", "head_epochs"}  # of all epochs
Values = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """``candidates`` settings are trained for ``epochs`` each."""

    candidates: int
    epochs: int


@dataclass(frozen=True)
class Search:
    """A search as it is to be done, all of it checked; :meth:`plan` makes a stage of it.

    ``settings`` and ``preset`` are those of every run, ``config`` what they come to, ``ladder`` the candidates.
    """

    settings: Mapping[str, Any]
    preset: str | None
    config: Config
    ladder: list[Values]
    stages: list[Stage]
    seeds: tuple[int, ...]
    folder: Path
    yes: bool = False

    @cached_property
    def first(self) -> Plan:
        """The runs of the first stage, of all candidates: planned once, for whoever checks, shows and runs it."""
        return self.plan(0, self.ladder)

    def plan(self, number: int, candidates: Sequence[Values]) -> Plan:
        """The runs of a stage, counted from 0; the labels of each are the candidates that it is of."""
        own = ("epochs", "seed", *_COUNT_EPOCHS)
        return make_plan(
            Sweep(
                NOTEBOOK,
                parameters={
                    **{name: value for name, value in self.settings.items() if name not in own},
                    "preset": self.preset or "",
                    "baselines": False,
                    "projection": "pca",
                    "epochs": self.stages[number].epochs,
                },
                list={self.told(values): {**values, **self.scaled(values, number)} for values in candidates},
                seeds=self.seeds,
                folder=str(self.place(number)),
            ),
            self.yes,
        )

    def scaled(self, values: Values, number: int) -> Values:
        """Settings that count epochs: as large a part of a stage's epochs as of the whole, a warm-up, a pruning and
        the head's own less than all of them."""
        whole, epochs = self.config.changed(**values), self.stages[number].epochs
        found = {name: getattr(whole, name) for name in _COUNT_EPOCHS}
        found = {name: value for name, value in found.items() if value or (name == "head_epochs" and value is not None)}
        if epochs < whole.epochs:
            found = {
                name: max(value * epochs // whole.epochs, name not in _MAY_BE_NO_EPOCH) for name, value in found.items()
            }
            for name in {"warmup_epochs", "prune_after", "head_epochs"} & found.keys():
                found[name] = min(found[name], epochs - 1)
            if "head_epochs" in found:  # less than each training of a method that prunes
                shortest = min(whole.changed(**found | {"epochs": epochs, "head_epochs": 0}).trainings)
                found["head_epochs"] = min(found["head_epochs"], shortest - 1)
        return found

    def place(self, number: int) -> Path:
        """The folder of a stage."""
        return self.folder / f"stage-{number + 1}"

    def told(self, values: Mapping[str, Any]) -> str:
        """A candidate by what varies: ``lr=0.005 weight_decay=0.0001``."""
        names = [name for name in values if len({repr(each[name]) for each in self.ladder}) > 1]
        return " ".join(f"{name}={values[name]}" for name in names)

    @property
    def epochs(self) -> int:
        """Epochs of all runs together, what the search costs."""
        return sum(stage.candidates * stage.epochs for stage in self.stages) * len(self.seeds)


def make_search(
    settings: Mapping[str, Any] | None = None,
    preset: str | Path | None = None,
    ladder: Mapping[str, Sequence[Any]] | None = None,
    *,
    keep: int = 3,
    seeds: int = 1,
    folder: str | Path | None = None,
    yes: bool = False,
) -> Search:
    """A search over every combination of ``ladder`` (names of settings to lists of values), checked but not begun.

    Without a ladder it is nine: the learning rates by 1/4, 1 and 4 of the configured ones, and the weight decay by
    1/100, 1 and 100. Of a stage's candidates one in ``keep`` goes on, for ``keep`` times the epochs; the last has those
    that are configured. Runs differ by ``seeds`` seeds from the configured one on.

    Raises ConfigError for a ladder of nothing, or of what cannot be trained or compared, and where nothing is held out
    by which to choose.
    """
    preset = None if preset is None else str(preset)
    config = make_config(settings or {}, preset=preset)
    given = _with_whole_tables(settings or {}, config)
    if config.epochs == 0:
        raise ConfigError("epochs=0 trains nothing, so there is nothing to tune; give 1 or more")
    if config.val_fraction == 0:
        raise ConfigError("val_fraction=0 holds nothing out by which to choose; set it above 0, for example to 0.2")
    for name, value, least, why in (
        ("keep", keep, 2, "one candidate in so many goes on from stage to stage"),
        ("seeds", seeds, 1, "each candidate has so many runs"),
    ):
        if type(value) is not int or value < least:
            raise ConfigError(f"{name}={value!r} is not a whole number of {least} or more; {why}")
    wanted = _combinations(ladder, given) if ladder else default_ladder(config)
    candidates, configs = [], dict[str, Values]()
    for each in wanted:
        candidate = make_config({**given, **each}, preset=preset)
        values = _with_whole_tables(each, candidate)
        if candidate.method == "frozen":
            raise ConfigError("method='frozen' trains nothing, so there is nothing to tune; choose another method")
        if configs.setdefault(candidate.model_dump_json(), values) is values:
            candidates.append(values)
    if len(candidates) < 2:
        raise ConfigError("one candidate leaves nothing to choose; give a setting of the ladder several values")
    least = max(1 if config.changed(**values).prunes_after is None else 2 for values in candidates)
    search = Search(
        settings={name: value for name, value in given.items() if name not in candidates[0]},
        preset=preset,
        config=config,
        ladder=candidates,
        stages=stages_of(len(candidates), config.epochs, keep, least),
        seeds=tuple(range(config.seed, config.seed + seeds)),
        folder=placed(folder or Path("runs/tuned") / f"{config.dataset}-{config.method}"),
        yes=yes,
    )
    _ = search.first  # notebook and names are as they should be
    return search


def default_ladder(config: Config) -> list[Values]:
    """Nine candidates around a configuration, which is one of them. All rates move together: what is meant is their
    ratio."""
    rates = ["lr", "lr_proxy", *(["lr_backbone"] if METHODS[config.method].tunes != "none" else [])]
    return [
        {
            **{name: _rounded(getattr(config, name) * by) for name in rates},
            "weight_decay": _rounded(config.weight_decay * decay),
        }
        for by in RATE_FACTORS
        for decay in (DECAY_FACTORS if config.weight_decay else (1.0,))
    ]


def stages_of(candidates: int, epochs: int, keep: int, least: int = 1) -> list[Stage]:
    """The stages from ``candidates`` down to one, which is trained for ``epochs``; one in ``keep`` goes on.

    No stage has less than ``least`` epochs, and none as many as the one before: it would train the same again.
    """
    counts = [candidates]
    while counts[-1] > 1:
        counts.append(max(1, counts[-1] // keep))
    last = len(counts) - 1
    found: list[Stage] = []
    for number, count in enumerate(counts):
        stage = Stage(count, max(least, math.ceil(epochs / keep ** (last - number))))
        if not found or stage.epochs > found[-1].epochs:
            found.append(stage)
    return found


def _combinations(ladder: Mapping[str, Sequence[Any]], given: Values) -> list[Values]:
    """Every combination, as a sweep's grid has them."""
    for name in ladder:
        if name in _OF_THE_SEARCH:
            raise ConfigError(f"{name} is not for the ladder: stages and seeds are the search's own; choose others")
        if name in _JUDGES:
            raise ConfigError(
                f"{name} is not for the ladder: it changes what is held out or how that is judged, so candidates could "
                "not be compared; choose others"
            )
        if name in given:
            raise ConfigError(f"{name} is in the ladder and among the settings; leave it out of one of them")
    try:
        sweep = Sweep(NOTEBOOK, grid=ladder)
    except ConfigError as error:
        raise ConfigError(str(error).replace("grid", "ladder")) from None
    if (count := sweep.count()) > MANY:
        raise ConfigError(f"the ladder has {count:,} combinations; a search takes at most {MANY}, so leave some out")
    return [values for _, values in sweep.runs()]


def _with_whole_tables(values: Mapping[str, Any], config: Config) -> Values:
    """``values`` as notebooks take them: for an entry (``loss_args.alpha``) its table, as the configuration has it."""
    found: Values = {}
    for name, value in values.items():
        table, dot, _ = name.partition(".")
        found[table] = getattr(config, table) if dot else value
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
