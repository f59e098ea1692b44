"""One widget of the anywidget kind on a page of its own, served on this machine, without a notebook around it.

``benchmarks.view_peers`` shows the map and its peers so, each in the same way: state and buffers come over HTTP as they
would from a kernel, and messages go back to the widget in Python. As a program it serves a peer's widget and prints its
port, so that a peer can live in an environment of its own: ``python benchmarks/widget_host.py jupyter-scatter
points.npz``. It imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PAGE = """<!doctype html><html data-theme="light"><meta charset="utf-8"><link rel="icon" href="data:,">
<style>body { margin: 8px; background: white; } #view { width: 1180px; height: 860px; }</style>
<link rel="stylesheet" href="/style.css"><div id="view"></div>
<script type="module">
const [module, { state, paths }] = await Promise.all([import("/module.js"), fetch("/state").then((got) => got.json())]);
await Promise.all(paths.map(async (path, at) => {
  const bytes = new DataView(await (await fetch(`/buffer/${at}`)).arrayBuffer());
  const last = path.pop();
  path.reduce((part, key) => part[key], state)[last] = bytes;
}));
const listeners = new Map();
const fire = (name, ...parts) => [...(listeners.get(name) ?? [])].forEach((act) => act(...parts));
const model = {
  get: (name) => state[name],
  set(name, value) {
    if (typeof name === "object") return Object.entries(name).forEach(([key, one]) => model.set(key, one));
    if (state[name] === value) return;
    state[name] = value;
    fire(`change:${name}`, model, value);
    fire("change", model);
  },
  save_changes() {},
  on(names, act) {
    names.split(" ").forEach((name) => listeners.set(name, [...(listeners.get(name) ?? []), act]));
  },
  off(names, act) {
    if (!names) listeners.clear();
    else for (const name of names.split(" ")) {
      listeners.set(name, (listeners.get(name) ?? []).filter((one) => act && one !== act));
    }
  },
  async send(content) {
    const answered = await fetch("/message", { method: "POST", body: JSON.stringify(content) });
    const bytes = new Uint8Array(await answered.arrayBuffer());
    const end = bytes.indexOf(10);
    let at = end + 1;
    for (const { content: answer, sizes } of JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)))) {
      const buffers = sizes.map((size) => new DataView(bytes.slice((at += size) - size, at).buffer));
      fire("msg:custom", answer, buffers);
    }
  },
  widget_manager: {},
};
const given = typeof module.default === "function" ? await module.default() : module.default ?? module;
const parts = { model, el: document.getElementById("view"), experimental: { invoke: async () => [null, []] } };
await given.initialize?.(parts);
await given.render(parts);
</script></html>"""


def serve(widget: Any) -> ThreadingHTTPServer:
    """The widget on http://127.0.0.1:PORT/, from a thread of its own until it is shut down."""
    from ipywidgets.widgets.widget import _remove_buffers

    state, paths, buffers = _remove_buffers(widget.get_state())
    skipped = {"layout", "comm", "_esm", "_css", "_anywidget_id", "tooltip", "tabbable"}
    kept = json.dumps({"state": {k: v for k, v in state.items() if k not in skipped}, "paths": paths}, default=str)
    sent: list[tuple[Any, Sequence[Any]]] = []
    widget.send = lambda content, buffers=(): sent.append(
        (content, [memoryview(one).cast("B") for one in buffers or ()])
    )
    lock = threading.Lock()
    texts = {
        "/": ("text/html", PAGE),
        "/module.js": ("text/javascript", str(widget._esm)),
        "/style.css": ("text/css", str(getattr(widget, "_css", ""))),
        "/state": ("application/json", kept),
    }
    known = {path: (kind, text.encode()) for path, (kind, text) in texts.items()}

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Requests are not news."""

        def answer(self, kind: str, *parts: Any, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(sum(len(part) for part in parts)))
            self.end_headers()
            for part in parts:
                self.wfile.write(part)

        def do_GET(self) -> None:
            if self.path.startswith("/buffer/"):
                self.answer("application/octet-stream", memoryview(buffers[int(self.path[8:])]).cast("B"))
            elif self.path in known:
                self.answer(*known[self.path])
            else:
                self.answer("text/plain", b"", status=404)

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                sent.clear()
                widget._handle_custom_msg(content, [])  # as ipywidgets calls it; one peer has its own
                answers = list(sent)
            head = [{"content": content, "sizes": [len(one) for one in parts]} for content, parts in answers]
            self.answer(
                "application/octet-stream",
                json.dumps(head, default=str).encode() + b"\n",
                *(p for _, ps in answers for p in ps),
            )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


# --- the peers ----------------------------------------------------------------------------------------
def jupyter_scatter(table: Any) -> Any:
    import jscatter

    plot = jscatter.Scatter(data=table, x="x", y="y", color_by="class", width=880, height=580)
    return plot.widget


def embedding_atlas(table: Any) -> Any:
    from embedding_atlas.widget import EmbeddingAtlasWidget

    return EmbeddingAtlasWidget(table, x="x", y="y", text="id", labels="disabled")


PEERS: dict[str, Callable[[Any], Any]] = {"jupyter-scatter": jupyter_scatter, "embedding-atlas": embedding_atlas}


def main() -> None:
    import numpy as np
    import pandas as pd

    name, file = sys.argv[1:]
    points = np.load(Path(file))
    table = pd.DataFrame({"x": points["places"][:, 0], "y": points["places"][:, 1]})
    table["class"] = pd.Categorical.from_codes(
        points["labels"], [f"class {label}" for label in range(int(points["labels"].max()) + 1)]
    )
    table["id"] = [f"image/{row:07}" for row in range(len(table))]
    if name == "embedding-atlas":
        table["class"] = table["class"].astype(str)
    server = serve(PEERS[name](table))
    print(server.server_port, flush=True)
    sys.stdin.read()  # until whoever started it has done


if __name__ == "__main__":
    main()
