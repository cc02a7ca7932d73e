"""What a notebook in this repository must be; nbval checks that each still says what it said."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from workbench.widgets.protocol import BENCH_MIME

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def book(path):
    return nbformat.read(path, as_version=4)


def outputs(book):
    return [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]


def test_there_are_notebooks():
    assert NOTEBOOKS[0].name == "00_start.ipynb"


def test_it_is_valid_and_was_run_from_top_to_bottom(book):
    nbformat.validate(book)
    counts = [cell.execution_count for cell in book.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    kinds = {output.output_type for output in outputs(book)}
    assert "error" not in kinds
    assert "stderr" not in {output.get("name") for output in outputs(book)}


def test_it_is_small_and_holds_no_widget_state(path, book):
    assert path.stat().st_size < 250_000
    assert "widgets" not in book.metadata


def test_a_bench_has_a_picture_for_readers_without_a_kernel(book):
    benches = [o for o in outputs(book) if BENCH_MIME in o.get("data", {})]
    if book.cells[0].source.startswith("# Three minutes"):
        assert benches
    for output in benches:
        assert len(output.data["image/png"]) * 3 / 4 <= 60_000
        assert output.data["text/plain"].startswith("Bench(")


def test_it_names_no_place_or_time(path):
    text = json.dumps([cell.source for cell in nbformat.read(path, 4).cells])
    assert not re.search(r"/home/|/Users/|/root/|/work/|/tmp/", text)
