"""Generators: known streams, positions that can be kept, one default per thread."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import workbench as wb
from workbench.arrays import random


def draw(generator, n=5):
    return generator.uniform((n,), np.dtype(np.float32)).tolist()


def test_a_seed_gives_the_same_stream():
    assert draw(wb.Generator().manual_seed(7)) == draw(wb.Generator().manual_seed(7))
    assert draw(wb.Generator().manual_seed(7)) != draw(wb.Generator().manual_seed(8))
    assert wb.Generator().manual_seed(7).initial_seed() == 7


def test_manual_seed_returns_the_default_generator():
    generator = wb.manual_seed(3)
    assert generator is wb.default_generator()
    assert wb.initial_seed() == 3


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63, 2**64 - 1, np.int64(5)])
def test_seeds_of_up_to_64_bits(seed):
    generator = wb.Generator().manual_seed(seed)
    assert generator.initial_seed() == int(seed) % 2**64


@pytest.mark.parametrize(
    ("seed", "error"), [(1.5, TypeError), ("a", TypeError), (True, TypeError), (2**64, ValueError)]
)
def test_seeds_that_are_refused_change_nothing(seed, error):
    generator = wb.Generator().manual_seed(1)
    expected = draw(wb.Generator().manual_seed(1))
    with pytest.raises(error):
        generator.manual_seed(seed)
    assert draw(generator) == expected


@pytest.mark.parametrize("before", [0, 1, 3, 7])
def test_a_position_can_be_kept_and_returned_to(before):
    generator = wb.Generator().manual_seed(11)
    for _ in range(before):
        generator.integers(0, 10, (3,))
        generator.normal((1,), np.dtype(np.float64))
    state, plain = generator.get_state(), generator.state
    first = [draw(generator), generator.normal((4,), np.dtype(np.float32)).tolist()]
    generator.set_state(state)
    assert [draw(generator), generator.normal((4,), np.dtype(np.float32)).tolist()] == first
    generator.state = plain
    assert draw(generator) == first[0]
    other = wb.Generator()
    other.set_state(state)
    assert draw(other) == first[0]
    assert other.initial_seed() == 11


def test_a_state_that_is_none_is_refused():
    generator = wb.Generator().manual_seed(1)
    with pytest.raises(RuntimeError, match="get_state"):
        generator.set_state(np.zeros(3, np.uint8))
    assert draw(generator) == draw(wb.Generator().manual_seed(1))


def test_rng_state_of_the_default_generator():
    wb.manual_seed(5)
    wb.rand(3)
    state = wb.get_rng_state()
    assert state.dtype is wb.uint8
    first = wb.rand(4).tolist()
    wb.set_rng_state(state)
    assert wb.rand(4).tolist() == first


def test_fork_draws_apart_and_gives_the_old_stream_back():
    wb.manual_seed(1)
    first = wb.rand(2).tolist()
    wb.manual_seed(1)
    with random.fork(99) as generator:
        assert wb.default_generator() is generator
        inside = wb.rand(2).tolist()
    assert inside == wb.rand(2, generator=wb.Generator().manual_seed(99)).tolist()
    assert wb.rand(2).tolist() == first


def test_fork_restores_after_an_error():
    before = wb.default_generator()
    with pytest.raises(KeyError), random.fork(1):
        raise KeyError
    assert wb.default_generator() is before


def test_use_continues_a_given_stream():
    generator = wb.Generator().manual_seed(4)
    with random.use(generator):
        first = wb.rand(2).tolist()
    with random.use(generator):
        second = wb.rand(2).tolist()
    assert first + second == wb.rand(4, generator=wb.Generator().manual_seed(4)).tolist()


def test_a_fork_holds_in_its_own_thread_only():
    seen = []
    with random.fork(1) as generator:
        thread = threading.Thread(target=lambda: seen.append(wb.default_generator() is generator))
        thread.start()
        thread.join()
    assert seen == [False]


def test_threads_may_share_a_generator():
    generator = wb.Generator().manual_seed(0)
    drawn = []

    def work():
        drawn.extend(
            float(v) for _ in range(50) for v in generator.uniform((4,), np.dtype(np.float64))
        )

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = wb.Generator().manual_seed(0)
    expected = [float(v) for _ in range(200) for v in alone.uniform((4,), np.dtype(np.float64))]
    assert sorted(drawn) == sorted(expected)


def test_complex_normals_have_unit_variance():
    z = wb.Generator().manual_seed(0).normal((20000,), np.dtype(np.complex64))
    assert z.dtype == np.complex64
    assert abs(np.mean(np.abs(z) ** 2) - 1) < 0.03
