"""A stand-in for a bench and its runs, small enough to see everything it does.

The tests of the JupyterLab extension steer it from notebook cells: which runs a kernel has, what
they report, and which commands came back.
"""

import base64
import struct
import zlib

import anywidget
import traitlets
from comm import create_comm
from IPython.display import display

ESM = """
function render({ model, el }) {
  const box = document.createElement('div');
  box.className = 'stand-in';
  const draw = () => { box.textContent = 'live ' + model.get('word'); };
  model.on('change:word', draw);
  draw();
  el.appendChild(box);
  return () => model.off('change:word', draw);
}
export default { render };
"""


def _png(width: int = 40, height: int = 20) -> str:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = (b"\0" + b"\x33\x66\x99" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


class Bench(anywidget.AnyWidget):
    _esm = ESM
    word = traitlets.Unicode("one").tag(sync=True)

    def bundle(self, picture: str | None = None) -> dict[str, object]:
        return {
            "application/vnd.workbench.bench+json": {"model_id": self.model_id, "version": 1},
            "application/vnd.jupyter.widget-view+json": {
                "model_id": self.model_id,
                "version_major": 2,
                "version_minor": 1,
            },
            "image/png": picture or _png(),
            "text/plain": "Bench(stand-in)",
        }

    def show(self):
        return display(self.bundle(), raw=True, display_id=True)


class Runs:
    """The kernel's side of the comm "workbench.runs"."""

    def __init__(self, *rows: dict) -> None:
        self.rows = list(rows)
        self.heard: list[dict] = []
        self.comm = create_comm(target_name="workbench.runs")
        self.comm.on_msg(self._hear)
        self.send()

    def _hear(self, message: dict) -> None:
        data = message["content"]["data"]
        self.heard.append(data)
        if data.get("kind") == "command":
            state = {"pause": "paused", "stop": "stopped"}.get(data["name"], "running")
            for row in self.rows:
                if row["run_id"] == data["run_id"]:
                    row["state"] = state
        self.send()

    def send(self) -> None:
        self.comm.send({"kind": "runs", "runs": self.rows})


def row(run_id: str, name: str, model_id: str | None = None, **more: object) -> dict:
    base = {
        "run_id": run_id, "name": name, "state": "running", "step": 120, "steps_total": 400,
        "loss": 0.321, "curve": [2.3, 1.9, 1.2, 0.8, 0.5, 0.45, 0.321], "model_id": model_id,
    }  # fmt: skip
    return {**base, **more}
