"""The training loop, to be read from top to bottom in :func:`_train`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from vptsp.core.heads import CentredFeature
from vptsp.data.images import ImageSet
from vptsp.data.loaders import eval_loader
from vptsp.data.transforms import eval_transform
from vptsp.evaluation.evaluate import counts_of, predict, score, score_checkpoint
from vptsp.files import write_json
from vptsp.runs.checkpoints import inference_path, load_training, save_inference, save_training
from vptsp.runs.progress import Observer, Ticker, default_observer
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.guards import TrainingStopped, require_finite, stop_requests
from vptsp.training.objective import make_objective
from vptsp.training.optimizers import set_epoch
from vptsp.training.session import Session
from vptsp.training.snapshots import Probes, write_snapshot
from vptsp.training.trackers import tracked


def train(
    config: Config | None = None,
    run_dir: str | Path | None = None,
    *,
    resume: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Train, select on held-out classes, score the test images once, and return the run.

    ``run_dir`` none: a new one under ``runs/``. With ``resume`` the run in ``run_dir`` goes on from its last
    checkpoint with its own settings, to the same numbers as if it had never stopped (bit-identical on a CPU);
    a finished run is returned as it is.

    Raises :class:`~vptsp.errors.UsageError` for input that cannot be used, before anything is written, and
    :class:`TrainingStopped` after a stop request.
    """
    if resume:
        run = Run.open(run_dir or "")
        with run.lock():
            if run.is_finished():
                return run
            return _train(run, Session.prepare(run.config), observer or default_observer())
    session = Session.prepare(config or Config())  # everything that can be refused is refused here
    run = Run.create(run_dir, session.config)
    with run.lock():
        return _train(run, session, observer or default_observer())


def _train(run: Run, session: Session, observer: Observer) -> Run:
    config, splits, fabric, model = session.config, session.splits, session.fabric, session.model
    loader, loss_function, optimizers = session.loader, make_objective(config), session.optimizers
    probes = Probes.choose(splits, config)
    judged = f"val_{config.selection_metric}"
    if model.rows is not None:
        model.rows.open_bank(fabric.device, run.path)
    state = load_training(run, model, optimizers) if optimizers else None
    state = state or {"epoch": 0, "batch": 0, "loss_sum": 0.0, "gradient_norm": 0.0, "best": None, "lines": []}
    if state.get("scaler"):
        fabric._precision.load_state_dict(state["scaler"])
    lines: list[dict[str, Any]] = state["lines"]
    run.write_metrics(lines)  # epochs that a killed process finished after its last checkpoint come again
    (run.path / "STOP").unlink(missing_ok=True)

    per_epoch = len(loader) if optimizers else 0
    epochs = config.epochs if optimizers else 0
    ticker = Ticker(run, tracked(observer, run), epochs, per_epoch)
    with ticker.closing_with_state(), stop_requests() as stop:
        if optimizers and not state["lines"] and state["batch"] == 0:
            write_snapshot(run, session, probes, epoch=0)
        ticker.tell("start", state["epoch"], state["epoch"] * per_epoch + state["batch"])
        for epoch in range(state["epoch"], epochs):
            rates = set_epoch(optimizers, config, epoch)
            start = state["batch"]
            session.sampler.set_epoch(epoch, start)
            model.train()
            clock, seen, speed = time.perf_counter(), 0, None

            for batch, (images, labels, _) in enumerate(loader, start):
                images, labels = images.to(fabric.device), labels.to(fabric.device)
                loss = loss_function(model, session.forward(images, labels), labels)
                place = f"batch {batch + 1} of epoch {epoch + 1}"
                names = [splits.train.class_names[label] for label in labels.unique().tolist()]
                require_finite("loss", loss, config, place, names)

                session.backward(loss)
                norm = session.clip_gradients()
                if config.precision != "fp16":  # there the scaler skips steps whose gradients overflow
                    require_finite("gradient norm", norm, config, place, names)
                session.step()

                state |= {"batch": batch + 1, "gradient_norm": norm.item()}
                state["loss_sum"] += loss.item()
                seen += len(labels)
                speed = seen / (time.perf_counter() - clock)
                ticker.step(epoch, epoch * per_epoch + batch + 1, loss=loss.item(), images_per_second=speed)
                if stop.is_set() or run.stop_requested():
                    save_training(run, model, optimizers, state | {"scaler": fabric._precision.state_dict()})
                    raise TrainingStopped(
                        f"stopped in epoch {epoch + 1} of {epochs} after batch {batch + 1} of {per_epoch}; "
                        f"go on with: vptsp train --resume {run.path}"
                    )

            line = {
                "epoch": epoch + 1,
                "loss": state["loss_sum"] / per_epoch,
                **rates,
                "gradient_norm": state["gradient_norm"],
                "images_per_second": speed,
            }
            if (epoch + 1) % config.eval_every == 0 or epoch + 1 == epochs:
                line |= _validate(session)
            if config.track_test and epoch + 1 >= min(config.track_from, epochs):
                line |= _score_split(session, splits.test, "test")
            improved = judged in line and (state["best"] is None or line[judged] > state["best"][judged])
            if improved:
                state["best"] = {"epoch": epoch + 1, judged: line[judged]}
                save_inference(inference_path(run, "best_val"), model, config, epoch=epoch + 1)
            save_inference(inference_path(run, "last"), model, config, epoch=epoch + 1)
            write_snapshot(run, session, probes, epoch + 1)
            lines.append(line)
            run.write_metrics(lines)
            state |= {"epoch": epoch + 1, "batch": 0, "loss_sum": 0.0}
            save_training(run, model, optimizers, state | {"scaler": fabric._precision.state_dict()})
            ticker.tell("epoch", epoch + 1, (epoch + 1) * per_epoch, line)

        if not optimizers:
            _centre(session)
        if not epochs:
            save_inference(inference_path(run, "last"), model, config, epoch=0)
        _summarise(run, session, state, lines)
        ticker.tell("done", epochs, epochs * per_epoch)
    return run


@torch.no_grad()
def _centre(session: Session) -> None:
    """Frozen method: the mean feature of the training images is the origin."""
    model, config = session.model, session.config
    backbone = model.backbone
    transform = eval_transform(backbone.image_size, backbone.mean, backbone.std, config.augment == "resize")
    total, count = torch.zeros(backbone.width), 0
    model.eval()
    with session.fabric.autocast():
        for images, _, _ in eval_loader(session.splits.train, transform, max(config.batch_size, 64)):
            features = model(images.to(session.fabric.device)).encoded.features
            total += features.float().sum(0).cpu()
            count += len(images)
    assert isinstance(model.head, CentredFeature)
    model.head.mean.copy_(total / count)


def _validate(session: Session) -> dict[str, float]:
    """Metrics on the classes held out of train; nothing where none are held out."""
    return {} if session.splits.val is None else _score_split(session, session.splits.val, "val")


def _score_split(session: Session, images: ImageSet, prefix: str) -> dict[str, float]:
    outcome = predict(session.model, images, session.config, session.fabric)
    metrics = score(outcome, images, session.config, clustering=False).metrics
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def _summarise(run: Run, session: Session, state: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    """Score the selected and the last checkpoint on test, once; ``summary.json`` marks the run as done."""
    config, splits = session.config, session.splits
    best = state["best"]
    selected = "best_val" if best else "last"
    test = {}
    for which in dict.fromkeys(("last", selected)):
        report = score_checkpoint(run, which, splits, config, session.fabric, keep=which == selected)
        test[which] = report.values()
    summary = {
        "task": config.task,
        "method": config.method,
        "bitfit": session.model.bitfit,
        "dataset": config.dataset,
        "selected": selected,
        "best_val": best,
        "test": test,
        "counts": counts_of(session.model),
        "classes": {
            "train": len(splits.train.class_names),
            "val": len(splits.val.class_names) if splits.val else 0,
            "test": len(splits.test.class_names),
        },
        "images": {"train": len(splits.train), "val": len(splits.val) if splits.val else 0, "test": len(splits.test)},
        "skipped": splits.skipped,
        "precision": session.fabric._precision.precision,
        "device": str(session.fabric.device),
        "epochs": len(lines),
    }
    tracked = [line for line in lines if any(name.startswith("test_") for name in line)]
    if tracked:
        summary["max_over_test_epochs"] = {
            name.removeprefix("test_"): max(line[name] for line in tracked)
            for name in tracked[0]
            if name.startswith("test_")
        }
    write_json(run.path / "summary.json", summary)
