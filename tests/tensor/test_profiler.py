"""Profiles: what ran, where, how long, in a table, a chart and a trace."""

from __future__ import annotations

import json

import pytest

import workbench as wb
from workbench import nn, optim, profiler
from workbench.nn import functional as F


def trained():
    net = nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16))
    )
    opt = optim.Adam(net.parameters())
    x, y = wb.randn(4, 8), wb.randint(0, 16, (4,))

    def step():
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        return loss

    return step


def test_every_op_gradient_and_layer_is_counted():
    step = trained()
    with profiler.profile(record_shapes=True) as found:
        for _ in range(3):
            with profiler.record_function("training step"):
                step()
    rows = {row.key: row for row in found.key_averages()}
    assert rows["nn.functional.linear"].count == rows["LinearBackward0"].count == 6
    assert rows["training step"].count == 3
    total = rows["training step"]
    assert total.cpu_time_total >= sum(
        r.self_cpu_time_total for r in rows.values() if r is not total
    ) * 0.999  # fmt: skip
    layers = {row.key: row.count for row in found.by_layer()}
    assert layers["2.0: Linear"] == layers["2.1: LayerNorm"] == layers["1: ReLU"] == 3
    by_shape = {(r.key, r.input_shapes) for r in found.key_averages(group_by_input_shape=True)}
    assert ("nn.functional.linear", "[[4, 8], [16, 8], [16]]") in by_shape
    for event in found.events():
        assert event.end >= event.start
        for child in event.children:
            assert event.start <= child.start
            assert child.end <= event.end


def test_memory_is_that_of_the_results():
    with profiler.profile(profile_memory=True) as found:
        x = wb.ones(100, 100) * 2
        x.reshape(-1)
    rows = {row.key: row for row in found.key_averages()}
    assert rows["mul"].self_cpu_memory_usage == 40_000
    assert rows["reshape"].self_cpu_memory_usage == 0


def test_nothing_is_left_behind():
    step = trained()
    before = step().item
    with profiler.profile():
        step()
    with profiler.profile() as found, pytest.raises(RuntimeError, match="only one"):
        profiler.profile().start()
    count = len(found.events())
    step()
    assert len(found.events()) == count
    assert before


def test_a_replay_shows_its_kernels():
    step = wb.compile(trained())
    step()
    step()
    with profiler.profile() as found:
        step()
    names = {row.key for row in found.key_averages()}
    assert {"replay", "softmax_cross_entropy"} <= names
    assert names & {"matmul", "dot", "linear"}  # whichever suits the size
    assert step.calls["replayed"] == 2


def test_tables_sort_and_limit():
    with profiler.profile() as found:
        trained()()
    text = found.key_averages().table(sort_by="cpu_time_total", row_limit=3, header="Title")
    assert text.startswith("Title")
    assert "Self CPU time total" in text
    assert len(text.splitlines()) == 3 + 5
    with pytest.raises(AttributeError):
        found.key_averages().table(sort_by="nonsense")


def test_a_trace_file(tmp_path):
    with profiler.profile() as found:
        trained()()
    path = tmp_path / "trace.json"
    found.export_chrome_trace(path)
    events = json.loads(path.read_text())["traceEvents"]
    assert len(events) == len(found.events())
    assert all(e["ph"] == "X" and e["dur"] >= 0 and e["ts"] >= 0 for e in events)
    assert [p.name for p in tmp_path.iterdir()] == ["trace.json"]


def test_a_schedule_records_the_steps_it_names(tmp_path):
    step, seen = trained(), []
    plan = profiler.schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)
    with profiler.profile(
        schedule=plan,
        on_trace_ready=lambda p: seen.append((p.step_num, p.key_averages())),
        activities=[profiler.ProfilerActivity.CPU],
    ) as found:
        for _ in range(12):
            step()
            found.step()
    assert [number for number, _ in seen] == [4, 8]
    for _, rows in seen:
        assert {r.key: r.count for r in rows}["softmax_cross_entropy"] == 2
    profiler.tensorboard_trace_handler(str(tmp_path / "log"), "me")(found)
    (file,) = (tmp_path / "log").iterdir()
    assert file.name.startswith("me.")
    assert file.name.endswith(".pt.trace.json")
    with pytest.raises(AssertionError, match="schedule"):
        profiler.schedule(wait=-1, warmup=0, active=1)


def test_a_flame_chart_escapes_names():
    with profiler.profile() as found, profiler.record_function("<script>alert(1)</script>"):
        wb.ones(300, 300).exp().sum()
    chart = found.flame()
    assert "<script>" not in str(chart)
    assert "&lt;script&gt;" in str(chart)
    assert chart._repr_html_().startswith("<div><svg")
    assert "events" in repr(chart)


def test_a_function_may_be_named_and_is_free_outside():
    @profiler.record_function("doubling")
    def double(x):
        return x * 2

    assert double(wb.ones(1)).item() == 2
    with profiler.profile() as found:
        double(wb.ones(1))
    assert [e.name for e in found.events()] == ["doubling", "mul"]
