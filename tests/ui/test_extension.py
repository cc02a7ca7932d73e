"""The JupyterLab extension, with a stand-in for the bench: sidebar, launcher, tabs, outputs."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

STAND_IN = Path(__file__).with_name("stand_in.py")
IMPORT = "from stand_in import *"


def sidebar(page: Page):
    """Open the workbench's sidebar and return its list's items."""
    page.evaluate("() => { void window.jupyterapp.commands.execute('workbench:show-runs'); }")
    panel = page.get_by_role("region", name="Workbench runs")
    expect(panel).to_be_visible()
    return panel


def test_sidebar_lists_runs_and_pauses_them(notebook, page, shoot):
    book = notebook(
        [IMPORT, "runs = Runs(row('a', 'digits'), row('b', '<b>second</b>', state='paused'))"],
        files=[STAND_IN],
    )
    panel = sidebar(page)
    expect(panel).to_contain_text("No run is alive")
    book.run_all()
    items = panel.get_by_role("listitem")
    expect(items).to_have_count(2)
    expect(items.nth(0)).to_contain_text("digits")
    expect(items.nth(0)).to_contain_text("step 120 of 400 · loss 0.321")
    expect(items.nth(0).get_by_role("img", name="Loss from 2.30 to 0.321")).to_be_visible()
    expect(items.nth(1)).to_contain_text("<b>second</b>")  # text, never markup
    shoot("sidebar")

    items.nth(0).get_by_role("button", name="Pause “digits”").click()
    expect(items.nth(0)).to_contain_text("paused")
    items.nth(0).get_by_role("button", name="Resume “digits”").click()
    expect(items.nth(0)).to_contain_text("training")
    heard = json.loads(book.execute("import json; print(json.dumps(runs.heard))"))
    assert [m for m in heard if m["kind"] == "command"] == [
        {"kind": "command", "run_id": "a", "name": "pause"},
        {"kind": "command", "run_id": "a", "name": "resume"},
    ]


def test_sidebar_survives_reload_and_restart(notebook, page):
    book = notebook([IMPORT, "runs = Runs(row('a', 'digits'))"], files=[STAND_IN])
    panel = sidebar(page)
    book.run_all()
    expect(panel.get_by_role("listitem")).to_have_count(1)

    book.save()
    book.reload()
    panel = sidebar(page)
    expect(panel.get_by_role("listitem")).to_have_count(1)
    panel.get_by_role("button", name="Pause “digits”").click()
    expect(panel.get_by_role("listitem")).to_contain_text("paused")

    book.restart_kernel()
    expect(panel.get_by_role("listitem")).to_have_count(0)
    book.run_all()
    expect(panel.get_by_role("listitem")).to_have_count(1)


def test_sidebar_shows_runs_of_all_open_notebooks_until_they_close(notebook, page):
    first = notebook([IMPORT, "runs = Runs(row('a', 'first'))"], files=[STAND_IN])
    panel = sidebar(page)
    first.run_all()
    expect(panel.get_by_role("listitem")).to_have_count(1)
    folder = first.path.rpartition("/")[0]
    source = first.lab.folder / first.path
    second = source.with_name("second.ipynb")
    second.write_text(source.read_text().replace("'a', 'first'", "'b', 'second'"))
    first.command("docmanager:open", path=f"{folder}/second.ipynb")
    expect(page.get_by_role("tab", name="second.ipynb", exact=True)).to_be_visible()
    first.wait_ready()
    first.run_all()
    expect(panel.get_by_role("listitem")).to_have_count(2)
    expect(panel.get_by_role("listitem").nth(1)).to_contain_text("second.ipynb")

    page.evaluate("() => { window.jupyterapp.shell.currentWidget.dispose(); }")
    expect(panel.get_by_role("listitem")).to_have_count(1)
    expect(panel.get_by_role("listitem")).to_contain_text("first")


def test_a_click_or_enter_opens_the_bench_in_a_tab(notebook, page, shoot):
    book = notebook(
        [IMPORT, "bench = Bench()\nruns = Runs(row('a', 'digits', bench.model_id))"],
        files=[STAND_IN],
    )
    book.run_all()
    panel = sidebar(page)
    panel.get_by_role("button", name=re.compile("^digits")).focus()
    page.keyboard.press("Enter")
    tab = page.get_by_role("tab", name="digits", exact=True)
    expect(tab).to_be_visible()
    live = page.locator(".jp-WorkbenchTab .stand-in")
    expect(live).to_have_text("live one")
    shoot("tab")
    # A second time shows the same tab.
    panel.get_by_role("button", name=re.compile("^digits")).click()
    expect(tab).to_have_count(1)
    page.get_by_role("tab", name="test.ipynb").click()
    book.wait_ready()
    book.execute("bench.word = 'two'")
    expect(live).to_have_text("live two")
    book.restart_kernel()
    expect(page.locator(".jp-WorkbenchTab")).to_contain_text("no longer alive")
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.dispose(); }")
    expect(tab).to_have_count(0)


def test_tab_comes_back_after_a_reload(notebook, page):
    book = notebook(
        [IMPORT, "bench = Bench()\nruns = Runs(row('a', 'digits', bench.model_id))"],
        files=[STAND_IN],
    )
    book.run_all()
    book.save()

    def saves_the_tab(response) -> bool:
        body = response.request.post_data or ""
        if "/api/workspaces/" not in response.url or response.request.method != "PUT":
            return False
        layout = json.loads(body)["data"].get("layout-restorer:data", {})
        return "workbench-bench:" in json.dumps(layout.get("main"))

    panel = sidebar(page)
    with page.expect_response(saves_the_tab):  # JupyterLab saves its layout a moment later
        panel.get_by_role("button", name=re.compile("^digits")).click()
    expect(page.locator(".jp-WorkbenchTab .stand-in")).to_have_text("live one")
    page.goto(f"{book.lab.url}/lab")
    expect(page.locator(".jp-WorkbenchTab .stand-in")).to_have_text("live one", timeout=30_000)


def test_output_is_live_then_a_picture_then_live_again(notebook, page, shoot):
    book = notebook([IMPORT, "bench = Bench()\nhandle = bench.show()"], files=[STAND_IN])
    book.run_all()
    output = page.locator(".jp-OutputArea .jp-WorkbenchBench")
    expect(output.locator(".stand-in")).to_have_text("live one")
    book.execute("handle.update(bench.bundle(), raw=True)")  # a new picture under a live view
    expect(output.locator(".stand-in")).to_have_text("live one")

    book.restart_kernel()
    expect(output.locator("img")).to_be_visible()
    expect(output).to_contain_text("Run this cell to make it live.")
    expect(page.get_by_text("model not found")).to_have_count(0)
    shoot("picture")

    book.run_all()
    expect(output.locator(".stand-in")).to_have_text("live one")


def test_a_reopened_notebook_shows_the_picture_and_a_running_one_the_bench(notebook, page):
    book = notebook([IMPORT, "bench = Bench()\nhandle = bench.show()"], files=[STAND_IN])
    book.run_all()
    output = page.locator(".jp-OutputArea .jp-WorkbenchBench")
    book.save()
    book.reload()
    expect(output.locator(".stand-in")).to_have_text("live one")

    page.goto("about:blank")
    book.lab.shut_down_kernels()
    page.goto(f"{book.lab.url}/lab/tree/{book.path}?reset")
    book.wait_ready()
    expect(output.locator("img")).to_be_visible()
    expect(page.get_by_text("model not found")).to_have_count(0)


def test_a_bench_closed_in_python_leaves_its_picture(notebook, page):
    book = notebook([IMPORT, "bench = Bench()\nhandle = bench.show()"], files=[STAND_IN])
    book.run_all()
    output = page.locator(".jp-OutputArea .jp-WorkbenchBench")
    expect(output.locator(".stand-in")).to_be_visible()
    book.execute("bench.close()")
    expect(output.locator("img")).to_be_visible()


@pytest.mark.parametrize("where", ["launcher", "palette"])
def test_new_workbench_opens_a_copy_of_the_start_notebook(notebook, page, shoot, where):
    book = notebook(["1"])
    folder = book.path.rpartition("/")[0]
    expect(page.locator(".jp-DirListing").get_by_text("test.ipynb")).to_be_visible()
    if where == "launcher":
        book.command("launcher:create")
        page.locator(".jp-LauncherCard").get_by_text("Workbench", exact=True).click()
    else:
        page.keyboard.press("Control+Shift+C")
        page.locator(".lm-CommandPalette-input").fill("New workbench")
        page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="workbench.ipynb")).to_be_visible()
    book.wait_ready()
    start = json.loads((book.lab.folder / folder / "workbench.ipynb").read_text())
    assert start["cells"]
    shoot(f"new-from-{where}")
    # A second one does not touch the first.
    book.command("workbench:new", cwd=folder)
    expect(page.get_by_role("tab", name="workbench-2.ipynb")).to_be_visible()
