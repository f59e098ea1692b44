"""The processes of a run: what each has of a batch, and how they act as one."""

from __future__ import annotations

import contextlib
import inspect
import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from vptsp.devices.alike import require_alike
from vptsp.devices.gather import counts, gather_columns, gather_rows, share
from vptsp.devices.surroundings import Place, surroundings
from vptsp.errors import ConfigError, TrainingError, UsageError
from vptsp.machine import make_fabric

if TYPE_CHECKING:
    import lightning_fabric as lightning

T = TypeVar("T")
_RENAMED = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters  # by torch 2.11
_SENTENCE = "vptsp/why"  # where a process that fails leaves its sentence for the others


class LostProcess(TrainingError):
    """Another process of the run is gone, or does not answer.

    ``unheard``: the first process, which speaks for all, is not there to say so.
    """

    unheard = False


class World:
    """``size`` processes, of which this one is ``rank``; alone by default, and then nothing here sends anything."""

    def __init__(self, fabric: lightning.Fabric, rank: int = 0, size: int = 1) -> None:
        self.fabric, self.rank, self.size = fabric, rank, size

    @classmethod
    def join(cls, device: str, precision: str, patience: float = 1800, in_parts: bool = False) -> World:
        """The world that this process was started in, or it alone. Waits for the others, at most ``patience`` seconds,
        as do all later messages. ``in_parts``: not every parameter has its gradient from the last backward pass of a
        step.

        Raises :class:`ConfigError` for devices that are not there and for a port in use, and :class:`LostProcess` where
        processes do not answer.
        """
        place = surroundings()
        if place is None:
            return cls(make_fabric(device, precision))
        fabric = make_fabric(device, precision, several=_several(place, patience, in_parts))
        with _rendezvous(place, patience):
            fabric.launch()
        return cls(fabric, place.rank, place.size)

    @property
    def alone(self) -> bool:
        return self.size == 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    # --- acting as one ------------------------------------------------------------------------------
    def first(self, act: Callable[[], T]) -> T:
        """What ``act`` returns in process 0, in all of them; its UsageError is raised in all of them too."""
        if self.alone:
            return act()
        outcome: Any = None
        if self.is_first:
            try:
                outcome = act()
            except UsageError as error:
                outcome = error
        outcome = self.fabric.broadcast(outcome)
        if isinstance(outcome, UsageError):
            raise outcome
        return outcome

    def all_well(self, act: Callable[[], T]) -> T:
        """What ``act`` returns in this process, if it went well in all; else the first UsageError is raised in all."""
        if self.alone:
            return act()
        result: Any = None
        error: UsageError | None = None
        try:
            result = act()
        except UsageError as caught:
            error = caught
        if wrong := next((each for each in self.gather_objects(error) if each is not None), None):
            raise wrong
        return result

    def require_alike(self, **facts: Any) -> None:
        """Raise :class:`ConfigError` in all processes unless all have the same facts."""
        if not self.alone:
            require_alike(self.gather_objects(facts))

    def gather_objects(self, own: T) -> list[T]:
        """What each process has, by rank."""
        found: list[Any] = [None] * self.size
        if self.alone:
            return [own]
        dist.all_gather_object(found, own)
        return found

    # --- batches ------------------------------------------------------------------------------------
    def share(self, total: int) -> slice:
        """Which of the rows of a whole batch this process has."""
        return share(total, self.rank, self.size)

    def labels(self, own: Tensor, total: int, stop: bool) -> tuple[Tensor, bool]:
        """Labels of the whole batch of ``total`` images, and whether any process was asked to stop, in one message."""
        if self.alone:
            return own, stop
        with_flag = torch.cat([own, own.new_tensor([stop])])
        sizes = [size + 1 for size in counts(total, self.size)]
        parts = gather_rows(with_flag, sizes).split(sizes)
        return torch.cat([part[:-1] for part in parts]), any(bool(part[-1]) for part in parts)

    def gather(self, columns: dict[str, Tensor], total: int) -> dict[str, Tensor]:
        """Columns of a whole batch from those of each process, with gradients (:mod:`vptsp.devices.gather`)."""
        return columns if self.alone else gather_columns(columns, counts(total, self.size), self.rank)

    def mean_(self, tensor: Tensor) -> None:
        """Replace a tensor by its mean over processes."""
        if not self.alone:
            dist.all_reduce(tensor)
            tensor /= self.size

    # --- passes over a set --------------------------------------------------------------------------
    @property
    def turn(self) -> tuple[int, int]:
        """This process takes every size-th batch of a set, from the rank-th: ``(rank, size)``."""
        return self.rank, self.size

    def in_turn(self, own: list[Tensor], batches: int) -> list[Tensor]:
        """All ``batches`` tensors of a pass in order, of which this process computed every size-th.

        Batches are those of one process, so their numbers are as well, and no image is counted twice. Tensors differ in
        their number of rows alone; they come back on the CPU.
        """
        if self.alone:
            return own
        device = self.fabric.device
        told: Any = (own[0].shape[1:], own[0].dtype) if self.is_first else None
        shape, kind = self.fabric.broadcast(told)
        rows = self.gather_objects([len(each) for each in own])
        flat = torch.cat(own).to(device) if own else torch.empty(0, *shape, dtype=kind, device=device)
        whole = gather_rows(flat, [sum(each) for each in rows]).cpu().split([sum(each) for each in rows])
        parts = [part.split(sizes) if sizes else () for part, sizes in zip(whole, rows, strict=True)]
        return [parts[batch % self.size][batch // self.size] for batch in range(batches)]

    # --- ends ---------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def explaining(self, run: Callable[[], str]) -> Iterator[None]:
        """Turn the loss of another process into one sentence, and leave one for the others where this process fails.

        ``run()`` says where the run is, for how to go on.
        """
        if self.alone:
            yield
            return
        try:
            yield
        except UsageError as error:
            self._leave(str(error))
            raise
        except Exception as error:
            if not is_lost(error):
                self._leave(f"process {self.rank} failed: {type(error).__name__}: {error}")
                raise
            why, reached = self._left()
            lost = LostProcess(
                why
                or f"a process of the {self.size} of this run is gone or does not answer ({_short(error)}); "
                f"go on with: vptsp train --resume {run()}"
            )
            lost.unheard = self.rank == 1 and not reached
            raise lost from None

    def _leave(self, sentence: str) -> None:
        with contextlib.suppress(Exception):  # whoever holds the store may be gone too
            _store().set(_SENTENCE, f"process {self.rank} of {self.size} on {socket.gethostname()}: {sentence}")

    def _left(self) -> tuple[str | None, bool]:
        """The sentence of the process that failed, if it left one, and whether the place for it can be reached."""
        deadline = time.monotonic() + 1
        with contextlib.suppress(Exception):  # process 0 may hold the store, and be gone
            store = _store()
            while not (there := store.check([_SENTENCE])) and time.monotonic() < deadline:
                time.sleep(0.05)
            return (store.get(_SENTENCE).decode() if there else None), True
        return None, False


def is_lost(error: BaseException) -> bool:
    """Whether an error of torch.distributed says that another process is gone or late."""
    text = str(error)
    signs = ("gloo", "Connection closed by peer", "Connection reset", "NCCL", "Broken pipe", "Timed out")
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and any(s in text for s in signs))


def _several(place: Place, patience: float, in_parts: bool) -> dict[str, Any]:
    """What Fabric is told of a world: DistributedDataParallel, of processes that somebody else has started."""
    from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
    from lightning_fabric.strategies import DDPStrategy
    from lightning_fabric.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

    class Started(_SubprocessScriptLauncher):
        """Starts nothing, so it may be used by what a notebook's kernel has forked, which Fabric would refuse."""

        @property
        def is_interactive_compatible(self) -> bool:
            return True

    class OfStarted(DDPStrategy):
        def _configure_launcher(self) -> None:
            assert self.cluster_environment is not None
            self._launcher = Started(self.cluster_environment, self.num_processes, self.num_nodes)

    if place.slurm:
        # Fabric reads these of the whole allocation, of which the step may be a part
        os.environ["SLURM_NTASKS"], os.environ["SLURM_NNODES"] = str(place.size), str(place.nodes)
        os.environ["SLURM_NTASKS_PER_NODE"] = str(place.local_size)
    # every process computes the semantic container, to the same bits
    buffers: dict[str, Any] = {"forward_sync_buffers" if _RENAMED else "broadcast_buffers": False}
    return {
        "devices": place.local_size,
        "num_nodes": place.nodes,
        "plugins": [SLURMEnvironment(auto_requeue=False) if place.slurm else TorchElasticEnvironment()],
        "strategy": OfStarted(
            timeout=timedelta(seconds=patience),
            find_unused_parameters=in_parts,
            **buffers,
        ),
    }


@contextlib.contextmanager
def _rendezvous(place: Place, patience: float) -> Iterator[None]:
    """What goes wrong where processes meet, as a sentence."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        where = f"{os.environ.get('MASTER_ADDR', '127.0.0.1')}:{os.environ.get('MASTER_PORT', '')}"
        if "EADDRINUSE" in str(error) or "address already in use" in str(error).lower():
            raise ConfigError(
                f"the port of {where}, where the {place.size} processes are to meet, is in use by another program; "
                "choose another, with the variable MASTER_PORT"
            ) from None
        raise LostProcess(
            f"not all of the {place.size} processes of this run met at {where} within {patience:g} s "
            f"({_short(error)}); see whether each of them is running and can reach that address, or give them more "
            "time with patience=SECONDS"
        ) from None


def _short(error: BaseException) -> str:
    """The last part of what torch.distributed says, without its own source lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text.rsplit("] ", 1)[-1][:120].rstrip(". ")


def _store() -> Any:
    from torch.distributed.distributed_c10d import _get_default_store

    return _get_default_store()
