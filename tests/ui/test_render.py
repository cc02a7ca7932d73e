"""A bench renders: the shortest browser test, also run against an installed wheel and sdist."""

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
    where = book.execute("print(wb.__file__)").strip()
    shown = page.evaluate(
        "async () => (await (await fetch('/lab/api/settings/workbench-ml:sidebar')).json()).id"
    )
    assert shown == "workbench-ml:sidebar"
    assert where.endswith("__init__.py")
