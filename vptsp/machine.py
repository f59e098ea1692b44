"""Device and precision, chosen from what the machine does fast."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from vptsp.attention_times import AttentionTimes
from vptsp.core.backbones.kernels import measure_by, multiplies_bf16
from vptsp.errors import ConfigError

if TYPE_CHECKING:
    import lightning_fabric as lightning


def make_fabric(
    device: str = "auto", precision: str = "auto", several: dict[str, Any] | None = None
) -> lightning.Fabric:
    """A Fabric for a device (auto, cpu, cuda, cuda:1, mps) and a precision (auto, fp32, bf16, fp16).

    From then on this process takes the attention that is faster here (:mod:`vptsp.attention_times`).

    ``several``: its other arguments in a world of processes, the number of ``devices`` of this machine among them.
    Raises :class:`ConfigError` for devices and precisions that this machine does not have.
    """
    accelerator, devices = _device(device)
    if several is not None:
        require_devices(device, several["devices"])
    if precision == "auto":
        precision = "bf16" if fast_bf16(accelerator) else "fp32"
    if precision == "fp16" and accelerator == "cpu":
        raise ConfigError("precision='fp16' needs a GPU, and there is none here; use bf16 or fp32")
    kind = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}[precision]
    import lightning_fabric as lightning

    for name in ("lightning_fabric", "lightning.fabric"):  # imported, they announce the precision that they are told
        logging.getLogger(name).setLevel(logging.WARNING)
    measure_by(AttentionTimes.of_this_user())
    options: dict[str, Any] = {"devices": devices, **(several or {})}
    return lightning.Fabric(accelerator=accelerator, precision=kind, **options)  # type: ignore[arg-type]


def require_devices(device: str, count: int) -> None:
    """Raise :class:`ConfigError` unless this machine has ``count`` devices of that kind; processors it has any number.

    Asks the driver without starting it, so that processes can still be forked.
    """
    kind, _, index = device.partition(":")
    if index:
        raise ConfigError(f"device={device!r} names one device, and devices={count} are asked for; use device={kind}")
    if kind == "mps":
        raise ConfigError(f"device='mps' is one device, and devices={count} are asked for; use devices=1 or device=cpu")
    if kind == "cpu" or (kind == "auto" and not torch.cuda.device_count()):
        return
    if count > torch.cuda.device_count():
        raise ConfigError(
            f"devices={count} are more than the {torch.cuda.device_count()} CUDA device(s) of this machine; use as "
            "many as there are, or device=cpu"
        )


def fast_bf16(accelerator: str) -> bool:
    """Whether the hardware multiplies bf16 natively: CUDA from Ampere on, CPUs with AVX512-BF16 or AMX."""
    if accelerator == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if accelerator == "mps":
        return False
    return multiplies_bf16()


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """torch's number of threads is the same afterwards, whatever else sets it.

    UMAP is compiled by numba, which tells OpenMP, and so torch in the same process, to use all processors: who had
    limited them found torch's threads waiting for each other, 15 times slower on tensors of a small model.
    """
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _device(name: str) -> tuple[str, int | list[int]]:
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda", [torch.cuda.current_device()]
        return ("mps", 1) if torch.backends.mps.is_available() else ("cpu", 1)
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not index.isdigit()):
        raise ConfigError(f"device={name!r} is not known; legal: auto, cpu, cuda, cuda:0, cuda:1, ..., mps")
    if kind == "cuda":
        count = torch.cuda.device_count()
        if int(index or 0) >= count:
            raise ConfigError(
                f"device={name!r} does not exist: this machine has {count} CUDA device(s); use auto or cpu"
            )
        return "cuda", [int(index or 0)]
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device='mps' is not available on this machine; use auto or cpu")
    return kind, 1
