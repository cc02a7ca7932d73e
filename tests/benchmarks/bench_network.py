"""What an editable network costs: its forward beside nn.Sequential's, and each edit.

    python tests/benchmarks/bench_network.py [--quick]

Prints medians; asserts nothing. Forward is measured with layers that do nothing, so that the
difference is the network's own. The edits are made on a small CNN with Adam's moments in place.
"""

from __future__ import annotations

import argparse
import statistics
import timeit
from collections.abc import Callable

import workbench as wb
from workbench import nn
from workbench.network import Add, Insert, LayerSpec


def microseconds(case: Callable[[], object], number: int, rounds: int) -> float:
    """Median microseconds per call."""
    return statistics.median(
        timeit.timeit(case, number=number) / number * 1e6 for _ in range(rounds)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only check that it works")
    quick = parser.parse_args().quick
    number, rounds = (10, 2) if quick else (5000, 9)

    x = wb.randn(8, 64)
    chain, residual = wb.Network(64), wb.Network(64)
    for _ in range(6):
        chain.append(nn.Identity())
        residual.append(nn.Identity())
    residual.append(Add())
    plain = nn.Sequential(*(nn.Identity() for _ in range(6)))
    print("forward of 6 layers that do nothing")
    for name, module in (("nn.Sequential", plain), ("Network", chain), ("with a join", residual)):
        print(f"  {name:<14} {microseconds(lambda m=module: m(x), number, rounds):8.2f} µs")

    net = wb.Network((1, 8, 8))
    for layer in (
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    ):
        net.append(layer)
    optimizer = wb.optim.Adam(net.parameters())
    net.track(optimizer)
    (net(wb.randn(8, 1, 8, 8)) ** 2).mean().backward()
    optimizer.step()
    edit = Insert(LayerSpec("Linear", {"out_features": 64}), after="fc1")
    probe = wb.randn(64, 1, 8, 8)

    def there_and_back() -> None:
        net.apply(edit)
        net.undo()

    print("on a small CNN")
    for name, case in (
        ("check an edit", lambda: net.check(edit)),
        ("preview with 64 examples", lambda: net.preview(edit, probe)),
        ("edit and undo", there_and_back),
        ("graph as JSON", net.graph),
        ("summary", net.summary),
        ("copy", net.copy),
    ):
        print(f"  {name:<24} {microseconds(case, max(number // 250, 2), rounds) / 1000:8.3f} ms")


if __name__ == "__main__":
    main()
