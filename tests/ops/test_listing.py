"""`python -m workbench.ops` lists every op."""

from __future__ import annotations

import importlib

import pytest

from workbench.ops import OPS

listing = importlib.import_module("workbench.ops.__main__")


@pytest.mark.parametrize("options", [[], ["--markdown"]])
def test_every_op_has_a_line(options, capsys, monkeypatch):
    monkeypatch.setattr(listing, "coverage", lambda: [("torch", 10, 7)])
    listing.main(options)
    text = capsys.readouterr().out
    assert f"{len(OPS)} ops" in text
    assert "torch: 7 of 10 public functions" in text
    lines = [line.strip("| ").split()[0] for line in text.splitlines() if line.strip()]
    assert set(OPS) <= set(lines)


def test_lines_say_what_is_declared():
    assert listing.row(OPS["add"])[:6] == (
        "add",
        "workbench",
        "elementwise",
        "promote",
        "all",
        "2/2",
    )
    assert "yes" in listing.row(OPS["transpose"])
    assert listing.row(OPS["argmax"])[5] == "no"
