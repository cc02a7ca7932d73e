"""What a Run adds to a bare training loop: measuring, recording, checking, commands.

The same network takes the same steps in a bare loop (batch, forward, loss, backward, update) and
in a run, in turns; the fastest round of each counts, as other programs only ever slow one down.
Then the parts by themselves.

    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_training.py [--rounds 15] [--steps 60]

Prints numbers and asserts nothing. Budget: 3 % for per-layer statistics and recording together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import workbench as wb
from workbench import nn
from workbench.training.batches import feed
from workbench.training.recorder import Recorder
from workbench.training.statistics import LayerStatistics, layer_groups


def mlp() -> wb.Network:
    """64-256-256-10, 85,000 parameters."""
    net = wb.Network((1, 8, 8), name="mlp")
    net.append(nn.Flatten())
    width = 64
    for number in range(2):
        net.append(nn.Linear(width, 256), seed=number)
        net.append(nn.ReLU())
        width = 256
    net.append(nn.Linear(256, 10), seed=9)
    return net


def cnn() -> wb.Network:
    """Two convolutions and a linear layer, 16,000 parameters."""
    net = wb.Network((1, 8, 8), name="cnn")
    net.append(nn.Conv2d(1, 16, 3, padding=1), seed=1)
    net.append(nn.ReLU())
    net.append(nn.Conv2d(16, 32, 3, padding=1), seed=2)
    net.append(nn.ReLU())
    net.append(nn.MaxPool2d(2))
    net.append(nn.Flatten())
    net.append(nn.Linear(512, 10), seed=3)
    return net


def bare(net: Any, data: Any) -> Callable[[int], None]:
    """The loop that one would write by hand."""
    optimizer = wb.optim.Adam(net.parameters())
    batches = feed(data.train, 64, 0)

    def train(steps: int) -> None:
        for _ in range(steps):
            batch = batches.next()
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(*batch.inputs), batch.target)
            loss.item()
            loss.backward()
            optimizer.step()
            batches.commit()

    return train


def fastest(function: Callable[[], Any], rounds: int) -> float:
    """CPU seconds of the fastest call: what other programs take does not count."""
    best = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        function()
        best = min(best, time.thread_time() - began)
    return best


def often(function: Callable[[], Any]) -> None:
    """A hundred calls."""
    for _ in range(100):
        function()


def measured(statistics: LayerStatistics) -> None:
    """A sample of weights and updates, without the update between its halves."""
    statistics.before_update()
    statistics.after_update()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    digits = wb.data.datasets.digits()
    for make in (mlp, cnn):
        by_hand = bare(make(), digits)
        run = wb.Run(make(), (digits.train, None))  # no validation: the bare loop has none
        best = [float("inf")] * 2
        for _ in range(options.rounds):
            best[0] = min(best[0], fastest(partial(by_hand, options.steps), 1))
            best[1] = min(best[1], fastest(partial(run.train, steps=options.steps), 1))
        loop, whole = (seconds / options.steps * 1e6 for seconds in best)
        print(f"{make.__name__}: bare loop {loop:8.1f} µs a step, run {whole:8.1f} µs, "
              f"{(whole / loop - 1) * 100:+.1f} %")  # fmt: skip
        network = run.network
        statistics = LayerStatistics(layer_groups(network)[0])
        run.train(steps=1)

        squares = fastest(partial(often, statistics.gradient_squares), 20) * 1e4
        sampled = fastest(partial(often, partial(measured, statistics)), 20) * 1e4
        share = (squares + sampled / 10) / loop * 100
        print(f"     gradient norms {squares:.1f} µs a step, weights and updates {sampled:.1f} µs "
              f"every tenth: together {share:.1f} % of a step")  # fmt: skip
    recorder = Recorder()
    keys = ["loss", "accuracy", *(f"grad_norm:n{i}" for i in range(20))]
    writer = recorder.writer("step", keys)
    row = [0.5] * len(keys)
    steps = iter(range(1, 10**9))

    def rows() -> None:
        for _ in range(5000):
            writer.write(next(steps), row)

    took = fastest(rows, 20) / 5000
    print(f"recorder: {took * 1e6:.2f} µs for a row of {len(keys)}")
    read = fastest(partial(often, lambda: recorder.read("loss", 99_900)), 10) * 1e4
    history = fastest(partial(often, lambda: recorder.history("loss")), 10) * 1e4
    print(f"          read {read:.0f} µs, history {history:.0f} µs")


if __name__ == "__main__":
    main()
