"""The record of CuPy's API against the real package, where it is installed."""

from __future__ import annotations

import json

import pytest

from . import snapshot


def entries(record):
    """Every recorded fact under a path of its own."""
    for top in ("modules", "classes"):
        for owner, names in record[top].items():
            for name, entry in names.items():
                yield f"{owner}.{name}", entry
    for name, loops in record["reductions"].items():
        yield f"reduction {name}", loops


def test_the_record_says_what_the_installed_cupy_has():
    """When CuPy moved on, make it anew with `python tests/cuda/snapshot.py` and mend what fails."""
    pytest.importorskip("cupy", reason="CuPy is not installed: nothing to hold the record against")
    recorded = json.loads(snapshot.FILE.read_text(encoding="utf-8"))
    found = json.loads(snapshot.write(snapshot.take()))
    old, new = dict(entries(recorded)), dict(entries(found))
    differ = [f"{n}: recorded {old.get(n)}, now {new.get(n)}" for n in sorted(old.keys() | new)
              if old.get(n) != new.get(n)]  # fmt: skip
    assert not differ, (
        f"recorded from {recorded['version']}, installed is {found['version']}; {len(differ)} "
        "differences:\n" + "\n".join(differ[:40])
    )


def test_the_record_is_small_and_names_its_version():
    text = snapshot.FILE.read_text(encoding="utf-8")
    assert len(text) < 150_000
    assert json.loads(text)["version"].startswith("14.")
