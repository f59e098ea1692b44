"""Files are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from vptsp import files
from vptsp.errors import RunError
from vptsp.files import read_json, read_tensors, write_bytes, write_json, write_tensors


def test_a_file_is_written_with_its_folders_and_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "a/b/file"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_failure_before_the_rename_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(*given: object) -> None:
        raise error

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(RunError if isinstance(error, OSError) else KeyboardInterrupt):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_process_killed_before_the_rename_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    if (child := os.fork()) == 0:
        try:
            os.replace = lambda *given: os.kill(os.getpid(), 9)  # type: ignore[assignment]
            write_bytes(path, b"new")
        finally:
            os._exit(0)  # never back into pytest
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    assert path.read_bytes() == b"old"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a small disk here: {getattr(error, 'stderr', error)}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_clear_error_and_keeps_what_was_there(small_disk: Path) -> None:
    path = small_disk / "tensors.safetensors"
    write_tensors(path, {"a": torch.zeros(10)})
    with pytest.raises(RunError, match=r"no space left while writing .*tensors\.safetensors; .*Free some space"):
        write_tensors(path, {"a": torch.ones(1_000_000)})
    assert read_tensors(path, "")["a"].tolist() == [0] * 10
    assert os.listdir(small_disk) == ["tensors.safetensors"]
    write_json(small_disk / "small.json", 1)


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*: (File exists|Not a directory); choose a place"):
        write_bytes(tmp_path / "file" / "below", b"")


def test_json_is_plain_whatever_is_in_it(tmp_path: Path) -> None:
    value = {"a": np.float32(0.5), 1: (np.int64(2), float("nan")), "p": Path("x"), "n": np.arange(2), "ü": None}
    write_json(tmp_path / "x.json", value)
    plain = {"a": 0.5, "1": [2, None], "p": "x", "n": [0, 1], "ü": None}
    assert read_json(tmp_path / "x.json", "") == plain
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == plain


@pytest.mark.parametrize("content", [b'{"a": 1', b"", b"\xff\xfe", None])
def test_damaged_json_ends_in_the_remedy(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=r"x\.json (does not exist|is damaged or cut off .*); do this$"):
        read_json(path, "do this")
    with pytest.raises(RunError, match=r"cannot be read \(Is a directory\); do this$"):
        read_json(tmp_path, "do this")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_cut_off_tensors_end_in_the_remedy(tmp_path: Path, share: float) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.arange(100), "b": torch.zeros(3, 4).T})
    assert torch.equal(read_tensors(path, "")["b"], torch.zeros(4, 3))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(RunError, match=r"x\.safetensors is damaged or cut off .*; do this$"):
        read_tensors(path, "do this")
    path.unlink()
    with pytest.raises(RunError, match=r"x\.safetensors does not exist; do this$"):
        read_tensors(path, "do this")
