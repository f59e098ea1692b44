"""What attention was measured to take on this machine, kept from one process to the next.

``attention.json`` in the cache folder (``VPTSP_CACHE``) holds the seconds of each way of computing it, by processor or
GPU, torch, number of threads, and shape. One process at a time measures, the others wait and read, so that all choose
alike; the file may be deleted at any time, after which a run that is resumed may differ in rounding. Where nothing can
be written, or ``VPTSP_ATTENTION=rule`` asks for the same choice on all machines, nothing is measured, and
:func:`vptsp.core.backbones.attention.rule_for` decides.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import filelock
import torch

from vptsp.errors import ConfigError, RunError
from vptsp.files import write_json
from vptsp.home import cache_folder

Times = dict[str, dict[str, float]]  # seconds of each way, by shape
HOW = "VPTSP_ATTENTION"  # "rule": nothing is measured
WAIT = 20.0  # seconds for another process that measures


class AttentionTimes:
    """The file ``attention.json`` of a folder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "attention.json"
        self._usable = True

    @classmethod
    def of_this_user(cls) -> AttentionTimes | None:
        """That of the cache folder; none where there is no home directory, or where the rule is to decide.

        Raises ConfigError for a ``VPTSP_ATTENTION`` that means nothing.
        """
        if how := os.environ.get(HOW):
            if how != "rule":
                raise ConfigError(
                    f"{HOW}={how!r} in the environment is unknown; legal: rule, or nothing to have attention timed. "
                    "attention=fused or matmul is a setting of a run"
                )
            return None
        try:
            return _of(cache_folder())
        except RuntimeError:
            return None

    def read(self) -> dict[str, Times]:
        """Everything that is kept, by device; nothing where the file is missing, and no more than is whole in it."""
        with suppress(OSError, ValueError, AttributeError):
            found = json.loads(self.file.read_text(encoding="utf-8"))
            return {
                device: {shape: _numbers(seconds) for shape, seconds in times.items()}
                for device, times in found.items()
            }
        return {}

    def times(self, device: torch.device, shape: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Seconds of each way for this shape, measured if they are not known; empty where they cannot be kept."""
        name = device_name(device)
        if shape in (known := self.read().get(name, {})):
            return known[shape]
        if not self._usable:
            return {}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.file.with_suffix(".lock"), timeout=WAIT):
                everything = self.read()  # another process may have measured it meanwhile
                known = everything.setdefault(name, {})
                if shape not in known:
                    known[shape] = measure()
                    write_json(self.file, everything)
                return known[shape]
        except (OSError, RunError, NotImplementedError):  # a full disk, no locks, somebody who measures for ever
            self._usable = False
            return {}


@cache  # one for each folder: it remembers that its file cannot be written
def _of(folder: Path) -> AttentionTimes:
    return AttentionTimes(folder)


def _numbers(found: object) -> dict[str, float]:
    """What may have been edited or damaged, as times that can be compared."""
    if not isinstance(found, dict):
        return {}
    return {str(way): float(taken) for way, taken in found.items() if isinstance(taken, int | float) and taken > 0}


@cache
def processor() -> str:
    """The processor's name as the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """What the times of a device depend on beside the shape."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    if device.type != "cpu":
        return f"{device.type}, {platform.machine()}, torch {torch.__version__}"
    level = torch.backends.cpu.get_cpu_capability()
    return f"{processor()}, {level}, {torch.get_num_threads()} threads, torch {torch.__version__}"
