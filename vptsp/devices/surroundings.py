"""Which process of which world this one is, as torchrun, srun or :mod:`vptsp.devices.launch` have told it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from vptsp.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """``rank`` of ``size`` processes, ``local_rank`` of the ``local_size`` on this machine; ``slurm``: by srun."""

    rank: int
    size: int
    local_rank: int
    local_size: int
    slurm: bool = False

    @property
    def nodes(self) -> int:
        """Machines, all with as many processes."""
        return self.size // self.local_size


def surroundings(environment: Mapping[str, str] = os.environ) -> Place | None:
    """This process's place in a world of several; none where it stands alone.

    torchrun's variables count first. Of SLURM's only those of a step with several tasks do, which srun sets: a script
    of sbatch has an allocation of many tasks around it and is one process all the same.
    Raises :class:`ConfigError` for processes that are not spread evenly over machines.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        rank, size, local_rank, local_size = (_number(environment, name) for name in names)
        place = Place(rank, size, local_rank, local_size)
    elif int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
        size, nodes = _number(environment, "SLURM_STEP_NUM_TASKS"), int(environment.get("SLURM_STEP_NUM_NODES", 1))
        if size % nodes:
            raise ConfigError(
                f"srun started {size} tasks on {nodes} machines, which is not as many on each; "
                "ask for the same number of tasks on each, one for each device"
            )
        rank, local_rank = _number(environment, "SLURM_PROCID"), _number(environment, "SLURM_LOCALID")
        place = Place(rank, size, local_rank, size // nodes, slurm=True)
    else:
        return None
    if place.size % place.local_size:
        raise ConfigError(
            f"{place.size} processes with {place.local_size} on this machine are not as many on each; give torchrun "
            "the same number of processes everywhere"
        )
    return place if place.size > 1 else None


def is_first(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the one that writes and speaks."""
    place = surroundings(environment)
    return place is None or place.rank == 0


def _number(environment: Mapping[str, str], name: str) -> int:
    value = environment.get(name, "")
    if not value.isdigit():
        raise ConfigError(
            f"{name}={value!r} does not say which process this is; start all of them with torchrun or srun, or none of "
            "them and give devices=N"
        )
    return int(value)
