"""Checkpoints: the same model comes back, a wrong one is refused, and nothing is unpickled."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch

import vptsp
from vptsp.core.backbones.load import load_backbone
from vptsp.errors import RunError
from vptsp.evaluation.evaluate import embed, evaluate_run
from vptsp.files import read_tensors, write_tensors
from vptsp.runs import checkpoints
from vptsp.runs.checkpoints import inference_path, load_inference, load_training, save_inference, save_training
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.settings.build import build_model
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS
from vptsp.training.loop import train
from vptsp.training.session import Session

Tiny = Callable[..., Config]


def stir(model: torch.nn.Module) -> None:
    """Move everything that trains away from where it started."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)


@pytest.mark.parametrize("method", METHODS)
def test_an_inference_checkpoint_embeds_exactly_like_the_model(tiny: Tiny, tmp_path: Path, method: str) -> None:
    task = METHODS[method].tasks[0]
    session = Session.prepare(tiny(method=method, image_size=64 if method == "side" else 32, task=task))
    stir(session.model)
    path = tmp_path / "model.safetensors"
    save_inference(path, session.model, session.config)
    loaded = load_inference(path)
    theirs = embed(session.model, session.splits.test, session.config, session.fabric)
    assert torch.equal(embed(loaded, session.splits.test, session.config, session.fabric), theirs)
    assert not loaded.training
    stored = sum(value.numel() for value in read_tensors(path, "").values())
    buffers = [
        value for name, value in session.model.named_buffers() if name.startswith(("head.", "hidden.", "prompts."))
    ]
    assert stored == session.model.counts().kept + sum(value.numel() for value in buffers)


def test_an_inference_checkpoint_of_vit_small_is_under_three_megabytes(tmp_path: Path) -> None:
    config = Config(backbone="vit_small_patch16_224", backbone_weights="random", embedding_size=384, num_prompts=10)
    model = build_model(config, load_backbone(config.backbone, "random"), num_classes=100)
    save_inference(tmp_path / "x", model, config)
    assert (tmp_path / "x").stat().st_size < 3e6


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tiny(epochs=1), tmp_path_factory.mktemp("runs") / "run", observer=lambda event: None)


def test_the_selected_checkpoint_is_the_one_loaded_and_evaluated(run: Run) -> None:
    assert inference_path(run).name == "inference_best_val.safetensors"
    saved = SavedEmbeddings.of_run(run)
    report = evaluate_run(run)
    assert report.metrics == {k: v for k, v in run.summary()["test"]["best_val"].items() if not k.startswith("num_")}
    assert (SavedEmbeddings.of_run(run).embeddings == saved.embeddings).all()
    assert (run.path / "evaluation.json").is_file()


def test_evaluating_before_there_is_anything_says_when_there_will_be(tiny: Tiny, tmp_path: Path) -> None:
    new = Run.create(tmp_path / "run", tiny())
    with pytest.raises(RunError, match=r"inference_last\.safetensors yet; it appears after the first epoch"):
        evaluate_run(new)
    with pytest.raises(RunError, match="appears after a validation, so never with val_fraction=0"):
        evaluate_run(new, "best_val")
    with pytest.raises(RunError, match=r"vptsp evaluate .* makes it"):
        SavedEmbeddings.of_run(new)


def test_other_weights_and_other_backbones_are_refused(run: Run, tmp_path: Path) -> None:
    for changes in ({"seed": 5}, {"backbone": "test_vit2"}):
        session = Session.prepare(run.config.changed(**changes))
        with pytest.raises(RunError, match=r"was made with another backbone: the weights of test_vit.* differ"):
            load_training(run, session.model, session.optimizers)  # type: ignore[arg-type]


def test_changed_weights_are_noticed_when_embedding(tiny: Tiny, tmp_path: Path) -> None:
    weights = tmp_path / "vit.safetensors"

    def write_weights(seed: int) -> None:
        torch.manual_seed(seed)
        write_tensors(weights, timm.create_model("test_vit", num_classes=0).state_dict())

    write_weights(0)
    config = tiny(backbone_weights=str(weights))
    path = tmp_path / "model.safetensors"
    save_inference(path, Session.prepare(config).model, config)
    load_inference(path)
    write_weights(1)
    with pytest.raises(RunError, match=r"model\.safetensors was made with another backbone.*pass the original"):
        load_inference(path)


def test_files_that_are_no_checkpoints_are_refused(run: Run, tmp_path: Path) -> None:
    whole = inference_path(run).read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"cut\.safetensors is damaged or cut off"):
        load_inference(cut)
    write_tensors(tmp_path / "other", {"a": torch.zeros(1)})
    with pytest.raises(RunError, match="is not an inference checkpoint of this workbench"):
        load_inference(tmp_path / "other")
    with pytest.raises(RunError, match="does not exist; train the run to its end"):
        load_inference(tmp_path / "nowhere")
    with pytest.raises(RunError, match="is not a run"):
        load_inference(tmp_path)


def test_a_run_can_be_named_by_its_folder(run: Run) -> None:
    kept = load_inference(run, "last").state_dict()
    named = load_inference(str(run.path), "last").state_dict()
    assert named.keys() == kept.keys()
    assert all(torch.equal(named[name], kept[name]) for name in kept)


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_a_damaged_training_checkpoint_is_one_clear_error(tiny: Tiny, tmp_path: Path, name: str) -> None:
    session = Session.prepare(tiny())
    run = Run.create(tmp_path / "run", session.config)
    state = {"epoch": 0, "batch": 1, "loss_sum": 1.0, "gradient_norm": 1.0, "best": None, "lines": []}
    save_training(run, session.model, session.optimizers, state)  # type: ignore[arg-type]
    path = run.path / "checkpoint/last" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError, match=rf"{name} is damaged or cut off .* start again in another run directory"):
        train(run_dir=run.path, resume=True, observer=lambda event: None)


def test_the_only_checkpoint_is_kept_until_the_next_has_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed between two renames has only ``.old``; being killed there again must not lose it."""
    old, staging = tmp_path / ".old", tmp_path / ".next"
    old.mkdir()
    staging.mkdir()

    def killed(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints._replace(tmp_path / "last", staging)
    assert old.is_dir()
    checkpoints._replace(tmp_path / "last", staging)
    assert os.listdir(tmp_path) == ["last"]


def test_nothing_is_unpickled() -> None:
    for path in Path(vptsp.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules: set[str | None] = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} != {"UnpicklingError"}:
                modules = {node.module}
            assert not {"pickle", "cloudpickle", "dill", "joblib"} & modules, path
            if isinstance(node, ast.Call):
                if ast.unparse(node.func) == "torch.load":  # weights that people save; tensors alone are made of them
                    assert "weights_only=True" in ast.unparse(node), path
                if ast.unparse(node.func) in ("np.load", "numpy.load"):
                    assert "allow_pickle" not in ast.unparse(node).replace("allow_pickle=False", ""), path
                if ast.unparse(node.func).endswith("load_state_dict") and len(node.keywords):
                    assert "weights_only=False" not in ast.unparse(node), path
