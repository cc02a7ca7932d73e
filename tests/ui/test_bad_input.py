"""Bad input at the bench: said in words, nothing changed, the run alive, names only ever text."""

import re

from playwright.sync_api import Page, expect

HOSTILE = "<img src=x onerror=alert(1)>"

CELLS = [
    f"""
import numpy as np
import workbench as wb
from workbench import nn
wb.manual_seed(0)
train, test = wb.data.datasets.digits()
x, y = train.tensors[0].numpy().copy(), train.tensors[1].numpy().copy()
net = wb.Network((1, 8, 8), name="digits")
net.append(nn.Flatten(), name="flatten")
net.append(nn.Linear(64, 16), name={HOSTILE!r})
net.append(nn.ReLU(), name="relu")
net.append(nn.Linear(16, 10), name="scores")
""",
    "bench = wb.Bench(net, (x, y))\nrun = bench.run\nbench",
]

WEIGHTS = "import hashlib; print(hashlib.sha1(b''.join(p.array.tobytes() for p in net.parameters())).hexdigest())"  # noqa: E501


def _bench(page: Page):
    bench = page.locator(".jp-Notebook").get_by_role("region", name="Bench of digits")
    expect(bench).to_be_visible()
    bench.scroll_into_view_if_needed()
    return bench


def test_nan_data_pauses_the_run_and_says_where(notebook, page):
    book = notebook(CELLS)
    book.run_all()
    bench = _bench(page)
    book.execute("run.train(steps=3)")
    weights = book.execute(WEIGHTS)
    book.execute("x[:] = np.nan")
    bench.get_by_test_id("wb-toggle").click()
    trouble = bench.get_by_test_id("wb-trouble")
    expect(trouble).to_be_visible()
    expect(trouble).to_contain_text(re.compile("nan", re.IGNORECASE))
    assert book.execute(WEIGHTS) == weights, "no update was made of nan"
    # The data mended, the same run goes on.
    book.execute("x[:] = train.tensors[0].numpy()")
    bench.get_by_test_id("wb-resume").click()
    expect(trouble).to_have_count(0)
    book.execute("import asyncio\nwhile run.step_count < 8:\n    await asyncio.sleep(0.01)")


def test_a_label_out_of_range_is_named(notebook, page):
    book = notebook([CELLS[0] + "y[:] = 10\n", CELLS[1]])
    book.run_all()
    bench = _bench(page)
    bench.get_by_test_id("wb-toggle").click()
    expect(bench.get_by_test_id("wb-trouble")).to_contain_text("10")
    assert book.execute("print(run.state, run.step_count)").strip() == "failed 0"


def test_a_hostile_name_is_text_everywhere(notebook, page):
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    book = notebook(CELLS)
    book.run_all()
    bench = _bench(page)
    node = bench.locator("[data-testid=wb-node]", has_text=HOSTILE)
    expect(node).to_have_count(1)
    node.click()
    expect(bench.get_by_test_id("wb-layer-panel")).to_contain_text(HOSTILE)
    book.execute("run.train(steps=12)")
    for tab in ("gradients", "predictions", "history", "curves"):
        bench.get_by_test_id(f"wb-tab-{tab}").click()
        expect(bench.get_by_test_id(f"wb-panel-{tab}")).to_be_visible()
    assert bench.locator("img[src=x]").count() == 0
    assert dialogs == []
