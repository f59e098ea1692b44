"""Fetch an archive so that a lost connection costs nothing: resume where it stopped, check it, unpack it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from vptsp.data.set_description import Archive
from vptsp.errors import DataError

BLOCK = 1 << 20
PATIENCE = 60  # seconds without a byte


def fetch(archive: Archive, root: Path) -> Iterator[tuple[int, int | None]]:
    """Makes ``root/<archive.makes>``; yields bytes so far and in all (none: unknown) after each block.

    What came before an interruption is kept as ``<file>.part`` and gone on with. Raises DataError in one sentence
    for a refusal of the server, a lost connection, a wrong checksum (the file is removed), or a full disk.
    """
    if (root / archive.makes).exists():
        return
    file = root / (archive.url.rsplit("/", 1)[-1] + ".part")
    try:
        root.mkdir(parents=True, exist_ok=True)
        yield from _receive(archive.url, file)
        found = _md5(file)
        if found != archive.md5:
            file.unlink()
            raise DataError(
                f"{archive.url}: expected a file with md5 {archive.md5}, received one with {found}; it is removed, "
                "so run the command again, and if it stays so get the file by hand"
            )
        _place(file, root, archive)
    except (HTTPError, URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"{archive.url} cannot be fetched ({reason}); what came is kept in {file}, run the command again to go on"
        ) from None
    except OSError as error:
        raise DataError(f"cannot write {root} ({error.strerror or error}); free some space and run it again") from None


def _receive(url: str, file: Path) -> Iterator[tuple[int, int | None]]:
    have = file.stat().st_size if file.exists() else 0
    try:
        response = urlopen(Request(url, headers={"Range": f"bytes={have}-"} if have else {}), timeout=PATIENCE)
    except HTTPError as error:
        if error.code != 416 or not have:  # 416: nothing is left to send
            raise
        return
    with response:
        if response.status != 206:  # the server sends all of it, whatever was asked for
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with file.open("ab" if have else "wb") as out:
            while block := response.read(BLOCK):
                out.write(block)
                have += len(block)
                yield have, total
        if total is not None and have < total:
            raise ConnectionError(f"the connection ended after {have:,} of {total:,} bytes")


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def _unpack(content: tarfile.TarFile, folder: Path) -> None:
    """Unpacks what stays inside ``folder``; an archive that would write elsewhere is a TarError.

    By the standard library's own filter, which Python has from 3.11.4 on; the releases before it, Debian 12's among
    them, get the plain files and folders alone, which is all that data sets hold.
    """
    if hasattr(tarfile, "data_filter"):
        content.extractall(folder, filter="data")
        return
    inside = folder.resolve()
    for member in content:
        if not (inside / member.name).resolve().is_relative_to(inside):
            raise tarfile.ReadError(f"{member.name!r} would be unpacked outside of the folder")
        if member.isfile() or member.isdir():
            member.mode = 0o755 if member.isdir() else 0o644
            content.extract(member, folder, set_attrs=False)


def _place(file: Path, root: Path, archive: Archive) -> None:
    """Moves the file, or what is in it, to its place in one step, so that half of it is never there."""
    if not archive.url.endswith((".tgz", ".tar.gz", ".tar")):
        os.replace(file, root / archive.makes)
        return
    with tempfile.TemporaryDirectory(dir=root, prefix=".unpacking.") as folder:
        try:
            with tarfile.open(file) as content:
                _unpack(content, Path(folder))
        except tarfile.TarError as error:
            raise DataError(f"{file} cannot be unpacked ({error}); remove it and run the command again") from None
        if not (Path(folder) / archive.makes).exists():
            raise DataError(f"{archive.url} does not hold {archive.makes}; get the data set by hand")
        for part in sorted(Path(folder).iterdir(), key=lambda p: p.name == archive.makes):
            if not (root / part.name).exists():
                shutil.move(part, root / part.name)
    file.unlink()
