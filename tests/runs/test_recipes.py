"""Recipe cards: every preset has one, of data alone; records of runs become means over seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vptsp.cli import main
from vptsp.errors import RunError
from vptsp.files import write_json
from vptsp.runs.recipes import DEVIATIONS, recipe
from vptsp.runs.recorded_results import RECORDS, headline, record_of, recorded
from vptsp.runs.run import Run
from vptsp.settings.config import Config, make_config
from vptsp.settings.presets import preset_names, preset_notes


def test_every_preset_has_a_card_that_says_what_it_needs_and_what_chose() -> None:
    for name in preset_names():
        card = recipe(name)
        assert card.needs[0].startswith("data: ")
        assert any(each.startswith("backbone: ") for each in card.needs)
        assert card.about, name
        assert ("held out, by" in card.chosen_by) == (card.config.val_fraction > 0)
        assert bool(card.source) == bool(card.expected), "a number without a source is none"
        assert {n: v for n, v in preset_notes(name).get("expected", {}).items() if n != "source"} == card.expected


def test_a_published_card_says_what_the_code_does_beside_its_paper_and_its_sibling_does_not() -> None:
    card, clean = recipe("cub_vit_s"), recipe("cub_vit_s_clean")
    assert card.expected["recall_at_1"] == 0.866
    assert "a GPU: precision=fp16" in card.needs
    assert "max_over_test_epochs" in card.chosen_by
    assert [each.partition("=")[0] for each in card.differs[:4]] == [
        "positive_mean",
        "class_prompt_init",
        "store_dropped_state",
        "cosine_length",
    ]
    assert clean.chosen_by.startswith("10 % of the training classes, held out, by R@1")
    assert clean.differs == ()
    assert set(DEVIATIONS) <= set(Config.model_fields)


def finished(path: Path, seed: int, recall: float, code: str = "0123456789ab", **settings: Any) -> Run:
    """What a run of the demo leaves that a record is made of."""
    run = Run.create(path, make_config({"seed": seed, "image_size": 64, **settings}, preset="demo"))
    metrics = {"recall_at_1": recall, "map_at_r": recall / 2, "num_queries": 20}
    best = {"epoch": 7, "val_recall_at_1": 0.9}
    summary = {"selected": "best_val", "test": {"best_val": metrics, "last": metrics}, "best_val": best, "epochs": 8}
    write_json(path / "summary.json", {**summary, "precision": "32-true", "device": "cpu", "counts": {}})
    environment = json.loads((path / "environment.json").read_text())
    write_json(path / "environment.json", {**environment, "code": code, "device": "cpu", "threads": 2})
    return run


def test_records_of_one_code_and_machine_are_a_result_over_seeds(tmp_path: Path) -> None:
    runs = [finished(tmp_path / str(seed), seed, recall) for seed, recall in ((1, 0.6), (0, 0.5))]
    other = finished(tmp_path / "other", 0, 0.7, lr=0.001)
    lines = [json.loads(json.dumps(record_of(run, "demo"))) for run in [*runs, other]]
    first, second = recorded("demo", lines)
    assert (first.seeds, first.changes, first.epochs, first.trained) == ((0, 1), {}, (7, 7), 8)
    assert first.metrics["recall_at_1"] == pytest.approx(0.55)
    assert first.spread["recall_at_1"] == pytest.approx(0.05 * 2**0.5)
    assert headline(first.metrics, first.spread) == "R@1 55.0 ± 7.1 %, MAP@R 27.5 ± 3.5 %"
    assert (first.machine, first.code) == ("cpu, 2 threads, 32-true", "0123456789ab")
    assert (second.seeds, second.changes, second.spread) == ((0,), {"lr": 0.001}, {})
    assert second.command("demo") == "vptsp train --preset demo lr=0.001 seed=0"
    assert recorded("own_images", lines) == []
    printed = CliRunner().invoke(main, ["recipes", "demo", "--record", str(other.path)])
    assert json.loads(printed.output) == lines[2]


def test_a_run_of_code_that_no_commit_holds_is_no_record(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", 0, 0.5, code="0123456789ab+changes")
    with pytest.raises(RunError, match="commit them and train it anew"):
        record_of(run, "demo")


def test_what_is_recorded_is_of_presets_that_ship() -> None:
    lines = [json.loads(line) for line in RECORDS.read_text().splitlines()]
    assert lines
    for line in lines:
        assert line["preset"] in preset_names()
        assert not line["code"].endswith("+changes")
        assert all(0 <= value <= 1 for name, value in line["metrics"].items() if "num" not in name)
        assert line["changes"].keys() <= Config.model_fields.keys()
