"""Worlds of processes in tests: forked, told their places as torchrun would, and asked what each has found."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import fork_client
import forks
import torch
from processes import Process


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def places(size: int, port: int | None = None) -> list[dict[str, str]]:
    """The environment of each process of a world on this machine, as torchrun makes it."""
    shared = {
        "WORLD_SIZE": size,
        "LOCAL_WORLD_SIZE": size,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port or free_port(),
    }
    shared["GLOO_SOCKET_IFNAME"] = "lo"
    return [{name: str(value) for name, value in {**shared, "RANK": r, "LOCAL_RANK": r}.items()} for r in range(size)]


def start(
    function: Callable[..., Any], arguments: Sequence[Any], folder: Path, environments: Sequence[dict[str, str]]
) -> list[Process]:
    """Start ``function(*arguments)`` in a process for each environment; :func:`results` waits for what they return."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for rank, environment in enumerate(environments):
        call = pickle.dumps((_run, (function, tuple(arguments), folder / f"{rank}.result")))
        with (folder / f"{rank}.log").open("w") as log, open(os.devnull) as nothing:
            files = (nothing.fileno(), log.fileno(), log.fileno())
            asked = {"path": sys.path, "call": call, "environment": {**os.environ, **environment}}
            found.append(Process(*fork_client.ask(forks.address(), files, **asked)))
    return found


def results(processes: Sequence[Process], folder: Path, seconds: float = 240) -> list[Any]:
    """What each process returned. Raises AssertionError, with what all of them printed, if one failed."""
    for process in processes:
        process.join(seconds)
    said = {path.name: path.read_text() for path in sorted(folder.glob("*.log"))}
    for process in processes:
        alive = process.is_alive()
        process.kill()
        assert not alive, f"a process did not end; they said {said}"
    codes = [process.exitcode for process in processes]
    assert codes == [0] * len(codes), f"processes ended with {codes}; they said {said}"
    return [pickle.loads((folder / f"{rank}.result").read_bytes()) for rank in range(len(processes))]


def in_world(size: int, function: Callable[..., Any], *arguments: Any, folder: Path) -> list[Any]:
    """What ``function(*arguments)`` returns in each process of a world."""
    return results(start(function, arguments, folder, places(size)), folder)


def _run(function: Callable[..., Any], arguments: tuple[Any, ...], result: Path) -> None:
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    torch.set_num_threads(1)
    try:
        found = function(*arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # the others of its world are not waited for
    result.write_bytes(pickle.dumps(found))
    os._exit(0)


@contextlib.contextmanager
def in_double(blocks: int = 2) -> Iterator[None]:
    """Everything in float64, also what says ``.float()``; timm's smallest ViT has so many of its six blocks."""
    import timm

    from vptsp.data.loaders import TransformedImages

    create, load = timm.create_model, TransformedImages._item

    def short(name: str, **keywords: Any) -> Any:
        return create(name, **({"depth": blocks} if name == "test_vit" else {}), **keywords)

    def double(self: Any, draw: Any) -> Any:
        image, label, position = load(self, draw)
        return image.to(torch.float64), label, position

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with (
            mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
            mock.patch.object(timm, "create_model", short),
            mock.patch.object(TransformedImages, "_item", double),
        ):
            yield
    finally:
        torch.set_default_dtype(before)
