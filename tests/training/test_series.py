import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.training.series import Table

values = st.floats(-1e6, 1e6, width=32)


def filled(rows, ring=16, buckets=4):
    table = Table(ring, buckets)
    columns = table.columns(["a"])
    for step, value in enumerate(rows, 1):
        table.append(step, [value], columns)
    return table


@given(st.lists(values, min_size=1, max_size=300), st.integers(1, 20))
@settings(max_examples=80, deadline=None)
def test_an_envelope_keeps_extremes_mean_and_order(rows, points):
    steps, low, mean, high = filled(rows).envelope("a", points)
    assert 1 <= len(steps) <= points
    assert low.min() == np.float32(min(rows))
    assert high.max() == np.float32(max(rows))
    assert (np.diff(steps) > 0).all()
    assert (low <= mean).all()
    assert (mean <= high).all()
    assert steps[0] >= 1
    assert steps[-1] <= len(rows)


@given(st.lists(values, min_size=4, max_size=4), st.integers(0, 5))
def test_full_buckets_have_the_mean_of_their_rows(block, doublings):
    rows = block * 2**doublings
    envelope = filled(rows).envelope("a", 1)
    np.testing.assert_allclose(envelope.mean[0], np.mean(rows), rtol=1e-5, atol=1e-2)
    assert envelope.steps[0] == (len(rows) + 1) / 2


@given(st.lists(values, max_size=60), st.integers(-1, 70))
def test_reading_gives_the_newest_rows_after_a_step(rows, since):
    steps, got = filled(rows).read("a", since)
    wanted = [(s, v) for s, v in enumerate(rows, 1) if s > since and s > len(rows) - 16]
    assert steps.tolist() == [s for s, _ in wanted]
    np.testing.assert_array_equal(got, np.array([v for _, v in wanted], np.float32))
    assert steps.dtype == np.float64
    assert got.dtype == np.float32


def test_history_is_exact_while_short_and_thinned_when_long():
    steps, got = filled(range(10)).history("a", 100)
    assert got.tolist() == list(range(10))
    steps, got = filled(range(1000)).history("a", 4)
    assert len(steps) <= 4
    assert abs(got.mean() - 499.5) < 130


def test_a_column_added_later_has_no_earlier_points():
    table = Table(16, 4)
    first = table.columns(["a"])
    for step in range(1, 50):
        table.append(step, [step], first)
    both = table.columns(["a", "b"])
    for step in range(50, 60):
        table.append(step, [step, -step], both)
    only_b = table.columns(["b"])
    for step in range(60, 64):
        table.append(step, [-step], only_b)
    steps, got = table.read("b")
    assert steps.tolist() == list(range(50, 64))
    assert got.tolist() == [-s for s in range(50, 64)]
    assert table.read("a")[0].max() == 59
    envelope = table.envelope("b", 100)
    assert envelope.low.min() == -63
    assert envelope.high.max() == -50


def test_infinite_and_huge_values_are_kept_without_warnings():
    table = filled([1.0, float("inf"), 1e300, -float("inf"), 2.0] * 20)
    envelope = table.envelope("a", 2)
    assert envelope.high.max() == np.inf
    assert envelope.low.min() == -np.inf
    assert np.isinf(table.read("a")[1]).any()


def test_memory_does_not_grow():
    table = filled([0.0] * 10)
    before = sum(v.nbytes for v in vars(table).values() if isinstance(v, np.ndarray))
    columns = table.columns(["a"])
    for step in range(11, 5000):
        table.append(step, [step], columns)
    assert before == sum(v.nbytes for v in vars(table).values() if isinstance(v, np.ndarray))
    assert len(table) == 4999


def test_another_thread_reads_consistent_rows_while_one_writes():
    table = Table(64, 8)
    columns = table.columns(["a", "b"])
    done = threading.Event()
    wrong = []

    def look():
        while not done.is_set():
            steps, got = table.read("a")
            if not np.array_equal(steps.astype(np.float32), got):
                wrong.append((steps, got))
            envelope = table.envelope("b", 5)
            if len(envelope.steps) and (np.diff(envelope.steps) <= 0).any():
                wrong.append(envelope)

    reader = threading.Thread(target=look)
    reader.start()
    for step in range(1, 3000):
        table.append(step, [step, -step], columns)
    done.set()
    reader.join()
    assert not wrong


@pytest.mark.parametrize("sizes", [(2, 4), (16, 3), (16, 0)])
def test_sizes_that_make_no_sense_are_refused(sizes):
    with pytest.raises(ValueError, match="ring"):
        Table(*sizes)
