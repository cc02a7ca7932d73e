"""Result types of mixed operands, over all pairs of dtypes, held against torch."""

from __future__ import annotations

import itertools

import pytest

import workbench as wb

NAMES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
    "float64", "complex64", "complex128",
]  # fmt: skip


def name(dtype):
    return str(dtype).split(".")[1]


@pytest.mark.parametrize("first", NAMES)
def test_promote_types(both, first):
    for second in NAMES:
        both.same(
            lambda lib, second=second: lib.promote_types(getattr(lib, first), getattr(lib, second)),
            label=f"{first}, {second}",
        )


@pytest.mark.parametrize("first", NAMES)
def test_sums_of_tensors_0d_tensors_and_numbers(both, first):
    """float32 vector + float64 0-d is float32, int vector + 0.5 is float32, and so on."""
    torch = both.torch
    others = [(n, shape) for n in NAMES for shape in ((2,), ())] + [
        (v, None) for v in (True, 2, 0.5, 1j)
    ]
    for (second, shape), left in itertools.product(others, ((2,), ())):
        if first == "float16" and ("complex" in str(second) or second == 1j):
            continue  # torch makes complex32, which NumPy lacks: ours is complex64
        if second == "float16" and "complex" in first:
            continue

        def program(lib, second=second, shape=shape, left=left):
            a = lib.ones(left, dtype=getattr(lib, first))
            b = second if shape is None else lib.ones(shape, dtype=getattr(lib, second))
            return (a + b).dtype, (b + a).dtype, (a * b).dtype, (a == b).dtype

        both.same(program, label=f"{first}{left} with {second}{shape}")
    assert torch


@pytest.mark.parametrize("first", NAMES)
def test_division_and_powers(both, first):
    for second in NAMES:

        def program(lib, second=second):
            a = lib.ones(2, dtype=getattr(lib, first))
            b = lib.ones(2, dtype=getattr(lib, second))
            return (a / b).dtype

        both.same(program, label=f"{first} / {second}")


@pytest.mark.parametrize("first", NAMES)
def test_in_place_never_changes_the_category(both, first):
    for second in NAMES:

        def program(lib, second=second):
            a = lib.ones(2, dtype=getattr(lib, first))
            return a.add_(lib.ones(2, dtype=getattr(lib, second)))

        both.same(program, label=f"{first} += {second}")


@pytest.mark.parametrize("first", NAMES)
def test_unary_results(both, first):
    for op in (
        "exp",
        "sqrt",
        "sin",
        "abs",
        "neg",
        "sign",
        "floor",
        "sum",
        "mean",
        "prod",
        "cumsum",
        "std",
    ):

        def program(lib, op=op):
            x = lib.ones(3, dtype=getattr(lib, first))
            return getattr(x, op)(0) if op == "cumsum" else getattr(x, op)()

        both.same(program, label=f"{op} of {first}", rtol=1e-2)


@pytest.mark.parametrize("first", NAMES)
def test_casts(both, first):
    for second in NAMES:
        if first.startswith("complex") and not second.startswith("complex"):
            continue  # torch warns that it discards the imaginary part

        def program(lib, second=second):
            return lib.tensor([0, 1, 2, 3]).to(getattr(lib, first)).to(getattr(lib, second))

        both.same(program, label=f"{first} to {second}")


def test_joins_promote(both):
    for first, second in itertools.product(NAMES, NAMES):

        def program(lib, first=first, second=second):
            a, b = (lib.ones(2, dtype=getattr(lib, n)) for n in (first, second))
            return lib.cat([a, b]).dtype, lib.where(lib.ones(2, dtype=lib.bool), a, b).dtype

        both.same(program, label=f"{first}, {second}")


def test_products_refuse_mixed_types(both):
    both.same(lambda lib: lib.ones(2, 2) @ lib.ones(2, 2, dtype=lib.float64))
    both.same(
        lambda lib: lib.nn.functional.linear(lib.ones(2, 2), lib.ones(2, 2, dtype=lib.float64))
    )


def test_default_dtype_takes_part(both):
    def program(lib):
        lib.set_default_dtype(lib.float64)
        try:
            return [
                lib.tensor(1.0).dtype, (lib.tensor([1]) / 2).dtype, (lib.tensor([1]) + 0.5).dtype,
                lib.zeros(2).dtype, lib.tensor([1]).sin().dtype, lib.tensor(1j).dtype,
            ]  # fmt: skip
        finally:
            lib.set_default_dtype(lib.float32)

    both.same(program)
    both.same(lambda lib: lib.set_default_dtype(lib.int64))


def test_result_type(both):
    if not hasattr(wb, "result_type"):
        pytest.fail("wb.result_type is missing")
    both.same(lambda lib: lib.result_type(lib.ones(2, dtype=lib.int32), 1.5))
    both.same(lambda lib: lib.result_type(lib.ones(2), lib.ones((), dtype=lib.float64)))
    both.same(lambda lib: lib.can_cast(lib.float32, lib.int64))
    both.same(lambda lib: lib.can_cast(lib.int64, lib.float16))
