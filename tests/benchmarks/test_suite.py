"""The benchmark suite runs, agrees with itself, and reports; how fast is nobody's business here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def suite():
    sys.path.insert(0, str(HERE))
    try:
        from suite import conductor, report, rows, shared

        yield {"conductor": conductor, "report": report, "rows": rows, "shared": shared}
    finally:
        sys.path.remove(str(HERE))
        for name in [name for name in sys.modules if name.split(".")[0] == "suite"]:
            del sys.modules[name]


def test_a_short_run_of_a_few_rows(tmp_path):
    table, drawn = tmp_path / "table.md", tmp_path / "ratios.png"
    ended = subprocess.run(
        [sys.executable, str(HERE / "suite.py"), "--short", "--threads", "1",
         "--sides", "workbench", "captured", "--only", "ops mul 8x8", "mlp 32", "infer mlp",
         "--markdown", str(table), "--picture", str(drawn)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for name in ("ops mul 8x8", "mlp 32", "infer mlp"):
        row = next(line for line in table.read_text("utf-8").splitlines() if f"| {name} " in line)
        torch, ours = (row.split("|")[i].strip() for i in (2, 5))
        assert torch == "-"
        assert float(ours) > 0
    assert "GFLOP/s" in ended.stdout
    assert drawn.stat().st_size > 1000


def test_an_unknown_row_is_refused():
    ended = subprocess.run(
        [sys.executable, str(HERE / "suite.py"), "--only", "mpl"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "no row is called mpl" in ended.stderr


def test_sides_that_do_other_work_fail_the_row(suite):
    conductor, rows = suite["conductor"], suite["rows"]
    same = {"torch": [2.3] * 9, "workbench": [2.3001] * 9}
    assert conductor._mismatch(same, 1e-3) is None
    found = conductor._mismatch({**same, "jax": [2.3] * 4 + [2.4] * 5}, 1e-3)
    assert found == "jax: loss 5 is 2.4, elsewhere 2.3"
    row = rows.row_named("mlp 32", short=False)
    result = conductor.Result(row, seconds={"torch": 2.0, "workbench": 1.0})
    assert result.ratio("workbench", "torch") == 2
    result.mismatch = found
    assert result.ratio("workbench", "torch") is None


def test_a_child_that_dies_or_fails_is_a_note_not_a_hang(suite):
    side = suite["conductor"].Side("workbench", 1)
    try:
        assert "error" in side.ask(do="start", row="no such row", side="workbench",
                                   short=True, threads=1)  # fmt: skip
        side.process.kill()
        side.process.wait()
        assert "ended" in side.ask(do="usage")["error"]
    finally:
        side.close()


def test_rows_state_their_work(suite):
    rows = suite["rows"].all_rows()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        settings = row.full()
        assert row.module.traffic(settings) > 0
        assert row.module.flops(settings) >= 0
    flops = {row.name: row.module.flops(row.full()) for row in rows}
    # 2 · 128 · (2 · 784·256 + 3 · 256·128 + 3 · 128·10)
    assert flops["mlp 128"] == 2 * 128 * (2 * 784 * 256 + 3 * 256 * 128 + 3 * 128 * 10)


def test_first_weights_are_the_same_everywhere(suite):
    shared = suite["shared"]
    shapes = {"a.weight": (3, 4), "a.bias": (3,), "norm.weight": (4,)}
    first, second = shared.weights(shapes), shared.weights(shapes)
    assert all(np.array_equal(first[name], second[name]) for name in shapes)
    assert first["norm.weight"].tolist() == [1] * 4
    assert not first["a.bias"].any()


def test_the_mean_is_geometric(suite):
    assert suite["report"].mean([2.0, None, 0.5, 4.0]) == pytest.approx(4 ** (1 / 3))
    assert suite["report"].mean([None]) is None
    assert suite["report"].milliseconds(0.0123) == "12.3"
