"""A search by successive halving: what it does and costs, what decides, what is refused, and one that is done."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from vptsp.cli import main
from vptsp.cli.tune import _ladder
from vptsp.errors import ConfigError, RunError
from vptsp.runs.run import Run
from vptsp.settings.config import Config, make_config
from vptsp.sweeps import tune
from vptsp.sweeps.folder import Job
from vptsp.sweeps.halving import default_ladder, make_search, stages_of
from vptsp.sweeps.plan import Plan, make_plan
from vptsp.sweeps.tuned import _begin, _of, judged

CANDIDATES = {"lr=1": {"lr": 1.0}, "lr=2": {"lr": 2.0}, "lr=3": {"lr": 3.0}}


# --- what is done ---------------------------------------------------------------------------------------
@given(candidates=st.integers(2, 100), epochs=st.integers(1, 200), keep=st.integers(2, 9))
def test_stages_halve_down_to_one_that_is_trained_to_the_end(candidates: int, epochs: int, keep: int) -> None:
    stages = stages_of(candidates, epochs, keep)
    assert stages[0].candidates == candidates
    assert stages[-1].epochs == epochs
    if epochs >= keep ** (len(stages) + 1):
        assert stages[-1].candidates == 1
    for stage, after in itertools.pairwise(stages):
        assert stage.epochs < after.epochs <= keep * stage.epochs  # none trains the same again
        assert after.candidates <= max(1, stage.candidates // keep)


def test_the_default_ladder_has_the_configuration_in_its_middle() -> None:
    config = make_config({"method": "vptsp_g"})
    ladder = default_ladder(config)
    assert len(ladder) == len({json.dumps(values) for values in ladder}) == 9
    assert ladder[4] == {"lr": config.lr, "lr_proxy": config.lr_proxy, "weight_decay": config.weight_decay}
    for values in ladder:
        assert values["lr_proxy"] / values["lr"] == pytest.approx(config.lr_proxy / config.lr)
    assert len(default_ladder(config.changed(weight_decay=0.0))) == 3


def test_a_stage_is_a_sweep_of_its_candidates_and_seeds(tmp_path: Path) -> None:
    ladder = {"lr": [0.001, 0.005], "alpha": [0.5]}
    search = make_search({"seed": 7, "epochs": 9, "method": "vptsp_g"}, ladder=ladder, seeds=2, folder=tmp_path)
    assert [(stage.candidates, stage.epochs) for stage in search.stages] == [(2, 3), (1, 9)]
    assert search.epochs == 2 * (2 * 3 + 9)
    plan = search.plan(0, search.ladder)
    assert sorted((job.labels[0], job.parameters["seed"]) for job in plan.jobs) == [
        ("lr=0.001", 7),
        ("lr=0.001", 8),
        ("lr=0.005", 7),
        ("lr=0.005", 8),
    ]
    assert all(job.parameters["epochs"] == 3 for job in plan.jobs)
    assert not any(tmp_path.iterdir())


def test_settings_that_count_epochs_are_shortened_with_a_stage(tmp_path: Path) -> None:
    settings = {"method": "e2vpt", "epochs": 12, "prune_after": 9, "warmup_epochs": 6, "cosine_length": 24}
    search = make_search(settings, ladder={"lr": [0.001, 0.002, 0.004, 0.008]}, keep=2, folder=tmp_path)
    assert [(stage.candidates, stage.epochs) for stage in search.stages] == [(4, 3), (2, 6), (1, 12)]
    told = [search.scaled(search.ladder[0], number) for number in range(3)]
    assert [values["prune_after"] for values in told] == [2, 4, 9]
    assert [values["warmup_epochs"] for values in told] == [1, 3, 6]
    assert [values["cosine_length"] for values in told] == [6, 12, 24]
    del settings["warmup_epochs"]
    headed = make_search(
        settings | {"prune_after": 5, "head_epochs": 4},
        ladder={"lr": [0.001, 0.002, 0.004, 0.008]},
        keep=2,
        folder=tmp_path,
    )
    told = [headed.scaled(headed.ladder[0], number) for number in range(3)]
    assert [(values["prune_after"], values["head_epochs"]) for values in told] == [(1, 0), (2, 1), (5, 4)]
    short = make_search({"method": "e2vpt", "epochs": 4}, folder=tmp_path)
    assert short.stages[0].epochs == 2  # an epoch before the pruning and one after it
    assert "warmup_epochs" not in short.scaled(short.ladder[0], 0)


def test_equal_candidates_are_one_and_tables_are_filled(tmp_path: Path) -> None:
    same = make_search({}, ladder={"lr": [0.001, 1e-3, 0.002]}, folder=tmp_path)
    assert [values["lr"] for values in same.ladder] == [0.001, 0.002]
    tables = make_search(
        {"method": "linear", "loss": "pml:ProxyAnchorLoss", "loss_args.margin": 0.2},
        ladder={"loss_args.alpha": [16, 32]},
        folder=tmp_path,
    )
    assert [job.parameters["loss_args"] for job in tables.plan(0, tables.ladder).jobs] == [
        {"margin": 0.2, "alpha": 16},
        {"margin": 0.2, "alpha": 32},
    ]


def test_an_entry_of_a_table_leaves_the_others_of_the_preset_alone(tmp_path: Path) -> None:
    preset = tmp_path / "anchor.toml"
    preset.write_text('method = "linear"\nloss = "pml:ProxyAnchorLoss"\n[loss_args]\nmargin = 0.2\nalpha = 8\n')
    ladder = {"loss_args.alpha": [16, 32], "lr": [0.01]}
    search = make_search({"miner": None}, preset, ladder, folder=tmp_path / "search")
    tables = [{"margin": 0.2, "alpha": alpha} for alpha in (16, 32)]
    assert [values["loss_args"] for values in search.ladder] == tables
    assert [job.parameters["loss_args"] for job in search.first.jobs] == tables
    search = make_search({"loss_args.margin": 0.3}, preset, folder=tmp_path / "search")
    assert {json.dumps(job.parameters["loss_args"]) for job in search.first.jobs} == {'{"margin": 0.3, "alpha": 8}'}


def test_its_first_runs_are_planned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning reads the source of all that computes: a tenth of a second, each time."""
    planned: list[int] = []

    def plan(*given: Any, **named: Any) -> Plan:
        planned.append(1)
        return make_plan(*given, **named)

    def stop(given: Plan, *others: Any, **named: Any) -> None:
        assert len(given.jobs) == 9
        raise KeyboardInterrupt

    monkeypatch.setattr("vptsp.sweeps.halving.make_plan", plan)
    monkeypatch.setattr("vptsp.sweeps.runner.run_sweep", stop)
    done = CliRunner().invoke(main, ["tune", "method=linear", "--folder", str(tmp_path / "search")])
    assert isinstance(done.exception, (KeyboardInterrupt, SystemExit)), done.output
    assert "Held-out data choose" in done.output
    assert len(planned) == 1


def test_a_run_that_is_there_already_is_its_candidates_whatever_it_was_called(tmp_path: Path) -> None:
    """A second ladder finds runs of the first by what they mean; their labels are still those of the first."""
    ran(tmp_path, "lr=1", 0, 0.7, (0.7, 0.1))
    jobs, labels = [Job(tmp_path / "lr=1-s0")], [["weight_decay=0.0001"]]
    assert _of("weight_decay=0.0001", jobs, labels) == jobs
    assert _of("lr=1", jobs, labels) == []


def test_a_folder_of_another_search_is_left_alone(tmp_path: Path) -> None:
    first = make_search({"method": "linear", "num_workers": 0}, folder=tmp_path)
    _begin(first)
    _begin(make_search({"method": "linear", "num_workers": 1}, ladder={"lr": [1.0, 2.0]}, folder=tmp_path))
    with pytest.raises(RunError, match=r"holds a search of other settings \(epochs=12\)"):
        _begin(make_search({"method": "linear", "epochs": 5}, folder=tmp_path))


# --- what decides ---------------------------------------------------------------------------------------
def ran(
    folder: Path, label: str, seed: int, validation: float | None, *epochs: tuple[float, float], error: str = ""
) -> str:
    """A run as it lies in a sweep's folder: what selected it, and R@1 and MAP@R of its epochs."""
    job = Job(folder / f"{label}-s{seed}")
    job.path.mkdir(parents=True)
    (job.path / "job.json").write_text(json.dumps({"labels": [label], "parameters": {}}))
    job.write_status(state="failed" if error else "done", error=error, attempts=1)
    best = {} if validation is None else {"epoch": 0, "val_recall_at_1": validation}
    if not error:
        summary = {
            "selected": "best_val",
            "best_val": best,
            "test": {"best_val": {"recall_at_1": 1 - (validation or 0)}},
        }
        (job.path / "summary.json").write_text(json.dumps(summary))
    lines = [{"epoch": 0, "val_recall_at_1": 0.99, "val_map_at_r": 0.99}]
    lines += [{"epoch": i, "val_recall_at_1": r, "val_map_at_r": m} for i, (r, m) in enumerate(epochs, 1)]
    (job.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return job.name


def judge(folder: Path, names: list[str]) -> list[Any]:
    jobs = [[Job(folder / name) for name in names if name.startswith(f"{label}-")] for label in CANDIDATES]
    return judged(list(CANDIDATES.values()), jobs)


def order(folder: Path, names: list[str]) -> list[str]:
    return [f"lr={candidate.values['lr']:g}" for candidate in judge(folder, names)]


def test_held_out_data_decide_and_not_the_test(tmp_path: Path) -> None:
    names = [ran(tmp_path, f"lr={i}", 0, value, (value, 0.1)) for i, value in ((1, 0.5), (2, 0.7), (3, 0.6))]
    assert order(tmp_path, names) == ["lr=2", "lr=3", "lr=1"]


def test_among_equals_the_best_trained_epoch_decides_and_not_the_untrained_model(tmp_path: Path) -> None:
    names = [
        ran(tmp_path, "lr=1", 0, 0.8, (0.5, 0.3), (0.6, 0.2)),
        ran(tmp_path, "lr=2", 0, 0.8, (0.4, 0.9)),
        ran(tmp_path, "lr=3", 0, 0.8, (0.6, 0.3)),
    ]
    assert order(tmp_path, names) == ["lr=3", "lr=1", "lr=2"]


def test_the_mean_over_seeds_counts_and_what_failed_comes_last(tmp_path: Path) -> None:
    names = [
        ran(tmp_path, "lr=1", 0, 0.9, (0.9, 0.1)),
        ran(tmp_path, "lr=1", 1, 0.2, (0.2, 0.1)),
        ran(tmp_path, "lr=2", 0, 0.6, (0.6, 0.1)),
        ran(tmp_path, "lr=2", 1, 0.6, (0.6, 0.1)),
        ran(tmp_path, "lr=3", 0, 0.95, (0.95, 0.1)),
        ran(tmp_path, "lr=3", 1, None, error="the loss is not a number\nmore"),
    ]
    assert order(tmp_path, names) == ["lr=2", "lr=1", "lr=3"]
    last = judge(tmp_path, names)[-1]
    assert (last.validation, last.error) == (None, "the loss is not a number")


# --- what is refused ------------------------------------------------------------------------------------
REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"method": "frozen"}, {}, "method='frozen' trains nothing"),
    ({"val_fraction": 0}, {}, "val_fraction=0 holds nothing out"),
    ({"epochs": 0}, {}, "epochs=0 trains nothing"),
    ({}, {"keep": 1}, "keep=1 is not a whole number of 2 or more"),
    ({}, {"keep": 2.5}, "keep=2.5 is not a whole number"),
    ({}, {"seeds": 0}, "seeds=0 is not a whole number of 1 or more"),
    ({}, {"ladder": {"select_by": ["recall_at_1", "map_at_r"]}}, "select_by is not for the ladder: it changes what"),
    ({}, {"ladder": {"method": ["linear", "frozen"]}}, "method='frozen' trains nothing"),
    ({}, {"ladder": {"lr": [0.1, 0.1]}}, "one candidate leaves nothing to choose"),
    ({}, {"ladder": {"lr": [0.1]}}, "one candidate leaves nothing to choose"),
    ({}, {"ladder": {"lr": 0.1}}, "ladder: lr=0.1 is not a list"),
    ({}, {"ladder": {"epochs": [1, 2]}}, "epochs is not for the ladder"),
    ({"lr": 0.1}, {"ladder": {"lr": [0.1, 0.2]}}, "lr is in the ladder and among the settings"),
    ({}, {"ladder": {"lr": [0.1, -0.2]}}, "lr=-0.2"),
    (
        {},
        {"ladder": {"lr": [i / 1000 for i in range(1, 12)], "alpha": [i / 10 for i in range(10)]}},
        "110 combinations",
    ),
]


@pytest.mark.parametrize(("settings", "options", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
def test_what_cannot_be_searched_is_one_sentence(
    settings: dict[str, Any], options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        make_search(settings, folder=tmp_path / "search", **options)
    assert words in str(error.value)
    assert not (tmp_path / "search").exists()


# --- one that is done -----------------------------------------------------------------------------------
@pytest.mark.notebooks
def test_a_search_ends_in_a_run_and_a_preset_and_is_not_done_twice(tiny: Callable[..., Config], tmp_path: Path) -> None:
    settings = tiny(method="linear", epochs=2).model_dump(mode="json", exclude_unset=True, exclude={"lr"})
    ladder = {"lr": [0.01, 0.02]}
    search = make_search(settings, None, ladder, keep=2, folder=tmp_path)
    tuned = tune(search, workers=1)
    assert [len(candidates) for _, candidates in tuned.stages] == [2, 1]
    assert tuned.values == tuned.stages[0][1][0].values
    run = Run.open(tuned.run)
    assert run.config.lr == tuned.values["lr"]
    assert run.config.epochs == 2
    again = make_config({}, preset=str(tuned.preset))
    assert again.model_dump() == run.config.model_dump()
    written = (run.path / "summary.json").stat().st_mtime_ns
    assert tune(search, workers=1) == tuned
    assert (run.path / "summary.json").stat().st_mtime_ns == written


# --- typed --------------------------------------------------------------------------------------------------
def test_a_ladder_is_typed_with_commas_that_are_not_within_brackets() -> None:
    assert _ladder(("lr=0.001,2e-3",)) == {"lr": [0.001, 0.002]}
    assert _ladder(('lora_targets=["qkv"],["qkv","proj"]', "bitfit=true,none")) == {
        "lora_targets": [["qkv"], ["qkv", "proj"]],
        "bitfit": [True, None],
    }
    assert _ladder(()) is None
    with pytest.raises(ConfigError, match="--ladder lr is given twice"):
        _ladder(("lr=1,2", "lr=3,4"))
    with pytest.raises(ConfigError, match="is not KEY=A,B"):
        _ladder(("lr=",))
