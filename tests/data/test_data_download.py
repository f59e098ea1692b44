"""Downloads from a server in the test that can hang up, refuse ranges, and send something else."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import vptsp.data.download
from vptsp.data.download import fetch
from vptsp.data.set_description import Archive
from vptsp.errors import DataError


class Server(ThreadingHTTPServer):
    files: dict[str, bytes]
    hang_up_after: int | None = None  # bytes of the next answer
    ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked = {}, []  # type: ignore[var-annotated]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        content = self.server.files.get(self.path)
        if content is None:
            return self.send_error(404)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = None if self.server.hang_up_after is None else start + self.server.hang_up_after
        self.wfile.write(content[start:stop])
        self.server.hang_up_after = None
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(vptsp.data.download, "BLOCK", 100)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def tgz(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def offered(server: Server, name: str, content: bytes, makes: str, md5: str | None = None) -> Archive:
    server.files[f"/{name}"] = content
    return Archive(f"http://127.0.0.1:{server.server_port}/{name}", md5 or hashlib.md5(content).hexdigest(), makes)


NOISE = bytes(n * n % 251 for n in range(5000))


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_transfer_goes_on(server: Server, tmp_path: Path, ranges: bool) -> None:
    archive = offered(server, "birds.tgz", tgz("birds/images/one.jpg", NOISE), "birds")
    size = len(server.files["/birds.tgz"])
    server.hang_up_after, server.ranges = 250, ranges
    with pytest.raises(
        DataError, match=r"cannot be fetched \(the connection ended after 250 of .*run the command again"
    ):
        list(fetch(archive, tmp_path))
    assert (tmp_path / "birds.tgz.part").stat().st_size == 250
    assert not (tmp_path / "birds").exists()
    steps = list(fetch(archive, tmp_path))
    assert server.asked == [None, "bytes=250-"]
    assert steps[-1] == (size, size)
    assert steps[0][0] == (350 if ranges else 100)
    assert (tmp_path / "birds/images/one.jpg").read_bytes() == NOISE
    assert [file.name for file in tmp_path.iterdir()] == ["birds"]
    assert list(fetch(archive, tmp_path)) == []  # it is there
    assert len(server.asked) == 2


def test_a_transfer_that_was_complete_is_checked_and_unpacked(server: Server, tmp_path: Path) -> None:
    archive = offered(server, "birds.tgz", tgz("birds/one.jpg", NOISE), "birds")
    (tmp_path / "birds.tgz.part").write_bytes(server.files["/birds.tgz"])
    list(fetch(archive, tmp_path))
    assert (tmp_path / "birds/one.jpg").read_bytes() == NOISE


def test_a_wrong_checksum_is_told_and_the_file_removed(server: Server, tmp_path: Path) -> None:
    archive = offered(server, "list.mat", NOISE, "list.mat", md5="0" * 32)
    found = hashlib.md5(NOISE).hexdigest()
    with pytest.raises(DataError, match=rf"expected a file with md5 0{{32}}, received one with {found}; it is removed"):
        list(fetch(archive, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_plain_file_is_put_in_its_place(server: Server, tmp_path: Path) -> None:
    list(fetch(offered(server, "list.mat", NOISE, "list.mat"), tmp_path / "new folder"))
    assert (tmp_path / "new folder/list.mat").read_bytes() == NOISE


def test_refusals_are_one_sentence(server: Server, tmp_path: Path) -> None:
    gone = Archive(f"http://127.0.0.1:{server.server_port}/gone.tgz", "0" * 32, "gone")
    with pytest.raises(DataError, match=r"gone.tgz cannot be fetched \(Not Found\); what came is kept"):
        list(fetch(gone, tmp_path))
    other = offered(server, "other.tgz", tgz("something/else.txt", b"x"), "birds")
    with pytest.raises(DataError, match="does not hold birds; get the data set by hand"):
        list(fetch(other, tmp_path))
    climbing = offered(server, "climbing.tgz", tgz("../outside.txt", b"x"), "birds")
    with pytest.raises(DataError, match=r"climbing.tgz.part cannot be unpacked"):
        list(fetch(climbing, tmp_path / "in"))
    assert not (tmp_path / "outside.txt").exists()
