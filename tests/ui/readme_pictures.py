"""Takes the README's pictures: pytest tests/ui/readme_pictures.py

Not collected with the tests. Writes notebooks/images/bench-light.png and bench-dark.png: the bench
of the start notebook while it trains, after a layer was added by hand, at the size of the cell.
"""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[2]
START = ROOT / "notebooks" / "00_start.ipynb"
IMAGES = ROOT / "notebooks" / "images"
SIZE_LIMIT = 300_000


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {
        **browser_context_args,
        "viewport": {"width": 1400, "height": 1100},
        "device_scale_factor": 1.5,
    }


def save(picture: bytes, path: Path) -> None:
    """Write a PNG with a palette: a quarter of the size, and no difference to the eye."""
    path.parent.mkdir(exist_ok=True)
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in (256, 128, 64):
        image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= SIZE_LIMIT:
            return
    raise AssertionError(f"{path.name} is too large")


@pytest.mark.parametrize(
    ("name", "theme"), [("light", "JupyterLab Light"), ("dark", "JupyterLab Dark")]
)
def test_picture(notebook, page: Page, name: str, theme: str) -> None:
    book = notebook(START)
    book.command("apputils:change-theme", theme=theme)
    book.command("application:toggle-left-area")
    book.run_all(timeout=400_000)
    bench = page.locator(".jp-Notebook").get_by_role("region", name="Bench of digits")
    bench.get_by_role("button", name="Resume", exact=True).click()
    bench.get_by_role("button", name="Insert a layer between hidden and relu2").click()
    bench.get_by_role("searchbox", name="Find a layer").fill("BatchNorm1d")
    page.keyboard.press("Enter")
    bench.get_by_test_id("wb-apply").click()
    expect(bench.get_by_test_id("wb-node")).to_have_count(8)
    book.execute(
        "import asyncio\nuntil = run.step_count + 150\n"
        "while run.step_count < until:\n    await asyncio.sleep(0.05)"
    )
    bench.scroll_into_view_if_needed()
    save(bench.screenshot(), IMAGES / f"bench-{name}.png")
    bench.get_by_role("button", name="Pause", exact=True).click()
