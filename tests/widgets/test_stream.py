import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.widgets.stream import Budget, Cursors, Pace


def test_budget_counts_any_window(clock):
    budget = Budget(rate=3, window=1.0, clock=clock)
    for _ in range(3):
        assert budget.allows()
        budget.spend()
        clock.tick(0.1)
    assert not budget.allows()
    clock.tick(0.75)  # the first was 1.05 s ago
    assert budget.allows()
    assert not budget.allows(2)


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 0.5), min_size=1, max_size=200))
def test_no_second_ever_sees_more_than_the_rate(gaps):
    now, sent = 0.0, []
    budget = Budget(rate=5, window=1.0, clock=lambda: now)
    for gap in gaps:
        now += gap
        if budget.allows():
            budget.spend()
            sent.append(now)
    for start in sent:
        assert sum(start <= t < start + 1.0 for t in sent) <= 5


def test_pace_keeps_its_interval(clock):
    pace = Pace(0.1, clock=clock)
    assert pace.due()
    with pace:
        pass
    assert not pace.due()
    clock.tick(0.099)
    assert not pace.due()
    clock.tick(0.002)
    assert pace.due()


def test_pace_slows_down_for_costly_work(clock):
    pace = Pace(0.1, share=0.02, clock=clock)
    with pace:
        clock.tick(0.005)
    clock.tick(0.24)  # 5 ms at 2 % is once in 250 ms
    assert not pace.due()
    clock.tick(0.01)
    assert pace.due()


def test_pace_can_be_forced(clock):
    pace = Pace(10.0, clock=clock)
    with pace:
        pass
    pace.force()
    assert pace.due()
    with pace:
        pass
    assert not pace.due()


def test_pace_counts_cpu_time_not_waiting(clock):
    worked = [0.0]
    pace = Pace(0.1, share=0.02, clock=clock, meter=lambda: worked[0])
    with pace:
        clock.tick(0.05)  # another process had the CPU
        worked[0] += 0.001
    clock.tick(0.051)
    assert pace.due()


def test_cursors_give_each_point_once(recorder):
    cursors = Cursors()
    recorder.add(1, loss=3.0)
    recorder.add(2, loss=2.0, accuracy=0.5)
    first = {s.key: s.steps.tolist() for s in cursors.fresh(recorder)}
    assert first == {"loss": [1, 2], "accuracy": [2]}
    assert cursors.fresh(recorder) == []
    recorder.add(3, loss=1.0)
    (again,) = cursors.fresh(recorder)
    assert (again.key, again.steps.tolist()) == ("loss", [3])
    np.testing.assert_array_equal(again.values, np.float32([1.0]))


def test_slow_curves_may_wait_but_lose_nothing(recorder):
    cursors = Cursors()
    recorder.add(1, loss=1.0, weight_norm__n1=5.0)
    recorder.add(2, loss=1.0, weight_norm__n1=6.0)
    assert [series.key for series in cursors.fresh(recorder, slow=False)] == ["loss"]
    (late,) = cursors.fresh(recorder)
    assert (late.key, late.steps.tolist()) == ("weight_norm:n1", [1, 2])


def test_many_curves_share_the_points_of_a_new_view(recorder):
    for step in range(1, 301):
        recorder.add(step, **{f"grad_norm__n{i}": 0.1 for i in range(400)})
    whole = Cursors().everything(recorder)
    assert sum(len(series.steps) for series in whole) <= 60_000


def test_cursors_begin_anew_with_a_bounded_history(recorder):
    cursors = Cursors()
    for step in range(1, 5001):
        recorder.add(step, loss=1 / step)
    cursors.fresh(recorder)
    (whole,) = cursors.everything(recorder, points=100)
    assert 1 < len(whole.steps) <= 100
    recorder.add(5001, loss=0.0)
    (fresh,) = cursors.fresh(recorder)
    assert fresh.steps[0] > whole.steps[-1]
    assert fresh.steps[-1] == 5001
