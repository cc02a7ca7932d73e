"""The command line: which words there are, and who answers each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

EXAMPLES = """\
examples:
  workbench                     open JupyterLab on a copy of the start notebook, in this folder
  workbench lab --dir ~/nets    the same, in another folder
  workbench lab mine.ipynb      open a notebook of your own
  workbench lab -- --port=9999  everything after -- goes to JupyterLab
  workbench doctor              is everything here, and how fast will it be?
  workbench demo                train a network on digits and edit it meanwhile, without a browser
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    top = argparse.ArgumentParser(
        prog="workbench",
        description="Build, train, watch and edit neural networks in a notebook.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    words = top.add_subparsers(dest="word", metavar="COMMAND", title="commands")
    _add_lab(words)
    _add_doctor(words)
    _add_demo(words)
    return top


def _add_lab(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lab = words.add_parser(
        "lab",
        help="open JupyterLab on a copy of the start notebook (the default)",
        description=(
            "Open JupyterLab on a copy of the start notebook. The copy is yours: it is made once, "
            "opened again while you have not changed it, and never written over; beside a changed "
            "one a new copy appears."
        ),
        epilog="Options not listed here are passed on to JupyterLab.",
    )
    lab.add_argument("notebook", nargs="?", help="open this notebook instead of the start notebook")
    lab.add_argument("--dir", metavar="FOLDER", default=".", help="folder to work in (default: .)")
    lab.add_argument("--port", type=int, help="port of the server (default: JupyterLab's choice)")
    lab.add_argument("--no-browser", action="store_true", help="print the address, open no browser")


def _add_doctor(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = words.add_parser(
        "doctor",
        help="print versions, BLAS, threads, devices, and whether the extension is enabled",
        description=(
            "Say what is installed and what numbers will run on. The exit status is 0 when all "
            "that a bench needs is here, else 1 with a line on how to mend each thing."
        ),
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object")


def _add_demo(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = words.add_parser(
        "demo",
        help="train a network on digits and edit it meanwhile, without a browser",
        description=(
            "Train a small convolutional network on real handwritten digits, insert a layer "
            "between two steps, and write a picture of it all."
        ),
    )
    demo.add_argument(
        "--steps", type=_positive, default=600, help="training steps (default: %(default)s)"
    )
    demo.add_argument(
        "--out",
        metavar="FILE",
        default="workbench-demo.png",
        help="where to write the picture (default: %(default)s)",
    )
    demo.add_argument("--seed", type=int, default=0, help="seed of the run (default: %(default)s)")
    demo.add_argument(
        "--undo", action="store_true", help="take the inserted layer back later in the run"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    given, passed_on = _split(given)
    top = parser()
    options, unknown = top.parse_known_args(given)
    if options.version:
        from workbench.cli.doctor import version

        print(f"workbench {version()}")
        return 0
    if options.word is None:  # `workbench` alone, perhaps with options of `lab`
        options, unknown = top.parse_known_args(["lab", *given])
    if options.word == "lab":
        from workbench.cli.lab import lab

        return lab(
            options.notebook,
            folder=options.dir,
            port=options.port,
            browser=not options.no_browser,
            extra=[*unknown, *passed_on],
        )
    if unknown or passed_on:
        top.error(f"unrecognized arguments: {' '.join([*unknown, *passed_on])}")
    if options.word == "doctor":
        from workbench.cli.doctor import doctor

        return doctor(as_json=options.json)
    from workbench.cli.demo import demo

    return demo(steps=options.steps, out=options.out, seed=options.seed, undo=options.undo)


def _split(given: list[str]) -> tuple[list[str], list[str]]:
    """What stands before and after ``--``."""
    if "--" in given:
        at = given.index("--")
        return given[:at], given[at + 1 :]
    return given, []
