"""A bench renders: the shortest browser test, also run against an installed wheel and sdist."""

import os
from pathlib import Path

from playwright.sync_api import expect

CELL = """
import workbench as wb
from workbench import nn
net = wb.Network((4,), name="small")
net.append(nn.Linear(4, 2))
data = wb.data.TensorDataset(wb.randn(32, 4), wb.tensor([0, 1] * 16))
bench = wb.Bench(net, data)
bench
"""


def test_a_bench_renders(notebook, page, shoot):
    book = notebook([CELL])
    book.run_all()
    bench = page.locator(".jp-WorkbenchBench.jp-mod-live")
    expect(bench.get_by_role("button").first).to_be_visible(timeout=30_000)
    shoot("render")
    python = os.environ.get("WORKBENCH_LAB_PYTHON")
    if python is not None:  # it is that environment's workbench which was seen
        where = Path(book.execute("print(wb.__file__)").strip())
        assert Path(python).parents[1] in where.parents
