"""The main job, in a real JupyterLab: the start notebook, the bench, an edit while it trains."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

START = Path(__file__).parents[2] / "notebooks" / "00_start.ipynb"

# What the loss was just before the newest mark of the run, and just after, as JSON.
AROUND_THE_EDIT = """
import json
steps, values = run.recorder.read("loss")
at = run.recorder.marks[-1].step
before, after = values[steps <= at][-40:], values[steps > at][:40]
print(json.dumps([len(before), len(after), float(before.mean()), float(before.std()),
                  float(after.mean()), float(after[:1].mean())]))
"""


@pytest.fixture
def start(notebook, context):
    """The start notebook, run from top to bottom."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    book = notebook(START)
    book.run_all(timeout=400_000)  # it trains for 800 steps, perhaps on a busy machine
    return book


SMALL = [
    """
import workbench as wb
from workbench import nn
wb.manual_seed(0)
data = wb.data.datasets.digits()
net = wb.Network((1, 8, 8), name="digits")
net.append(nn.Flatten(), name="flatten")
net.append(nn.Linear(64, 16), name="hidden")
net.append(nn.ReLU(), name="relu")
net.append(nn.Linear(16, 10), name="scores")
""",
    "bench = wb.Bench(net, data)\nbench",
]


@pytest.fixture
def small(notebook):
    """A small network on the bench, not trained yet."""
    book = notebook(SMALL)
    book.run_all()
    return book


def in_state(bench, words: str):
    expect(bench.get_by_test_id("wb-state")).to_have_text(re.compile(words, re.IGNORECASE))


def bench_of(page: Page):
    bench = page.locator(".jp-Notebook").get_by_role("region", name="Bench of digits")
    expect(bench).to_be_visible()
    bench.scroll_into_view_if_needed()
    return bench


def step_of(book) -> int:
    return int(book.execute("print(run.step_count)"))


def steps_go_on(book, beyond: int) -> None:
    """Until the run has made more steps; the cell waits inside the kernel."""
    book.execute(
        f"import asyncio\nwhile run.step_count <= {beyond}:\n    await asyncio.sleep(0.01)"
    )


def test_three_minutes(start, page, shoot):
    book = start
    bench = bench_of(page)
    in_state(bench, "paused")
    assert book.execute("print(accuracy >= 0.95)").strip() == "True"

    # On it goes, and a layer is added by clicks: a ReLU after a ReLU changes nothing.
    bench.get_by_test_id("wb-toggle").click()
    in_state(bench, "running")
    before = step_of(book)
    steps_go_on(book, before + 100)
    layers = bench.get_by_test_id("wb-node")
    expect(layers).to_have_count(7)
    bench.get_by_role("button", name="Insert a layer between relu2 and scores").click()
    bench.get_by_role("searchbox", name="Find a layer").fill("ReLU")
    bench.get_by_test_id("wb-palette").get_by_role("button", name="ReLU", exact=True).click()
    form = bench.get_by_test_id("wb-new-layer")
    form.get_by_test_id("wb-layer-name").fill("again")
    form.get_by_test_id("wb-apply").click()
    expect(layers).to_have_count(8)
    expect(bench.get_by_role("button", name=re.compile("^again"))).to_be_visible()
    assert book.execute("print(run.state)").strip() == "running"
    at = int(book.execute("print(run.recorder.marks[-1].step)"))
    steps_go_on(book, at + 50)
    count_before, count_after, mean, spread, mean_after, first = json.loads(
        book.execute(AROUND_THE_EDIT)
    )
    assert count_before >= 40
    assert count_after >= 40
    assert mean_after <= mean + 3 * spread + 0.02, "the loss jumped at an edit that changes nothing"
    assert first <= mean + 5 * spread + 0.05
    bench.scroll_into_view_if_needed()
    shoot("bench-training")

    # Back, and pause.
    bench.get_by_role("button", name="Undo").first.click()
    expect(layers).to_have_count(7)
    bench.get_by_test_id("wb-toggle").click()
    in_state(bench, "paused")
    paused_at = step_of(book)
    assert step_of(book) == paused_at

    # The code of it all, and the code runs.
    bench.get_by_role("tab", name=re.compile("History")).click()
    bench.get_by_role("button", name="Copy network code").click()
    expect(bench.get_by_test_id("wb-copy-code")).to_have_text("Copied")
    code = page.evaluate("() => navigator.clipboard.readText()")
    shoot("bench-history")
    said = book.execute(f"{code}\nx = data.test[:5][0]\nprint(model(x).shape == net(x).shape)")
    assert said.strip() == "True"

    # Close the tab; nothing is left behind (the console is checked by the fixture).
    book.save()
    book.command("application:close")
    expect(page.locator(".jp-Notebook")).to_have_count(0)


def test_an_edit_that_does_not_fit_is_refused_in_place(small, page):
    book = small
    bench = bench_of(page)
    before = book.execute("print(net.summary())")
    bench.get_by_role("button", name="Insert a layer between relu and scores").click()
    bench.get_by_role("searchbox", name="Find a layer").fill("Conv2d")
    bench.get_by_test_id("wb-palette").get_by_role("button", name="Conv2d", exact=True).click()
    form = bench.get_by_test_id("wb-new-layer")
    expect(form).to_contain_text("Conv2d")
    expect(form.get_by_test_id("wb-refusal")).to_be_visible()
    expect(form.get_by_test_id("wb-apply")).to_be_disabled()
    page.keyboard.press("Escape")
    assert book.execute("print(net.summary())") == before


def test_cells_answer_and_rerunning_leaves_one_bench(small, page):
    book = small
    bench = bench_of(page)
    bench.get_by_test_id("wb-toggle").click()
    in_state(bench, "running")
    assert book.execute("print(1 + 1)").strip() == "2"
    # The cell that made the bench runs again: the old run ends, a new bench takes its place.
    index = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.findIndex("
        "cell => cell.model.sharedModel.source.startsWith('bench = '))"
    )
    book.execute("old = bench.run")
    page.evaluate(
        "index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index; }",
        index,
    )
    book.command("notebook:run-cell")
    in_state(bench, "ready")
    expect(
        page.locator(".jp-Notebook").get_by_role("region", name="Bench of digits")
    ).to_have_count(1)
    assert book.execute("print(old.state, bench.run is old)").strip() == "stopped False"
    threads = book.execute(
        "import threading; print(sum(t.name.startswith('workbench-run') for t in "
        "threading.enumerate()))"
    )
    assert threads.strip() == "0"


def test_two_views_of_one_run_stay_in_step(small, page):
    book = small
    book.execute("wb.Bench(bench.run)")
    both = page.locator(".jp-Notebook").get_by_role("region", name="Bench of digits")
    expect(both).to_have_count(2)
    both.nth(1).get_by_test_id("wb-toggle").click()
    for view in (0, 1):
        in_state(both.nth(view), "running")
    both.nth(0).get_by_test_id("wb-toggle").click()
    for view in (0, 1):
        in_state(both.nth(view), "paused")


def test_a_reopened_notebook_shows_the_picture(small, page):
    book = small
    bench_of(page)
    book.save()
    page.goto("about:blank")
    book.lab.shut_down_kernels()
    page.goto(f"{book.lab.url}/lab/tree/{book.path}?reset")
    book.wait_ready()
    output = page.locator(".jp-OutputArea .jp-WorkbenchBench")
    output.scroll_into_view_if_needed()
    expect(output.locator("img")).to_be_visible()
    expect(page.get_by_text("model not found")).to_have_count(0)
