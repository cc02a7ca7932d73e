"""workbench beside torch eager, torch.compile and JAX: the same work, interleaved, in one run.

    python tests/benchmarks/suite.py                     every row
    python tests/benchmarks/suite.py --only mlp cnn      some groups, or single rows ("mlp 32")
    python tests/benchmarks/suite.py --short             only checks that everything works

Same data, first weights, threads and float32 on every side; each side is a process of its own,
and stopped while another works. Compilers finish first, those in the background too. The losses
of the first steps must agree, or the row fails. Milliseconds are medians over all steps; ratios
above 1 say that workbench is faster. Beside them stands how far the row is from the machine:
GFLOP/s over the best matrix product, GB/s over the best copy measured in the same run. A peer
that is not installed leaves its column empty.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from suite import report, start
from suite.conductor import SIDES, Result, Side, environment, measure
from suite.machine import description
from suite.rows import all_rows, short_rows


def machine_rates(threads: int, short: bool) -> dict[str, float]:
    """The machine's best rates, by a child with the same settings as the rest."""
    side = Side("machine", threads)
    try:
        return side.ask(do="machine", short=short)
    finally:
        side.close()


def main() -> int:
    """Measure and print; 1 when a side did other work than the rest, or failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--threads", type=int, default=cores, help="default: all cores")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="groups or rows")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--short", action="store_true", help="a few steps of small work")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side")
    parser.add_argument("--seconds", type=float, default=12.0, help="for each row, all sides")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the ratios")
    options = parser.parse_args()
    only = set(options.only or ())
    known = short_rows() if options.short else all_rows()
    rows = [row for row in known if not only or {row.name, row.group} & only]
    unknown = only - {name for row in rows for name in (row.name, row.group)} - {"start"}
    if unknown:
        parser.error(f"no row is called {', '.join(sorted(unknown))}")

    about = description(environment(options.threads), sys.executable)
    about.append(f"{options.threads} threads each; idle sides are stopped")
    machine = machine_rates(options.threads, options.short)
    results: list[Result] = []
    print(*about, report.line(report.HEADER), sep="\n", flush=True)
    for row in rows:
        result = measure(
            row, options.sides, threads=options.threads, short=options.short,
            rounds=2 if options.short else options.rounds, budget=options.seconds,
        )  # fmt: skip
        results.append(result)
        print(report.line(report.cells(result, machine)), flush=True)
    if not options.short:  # the machine may have been busy the first time
        again = machine_rates(options.threads, options.short)
        machine = {name: max(rate, again[name]) for name, rate in machine.items()}
    about.append(f"best matrix product {machine['gemm']:.0f} GFLOP/s, "
                 f"best copy {machine['copy']:.1f} GB/s")  # fmt: skip
    versions = {side: v for result in results for side, v in result.versions.items()}
    about.append(", ".join(f"{side} {v}" for side, v in versions.items()))
    print(*about[-2:], *report.summary(results), sep="\n")

    begun = {}
    if not only or "start" in only:
        sizes = start.installed_sizes()
        for name, seconds in start.import_times(1 if options.short else 7).items():
            begun[name] = (seconds, *sizes.get(name, (float("nan"),) * 2))
            print(f"import {name}: {seconds:.3f} s; installed {begun[name][1]:.1f} MB, with what "
                  f"it requires {begun[name][2]:.0f} MB")  # fmt: skip
    about.append(time.strftime("measured on %Y-%m-%d"))
    if options.markdown:
        report.markdown(options.markdown, results, machine, about, begun)
    if options.picture:
        report.picture(options.picture, results)
    broken = [r for r in results if r.mismatch or any(s in r.notes for s in ("workbench", "torch"))]
    return 1 if any(r.mismatch or _failed(r) for r in broken) else 0


def _failed(result: Result) -> bool:
    """A side that is there and did not do its work."""
    absent = ("not installed", "this workbench has no")
    return any(not note.startswith(absent) for note in result.notes.values())


if __name__ == "__main__":
    sys.exit(main())
