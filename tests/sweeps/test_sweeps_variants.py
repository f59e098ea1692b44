"""Variants of one configuration, trained in this process: what is shared, kept, refused and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markup import Markup

from vptsp.analysis.compared_run import ComparedRun
from vptsp.analysis.comparison import Comparison
from vptsp.analysis.costs import costs
from vptsp.errors import ConfigError, DataWarning, RunError, TrainingError
from vptsp.figures.comparison_tables import cost_table
from vptsp.runs.result import RunResult
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.sweeps import Variant, train_variants
from vptsp.training.loop import train


@pytest.fixture(scope="module")
def base(tiny: Callable[..., Config]) -> Config:
    return tiny(epochs=1, method="vptsp_m", probe_images=0)


def test_equal_settings_are_one_run_with_both_names(base: Config, tmp_path: Path) -> None:
    seen: list[tuple[tuple[str, ...], int, int, int]] = []
    variants = [
        Variant("frozen", {"method": "frozen"}),
        Variant("other", {"method": "frozen", "embedding_size": 8}),
        Variant("again", {"method": "frozen", "embedding_size": base.embedding_size}),
    ]
    trained = train_variants(
        variants,
        base,
        range(2),
        tmp_path,
        observer=lambda one, number, of: seen.append((one.labels, one.config.seed, number, of)),
    )
    assert [(one.labels, one.path.name) for one in trained] == [
        (("frozen", "again"), "frozen-s0"),
        (("other",), "other-s0"),
        (("frozen", "again"), "frozen-s1"),
        (("other",), "other-s1"),
    ]
    assert seen == [(one.labels, one.config.seed, number, 4) for number, one in enumerate(trained, 1)]
    assert sorted(path.parent.name for path in tmp_path.glob("*/config.json")) == sorted(p.path.name for p in trained)
    assert all(Run.open(one.path).config.seed == one.config.seed for one in trained)
    comparison = Comparison.of_variants(trained)
    assert list(comparison.experiments) == ["frozen, again", "other"]
    assert comparison.find("again") is comparison.find("frozen") is comparison.experiments["frozen, again"]


def test_finished_runs_are_kept_and_unfinished_ones_go_on(base: Config, tmp_path: Path) -> None:
    variants = [Variant("linear", {"method": "linear", "epochs": 2})]
    (first,) = train_variants(variants, base, [0], tmp_path, observer=None)
    run = Run.open(first.path)
    result, before = run.result(), (run.path / "summary.json").stat().st_mtime_ns
    assert train_variants(variants, base, [0], tmp_path, observer=None) == [first]
    assert (run.path / "summary.json").stat().st_mtime_ns == before
    (run.path / "summary.json").unlink()  # as a run that was killed before its end
    epochs = (run.path / "metrics.jsonl").read_text()
    train_variants(variants, base, [0], tmp_path, observer=None)
    assert run.result().metrics == result.metrics
    assert (run.path / "metrics.jsonl").read_text() == epochs  # its epochs were not trained again


def test_runs_of_other_settings_are_refused_before_anything_is_trained(base: Config, tmp_path: Path) -> None:
    train_variants([Variant("one", {"method": "frozen"})], base, [0], tmp_path, observer=None)
    variants = [Variant("two", {"method": "frozen"}), Variant("one", {"method": "frozen", "embedding_size": 8})]
    with pytest.raises(RunError, match=r"one-s0 holds a run of other settings .embedding_size 16 there, 8 asked for"):
        train_variants(variants, base, [0], tmp_path, observer=None)
    assert not (tmp_path / "two-s0").exists()


def test_names_that_make_one_directory_and_settings_that_do_not_fit_are_refused(base: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names that make the same directory"):
        train_variants([Variant("a b", {"alpha": 0.1}), Variant("a/b", {"alpha": 0.2})], base, [0], tmp_path)
    with pytest.raises(ConfigError, match="alpa is not a setting"):
        train_variants([Variant("a"), Variant("b", {"alpa": 0.2})], base, [0], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failed_run_is_a_row_and_the_others_go_on(
    base: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(config: Config, path: Path, **rest: Any) -> Run:
        if config.method == "linear":
            raise TrainingError("the loss is nan at batch 1")
        if config.method == "full":
            raise RuntimeError("out of memory")
        return train(config, path, **rest)

    monkeypatch.setattr("vptsp.sweeps.variants.train", breaks)
    variants = [Variant(method, {"method": method}) for method in ("linear", "full", "frozen")]
    trained = train_variants(variants, base, [0], tmp_path)
    assert [one.error for one in trained] == ["the loss is nan at batch 1", "RuntimeError: out of memory", ""]
    said = capsys.readouterr().out
    recall = 100 * Run.open(trained[2].path).result().metrics["recall_at_1"]
    assert "1/3  linear, seed 0: the loss is nan at batch 1" in said
    assert f"3/3  frozen, seed 0: R@1 {recall:.1f} %" in said
    comparison = Comparison.of_variants(trained)
    runs = comparison.runs()
    assert runs["experiment"].tolist() == ["linear", "full", "frozen"]
    assert runs["state"].tolist() == ["failed", "failed", "done"]
    assert runs["error"].tolist() == [one.error for one in trained]
    assert runs["trained"].isna().tolist() == [True, True, False]
    shown = Markup(cost_table(comparison, costs(comparison))).text
    assert "failed" in shown
    assert "full, seed 0: RuntimeError: out of memory." in shown


def test_a_comparison_without_results_stops_in_one_sentence(tmp_path: Path) -> None:
    def ran(name: str, error: str) -> ComparedRun:
        result = None if error else RunResult("", {"recall_at_1": 0.5})
        return ComparedRun(name, tmp_path / name, "failed" if error else "done", error, result=result)

    failed = [ran("a", "out of memory."), ran("b", "the loss is nan")]
    with pytest.raises(RunError) as stopped:
        Comparison(failed).require_results()
    assert str(stopped.value) == (
        "2 of 2 runs have no results, 2 of them failed (the first is a, failed: out of memory; what it wrote is in "
        f"{tmp_path / 'a'}), so there is nothing to compare; mend that and run this again"
    )
    with pytest.warns(DataWarning, match="1 of 2 runs have no results, 1 of them failed, and are missing .*: b "):
        Comparison([ran("c", ""), failed[1]]).require_results()
