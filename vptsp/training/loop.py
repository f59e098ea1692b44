"""The training loop, to be read from top to bottom: a run, its epochs, one epoch, the end of an epoch."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from vptsp.core.backbones.compiled import compiled_blocks
from vptsp.data.batch_fits import require_classes
from vptsp.data.image_set import ImageSet
from vptsp.data.passed_over import by_reason
from vptsp.devices.launch import start_processes
from vptsp.devices.surroundings import surroundings
from vptsp.devices.world import World
from vptsp.errors import ConfigError, RunError
from vptsp.evaluation.evaluate import counts_of, eval_passes, predict, score, score_checkpoint
from vptsp.files import write_json
from vptsp.runs.checkpoints import inference_path, save_inference, save_start
from vptsp.runs.data_record import data_differences, record_data
from vptsp.runs.epochs_of_model import epochs_of_model
from vptsp.runs.progress import Observer, Ticker, default_observer
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.finish import whitened_finish
from vptsp.training.guards import TrainingStopped, not_finite, stop_requests
from vptsp.training.guide import begin_epoch_of_guide, end_epoch_of_guide, start_guide
from vptsp.training.objective import Objective, make_objective
from vptsp.training.pruning import prompts_left, prune_and_rewind, pruned_facts
from vptsp.training.schedule import head_alone, set_learning_rates
from vptsp.training.selection import to_beat
from vptsp.training.session import Session, join
from vptsp.training.start_from_data import start_centred, start_from_data, whitened_head
from vptsp.training.state import TrainingState
from vptsp.training.step_back import forget_foothold, look_back
from vptsp.training.trackers import tracked
from vptsp.training.write_snapshots import Probes, write_snapshot


def train(
    config: Config | None = None,
    run_dir: str | Path | None = None,
    *,
    resume: bool = False,
    observer: Observer | None = None,
    changed_data: bool = False,
    **elsewhere: Any,
) -> Run:
    """Train, select on held-out classes, score the test images once, and return the run.

    ``run_dir`` none: a new one under ``runs/``. With ``resume`` the run in ``run_dir`` goes on from its last
    checkpoint with its own settings, to the same numbers as if it had never stopped (bit-identical on a CPU);
    a finished run is returned as it is. ``elsewhere`` says where its data, weights or device are now
    (:meth:`Run.elsewhere`). Data that are not those it was started with are refused, unless ``changed_data``: then the
    summary says what changed.

    Raises :class:`~vptsp.errors.UsageError` for input that cannot be used, before anything is written, and
    :class:`TrainingStopped` after a stop request.
    """
    if (elsewhere or changed_data) and not resume:
        raise ConfigError(
            f"{next(iter(elsewhere), 'changed_data')} is for resume=True; a new run takes it from its configuration"
        )
    here = surroundings()
    again = Run.open(run_dir or "").elsewhere(**elsewhere) if resume else None
    if again is None and here is None:
        require_classes(config or Config())  # names what would do, before anything is read
    if again and here and not {"devices", "num_nodes"} & elsewhere.keys():  # whoever started this knows how many
        again = again.elsewhere(devices=here.local_size, num_nodes=here.nodes)
    config = again.config if again else config or Config()
    if config.processes > 1 and here is None:
        if again and again.is_finished():
            return again
        told = {"resume": resume, "changed_data": changed_data, **elsewhere}
        return Run(
            start_processes(train, (None if resume else config, run_dir), told, config, observer or default_observer()),
            elsewhere,
        )
    world, asked = join(config), config
    place = run_dir
    with world.explaining(lambda: str(place or "RUN")), contextlib.ExitStack() as held:
        if again:
            world.first(lambda: held.enter_context(again.lock()))
            if world.first(again.is_finished):
                return again
            session = Session.prepare(config, world)
            session.changes = world.first(lambda: _accepted(again, session, changed_data))
            return _train(again, session, observer)
        session = Session.prepare(config, world)  # everything that can be refused is refused here
        run = Run(world.first(lambda: _made(run_dir, session, asked, held).path))
        place = run.path
        return _train(run, session, observer)


def _made(run_dir: str | Path | None, session: Session, asked: Config, held: contextlib.ExitStack) -> Run:
    """A new run directory, whose lock is held from now on."""
    run = Run.create(run_dir, session.config, asked)
    held.enter_context(run.lock())
    record_data(run, session.splits)
    return run


def _accepted(run: Run, session: Session, changed_data: bool) -> list[str]:
    """What is different from the data that the run was started with. Raises RunError unless that is accepted."""
    changes = data_differences(run, session.splits)
    if changes and not changed_data:
        raise RunError(
            f"the data of {run.path} are not those that it was started with: {'; '.join(changes)}. Put them back, "
            f"train a new run, or go on all the same with vptsp train --resume {run.path} --changed-data"
        )
    if not changes:
        record_data(run, session.splits)  # runs of an earlier version have no record
    return changes


def _train(run: Run, session: Session, observer: Observer | None) -> Run:
    """One run, from where its last checkpoint left it to its summary."""
    world = session.world
    if session.model.rows is not None:
        session.model.rows.open_bank(session.fabric.device, run.path)
    trains = bool(session.optimizers)
    state = world.all_well(lambda: TrainingState.resumed(run, session)) if trains else TrainingState()
    # epochs that a killed process finished after its last checkpoint come again
    world.first(lambda: run.write_metrics(state.lines))
    world.first(lambda: (run.path / "STOP").unlink(missing_ok=True))

    epochs, per_epoch = (session.config.epochs, len(session.loader)) if trains else (0, 0)
    if world.is_first:
        ticker = Ticker(run, tracked(observer or default_observer(), run), epochs, per_epoch)
    else:
        ticker = Ticker(run, print, epochs, per_epoch, silent=True)
    with ticker.closing_with_state(), world.explaining(lambda: str(run.path)), stop_requests() as stop:
        if trains:
            _train_epochs(run, session, state, ticker, stop)
        else:
            ticker.tell("start", 0, 0, _told_of(run, session))
            start_centred(session.model, session.splits.train, session.config, session.fabric, world)
        if not state.lines:  # nothing was trained: the model as it starts is the result
            _keep(run, session, "last", epoch=0)
        _summarise(run, session, state)
        ticker.tell("done", epochs, epochs * per_epoch)
    return run


def _told_of(run: Run, session: Session) -> dict[str, Any]:
    """What whoever watches may want to know of a run that begins: its directory, and what it trains on."""
    train = session.splits.train
    told = {"run": str(run.path), "images": len(train), "classes": len(train.class_names)}
    return told if session.augmentation is None else {**told, "augmentation": session.augmentation.said}


def _keep(run: Run, session: Session, which: str, epoch: int) -> None:
    """The model as it is, as an inference checkpoint."""
    path = inference_path(run, which)
    session.world.first(lambda: save_inference(path, session.model, session.config, epoch=epoch))


def _train_epochs(run: Run, session: Session, state: TrainingState, ticker: Ticker, stop: threading.Event) -> None:
    """All epochs that are left; ``state`` counts them."""
    config, per_epoch = session.config, len(session.loader)
    objective, probes = make_objective(config, session.world), Probes.choose(session.splits, config)
    watched = [images for images in (session.splits.val, session.splits.test) if images is not None]
    session.passes = eval_passes(session.model, [*watched, probes.train, probes.test], config)
    if state.epoch == state.batch == 0:
        _begin(run, session, state)
        write_snapshot(run, session, probes, epoch=0)
    step = state.epoch * per_epoch + state.batch
    ticker.tell("start", state.epoch, step, _told_of(run, session), _head_alone(session, state.epoch))
    while state.epoch < config.epochs:
        if state.epoch == config.prunes_after and state.batch == 0:
            prune_and_rewind(run, session, objective, stop)
            state.best = None  # what is chosen from is what was trained pruned
            forget_foothold(run, session, state)
            state.inside = 1.0
            session.world.first(lambda: inference_path(run, "best_val").unlink(missing_ok=True))
            _offer_start(run, session, state)
            left, alone = prompts_left(session), _head_alone(session, state.epoch)
            ticker.tell("pruned", state.epoch, state.epoch * per_epoch, left, alone)
        rates = set_learning_rates(session.optimizers, config, state.epoch, state.inside)
        speed = _train_epoch(run, session, objective, state, ticker, stop)
        end_epoch_of_guide(session, state.epoch)
        line = {
            "epoch": state.epoch + 1,
            "loss": state.loss_sum / per_epoch,
            **rates,
            "gradient_norm": state.gradient_norm,
            "images_per_second": speed,
            **({"kept_features": 1} if session.reads_features else {}),
        }
        _end_epoch(run, session, state, probes, line)
        ticker.tell("epoch", state.epoch, state.epoch * per_epoch, line, _head_alone(session, state.epoch))
    session.passes = None  # its worker processes end
    forget_foothold(run, session, state)


def _head_alone(session: Session, epoch: int) -> bool:
    """Whether nothing in the transformer trains in this epoch, of all that would."""
    return session.model.trains_inside and head_alone(session.config, epoch)


def _begin(run: Run, session: Session, state: TrainingState) -> None:
    """Set what starts from the data; an untrained model is the first that can be selected, if the settings say so."""
    config, images = session.config, session.splits.train
    start_from_data(session.model, images, config, session.fabric, session.world)
    start_guide(session)
    if config.prunes_after is not None:
        session.world.first(lambda: save_start(run, session.model))
    session.forget_steps()  # an average of weights begins here
    _offer_start(run, session, state)


def _offer_start(run: Run, session: Session, state: TrainingState) -> None:
    """An untrained model as the first that can be selected, if the settings say so."""
    config, images, judged = session.config, session.splits.train, f"val_{session.config.selection_metric}"
    if config.select_start == "none" or config.task != "retrieval" or session.splits.val is None:
        return
    rival: AbstractContextManager[None] = contextlib.nullcontext()
    if not config.selects_own_start:
        rival = whitened_head(session.model, images, config, session.fabric, session.world)
    with rival:
        state.best = {"epoch": 0, judged: _validate(session)[judged]}
        _keep(run, session, "best_val", epoch=0)


def _train_epoch(
    run: Run, session: Session, objective: Objective, state: TrainingState, ticker: Ticker, stop: threading.Event
) -> float | None:
    """The batches of an epoch that are left; images per second, if there were any whose features were computed.

    Raises :class:`TrainingStopped` after the step in which a stop was asked for, with a checkpoint of it, and
    :class:`~vptsp.errors.TrainingError` for numbers that are not finite, before they reach a parameter.
    """
    config, model, world, device = session.config, session.model, session.world, session.fabric.device
    epoch, per_epoch = state.epoch, len(session.loader)
    session.sampler.set_epoch(epoch, state.batch)
    model.train()
    model.head_alone = _head_alone(session, epoch)
    begin_epoch_of_guide(session, epoch)
    clock, seen, speed = time.perf_counter(), 0, None

    for images, labels, _ in session.batches():
        if config.schedule == "updates":
            set_learning_rates(session.optimizers, config, epoch + state.batch / per_epoch, state.inside)
        images, labels = (each.to(device, non_blocking=each.is_pinned()) for each in (images, labels))
        labels, stopping = world.labels(labels, session.sampler.batch_size, stop.is_set() or _stopped(run, world))
        with compiled_blocks(session.compiles):
            loss = objective(model, session.forward(images, labels), labels)
            session.backward(loss)
        norm = session.clip_gradients()

        loss_now, norm_now = torch.stack((loss.detach(), norm)).tolist()  # the only time the loop waits for the device
        overflowed = not math.isfinite(norm_now)
        if not math.isfinite(loss_now) or (overflowed and not session.precision.skips_overflows):
            names = [session.splits.train.class_names[label] for label in labels.unique().tolist()]
            raise not_finite(loss_now, norm_now, config, f"batch {state.batch + 1} of epoch {epoch + 1}", names)
        session.step()

        state.count_step(loss_now, None if overflowed else norm_now)
        seen += len(labels)
        speed = seen / (time.perf_counter() - clock)
        told = {"loss": loss_now, "images_per_second": speed}
        ticker.step(epoch, epoch * per_epoch + state.batch, told, model.head_alone)
        if stopping or (world.alone and (stop.is_set() or run.stop_requested())):
            state.save(run, session)
            raise TrainingStopped(
                f"stopped in epoch {epoch + 1} of {config.epochs} after batch {state.batch} of {per_epoch}; "
                f"go on with: vptsp train --resume {run.path}"
            )
    return None if session.reads_features else speed  # nobody is to take it for what a backbone does


def _stopped(run: Run, world: World) -> bool:
    """Whether a ``STOP`` file asks for it; several processes are asked before a step, as all must know of it."""
    return not world.alone and world.is_first and run.stop_requested()


def _end_epoch(run: Run, session: Session, state: TrainingState, probes: Probes, line: dict[str, Any]) -> None:
    """Validate, keep the best checkpoint, and write down what the epoch came to; adds the metrics to ``line``."""
    config, world, epoch = session.config, session.world, line["epoch"]
    with session.as_judged():
        if epoch % config.eval_every == 0 or epoch == config.epochs:
            line |= _validate(session)
        if config.track_test and epoch >= min(config.track_from, config.epochs):
            line |= _score_split(session, session.splits.test, "test")
        judged = f"val_{config.selection_metric}"
        if judged in line and line[judged] > to_beat(state.best, judged, len(session.splits.val or ())):
            state.best = {"epoch": epoch, judged: line[judged]}
            _keep(run, session, "best_val", epoch)
        session.require_together()
        _keep(run, session, "last", epoch)
        write_snapshot(run, session, probes, epoch)
    look_back(run, session, state, line)
    state.count_epoch(line)
    world.first(lambda: run.write_metrics(state.lines))
    state.save(run, session)


def _validate(session: Session) -> dict[str, float]:
    """Metrics on the classes held out of train; nothing where none are held out."""
    return {} if session.splits.val is None else _score_split(session, session.splits.val, "val")


def _score_split(session: Session, images: ImageSet, prefix: str) -> dict[str, float]:
    outcome = predict(session.model, images, session.config, session.fabric, session.passes, session.world)
    metrics = session.world.first(lambda: score(outcome, images, session.config, clustering=False).metrics)
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def _summarise(run: Run, session: Session, state: TrainingState) -> None:
    """Score the selected and the last checkpoint on test, once; ``summary.json`` marks the run as done."""
    config, splits, lines = session.config, session.splits, state.lines
    whitened = whitened_finish(run, session, state)
    selected = "whitened" if whitened else "best_val" if state.best else "last"
    test = {}
    for which in dict.fromkeys(("last", selected)):
        report = score_checkpoint(run, which, splits, config, session.fabric, which == selected, session.world)
        test[which] = report.values()
    summary = {
        "task": config.task,
        "method": config.method,
        "bitfit": session.model.bitfit,
        "dataset": config.dataset,
        "selected": selected,
        "best_val": state.best,
        **({"whitened": whitened} if whitened else {}),
        **pruned_facts(session),
        "test": test,
        "counts": counts_of(session.model, selected == "whitened"),
        "classes": {
            "train": len(splits.train.class_names),
            "val": len(splits.val.class_names) if splits.val else 0,
            "test": len(splits.test.class_names),
        },
        "images": {"train": len(splits.train), "val": len(splits.val) if splits.val else 0, "test": len(splits.test)},
        "skipped": splits.skipped,
        "passed_over": by_reason(splits.passed_over),
        **({"data_changed": session.changes} if session.changes else {}),
        "precision": session.precision.name,
        "device": str(session.fabric.device),
        **({} if session.world.alone else {"processes": session.world.size}),
        "epochs": len(lines),
        **({"epochs_of_kept_features": read} if (read := sum("kept_features" in line for line in lines)) else {}),
    }
    tracked = [line for line in epochs_of_model(lines, config) if any(name.startswith("test_") for name in line)]
    if tracked:
        summary["max_over_test_epochs"] = {
            name.removeprefix("test_"): max(line[name] for line in tracked)
            for name in tracked[0]
            if name.startswith("test_")
        }
    session.world.first(lambda: write_json(run.path / "summary.json", summary))
