"""Where class prompts and what the optimiser remembers of them live: one record per class, in memory or on disk.

A record is S x R floats: R values of one class, then S - 1 slots of optimiser state (momentum, Adam's moments). The
records of a batch are read, changed and written back; all others stay as they are. A class that was never written
is not stored: its values come from ``start``, a function of the class alone, so a bank of any size is made at once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from math import prod
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vptsp.core.errors import RunError, explained

FILE = "class_prompts.bank"
Start = Callable[[int], Float[Tensor, " R"]]


class Bank(ABC):
    """Records of C classes. ``steps`` (C,) counts how often each was written.

    ``part=(rank, size)``: only of the classes that process ``rank`` of ``size`` owns, every size-th from the rank-th;
    the others' are counted alone (:meth:`count`), so that all processes know which records are current.
    """

    def __init__(self, classes: int, slots: int, floats: int, start: Start, part: tuple[int, int] = (0, 1)) -> None:
        self.shape, self.start, self.part = (slots, floats), start, part
        self.steps = torch.zeros(classes, dtype=torch.long)

    def owns(self, classes: Int[Tensor, " U"]) -> Bool[Tensor, " U"]:
        """Whose records are here."""
        rank, size = self.part
        return classes % size == rank

    def count(self, classes: Int[Tensor, " U"]) -> None:
        """Note that the records of these classes, which others own, were written there."""
        self.steps[classes.tolist()] += 1

    def read(self, classes: Int[Tensor, " U"]) -> Float[Tensor, "U S R"]:
        """Records of distinct classes, on the device of ``classes``."""
        chosen = classes.tolist()
        records = self._read(chosen, classes.device)
        for row, label in enumerate(chosen):
            if not self.steps[label]:
                records[row, 0] = self.start(label).to(records.device)
                records[row, 1:] = 0
        return records

    def write(self, classes: Int[Tensor, " U"], records: Float[Tensor, "U S R"]) -> None:
        """Put changed records back and count the step."""
        chosen = classes.tolist()
        self._write(chosen, records)
        self.steps[chosen] += 1

    def save(self, folder: Path) -> dict[str, Tensor]:
        """Make everything written so far durable, in ``folder`` where it needs a place; tensors for the checkpoint."""
        return {"steps": self.steps}

    def commit(self) -> None:  # noqa: B027 - not every bank has something to do
        """The checkpoint that :meth:`save` was part of has its place."""

    def load(self, folder: Path, tensors: dict[str, Tensor]) -> None:
        """Be as the checkpoint in ``folder`` says. Raises :class:`RunError` if its records are not there."""
        self.steps = tensors["steps"].clone()

    def _written(self) -> list[int]:
        """Classes whose records were written here."""
        labels = self.steps.nonzero().flatten()
        found: list[int] = labels[self.owns(labels)].tolist()
        return found

    @abstractmethod
    def _read(self, chosen: list[int], device: torch.device) -> Tensor:
        """Records as stored; anything at all for classes that were never written."""

    @abstractmethod
    def _write(self, chosen: list[int], records: Tensor) -> None: ...


class MemoryBank(Bank):
    """All records on ``device`` or, without one, in host memory: pinned where there is a GPU."""

    def __init__(
        self,
        classes: int,
        slots: int,
        floats: int,
        start: Start,
        device: torch.device | None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__(classes, slots, floats, start, part)
        classes = len(range(part[0], classes, part[1]))
        pinned = device is None and torch.cuda.is_available()
        # Pinned memory is handed out in powers of two; of blocks of about 1 GiB little is lost.
        self.per_block = max(2**28 // (slots * floats), 1) if pinned else classes
        counts = [min(self.per_block, classes - first) for first in range(0, classes, self.per_block)]
        shapes = [(count, slots, floats) for count in counts]
        self.blocks = [torch.empty(shape, device=device or "cpu", pin_memory=pinned) for shape in shapes]

    def save(self, folder: Path) -> dict[str, Tensor]:
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # copies from the device may still be under way
        file = RecordFile(folder / FILE, len(self.steps), self.shape)
        for label in self._written():
            file.write(label, self._record(label).cpu())
        file.flush()
        return super().save(folder)

    def load(self, folder: Path, tensors: dict[str, Tensor]) -> None:
        super().load(folder, tensors)
        file, record = RecordFile.existing(folder / FILE, len(self.steps), self.shape), torch.empty(self.shape)
        for label in self._written():
            file.read(label, record)
            self._record(label).copy_(record)

    def _record(self, label: int) -> Tensor:
        row = label // self.part[1]
        return self.blocks[row // self.per_block][row % self.per_block]

    def _read(self, chosen: list[int], device: torch.device) -> Tensor:
        if len(self.blocks) == 1 and device == self.blocks[0].device:
            return self.blocks[0][[label // self.part[1] for label in chosen]]
        records = torch.empty(len(chosen), *self.shape, device=device)
        for record, label in zip(records, chosen, strict=True):  # straight from pinned memory, not gathered before
            record.copy_(self._record(label), non_blocking=True)
        return records

    def _write(self, chosen: list[int], records: Tensor) -> None:
        for record, label in zip(records, chosen, strict=True):  # read again by the same stream only, so in order
            self._record(label).copy_(record, non_blocking=True)


class DiskBank(Bank):
    """Records in a file with two places per class, so that the last checkpoint's stay whole until the next is made.

    A class is written to the place that the last checkpoint does not use. A checkpoint holds which place is current
    (one byte per class); whatever a killed run wrote after it lies in places that nobody reads.
    """

    def __init__(
        self,
        classes: int,
        slots: int,
        floats: int,
        start: Start,
        path: Path | None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__(classes, slots, floats, start, part)
        self.path = path
        self.current = torch.zeros(classes, dtype=torch.uint8)
        self.saved = self.current.clone()

    @cached_property
    def file(self) -> RecordFile:
        """Made when it is first written, so that a run that fails before that leaves nothing."""
        return RecordFile(self.path, 2 * len(self.steps), self.shape)

    def count(self, classes: Int[Tensor, " U"]) -> None:
        super().count(classes)
        chosen = classes.cpu()
        self.current[chosen] = 1 - self.saved[chosen]

    def save(self, folder: Path) -> dict[str, Tensor]:
        self.file.flush()
        return {**super().save(folder), "current": self.current}

    def commit(self) -> None:
        self.saved = self.current.clone()

    def load(self, folder: Path, tensors: dict[str, Tensor]) -> None:
        super().load(folder, tensors)
        assert self.path is not None, "a temporary bank is in no checkpoint"
        self.file = RecordFile.existing(self.path, 2 * len(self.steps), self.shape)
        self.current = tensors["current"].clone()
        self.commit()

    def _read(self, chosen: list[int], device: torch.device) -> Tensor:
        records = torch.empty(len(chosen), *self.shape, pin_memory=device.type == "cuda")
        for row, label in enumerate(chosen):
            if self.steps[label]:
                self.file.read(2 * label + int(self.current[label]), records[row])
        return records.to(device, non_blocking=True)

    def _write(self, chosen: list[int], records: Tensor) -> None:
        for label, record in zip(chosen, records.cpu(), strict=True):
            place = 1 - int(self.saved[label])
            self.file.write(2 * label + place, record)
            self.current[label] = place


class RecordFile:
    """Equal records of floats in a file; places never written take no space. ``path`` none: a temporary file.

    Read and written by plain calls: the pages of a memory map would count as the process's own memory.
    """

    def __init__(self, path: Path | None, count: int, shape: tuple[int, ...]) -> None:
        self.path = path or Path(tempfile.gettempdir())
        self.bytes = _bytes(shape)
        size = count * self.bytes
        with explained(self.path):
            if path is None:
                self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as the bank
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self.file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0)
            held = 512 * getattr(os.fstat(self.file.fileno()), "st_blocks", 0)
            self._require_room(size - held)
            self.file.truncate(size)

    @classmethod
    def existing(cls, path: Path, count: int, shape: tuple[int, ...]) -> RecordFile:
        """The file of a checkpoint. Raises :class:`RunError` if it is not there at its full size."""
        if not path.is_file() or path.stat().st_size != count * _bytes(shape):
            raise RunError(f"{path} is missing or cut off, and the checkpoint needs it; {_REMEDY}")
        return cls(path, count, shape)

    def read(self, place: int, record: Float[Tensor, "S R"]) -> None:
        """Fill a contiguous tensor in host memory."""
        self.file.seek(place * self.bytes)
        with explained(self.path):
            got = self.file.readinto(record.numpy().data.cast("B"))
        if got != self.bytes:
            raise RunError(f"{self.path} is cut off; {_REMEDY}")

    def write(self, place: int, record: Float[Tensor, "S R"]) -> None:
        rest = record.contiguous().numpy().data.cast("B")
        self.file.seek(place * self.bytes)
        with explained(self.path):
            while rest:
                rest = rest[self.file.write(rest) :]

    def flush(self) -> None:
        """Wait until the disk has everything."""
        with explained(self.path):
            os.fsync(self.file.fileno())

    def _require_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.path if self.path.is_dir() else self.path.parent).free
        if needed > free:
            raise RunError(
                f"class prompts and their optimiser state need {needed / 2**30:.1f} GiB in {self.path}, where "
                f"{free / 2**30:.1f} GiB are free; choose a run directory on another disk, or class_prompts_on=host"
            )


def _bytes(shape: tuple[int, ...]) -> int:
    """Of a record, whose numbers are of torch's default type: float32, unless all is computed in float64."""
    return torch.get_default_dtype().itemsize * prod(shape)


_REMEDY = "start again in another run directory: vptsp train --preset RUN/config.json --run-dir NEW"
