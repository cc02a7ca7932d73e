"""wb.signal.windows: as torch.signal.windows."""

from __future__ import annotations

import pytest

CASES = {
    "bartlett": {}, "blackman": {}, "cosine": {}, "hamming": {}, "hann": {}, "nuttall": {},
    "kaiser": {"beta": 5.0}, "gaussian": {"std": 2.0}, "exponential": {"tau": 3.0},
    "general_cosine": {"a": [0.5, 0.3, 0.2]}, "general_hamming": {"alpha": 0.6},
}  # fmt: skip
BAD = {
    "gaussian": {"std": 0.0}, "exponential": {"tau": -1.0}, "general_cosine": {"a": []},
    "kaiser": {"beta": -1.0},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sym", [True, False])
def test_as_torch(name, sym, both):
    def program(lib):
        made = getattr(lib.signal.windows, name)
        found = [made(m, sym=sym, dtype=lib.float64, **CASES[name]) for m in (0, 1, 2, 7, 8)]
        return [*found, made(5, **CASES[name])]

    both.same(program, rtol=1e-6, label=name)


@pytest.mark.parametrize("name", CASES)
def test_lengths_and_dtypes_are_checked(name, both):
    both.same(lambda lib: getattr(lib.signal.windows, name)(-1, **CASES[name]), label=name)
    both.same(
        lambda lib: getattr(lib.signal.windows, name)(3, dtype=lib.int64, **CASES[name]), label=name
    )


@pytest.mark.parametrize("name", BAD)
def test_settings_are_checked(name, both):
    both.same(lambda lib: getattr(lib.signal.windows, name)(4, **BAD[name]), label=name)
