"""One table drives every op: what is declared is what is tested.

Each op's samples run forward against torch in every dtype, with its gradients against torch's and
against finite differences to second order; the method, the function and the in-place variant must
agree; its shape rule must say what happens.
"""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.arrays.dtypes import bfloat16
from workbench.autograd import gradcheck, gradgradcheck
from workbench.ops import OPS
from workbench.ops.samples import Maker
from workbench.tensor.functions import METHODS

from .gauges import through

EVERY = pytest.mark.parametrize("op", OPS.values(), ids=list(OPS))
PUBLIC = pytest.mark.parametrize(
    "op", [op for op in OPS.values() if op.oracle is not False],
    ids=[name for name, op in OPS.items() if op.oracle is not False],
)  # fmt: skip

DTYPES = {
    "bool": np.bool_, "uint8": np.uint8, "int16": np.int16, "int32": np.int32, "int64": np.int64,
    "float16": np.float16, "bfloat16": bfloat16.numpy, "float32": np.float32,
    "float64": np.float64, "complex64": np.complex64, "complex128": np.complex128,
}  # fmt: skip
INTS = {"uint8", "int16", "int32", "int64"}

CONVOLUTIONS = [f"{name}{n}d" for name in ("conv", "conv_transpose") for n in (1, 2, 3)]

# What torch computes and we refuse, with a clear error: op -> dtypes.
REFUSED = {
    # only for tensors without elements does torch take these dtypes
    "softmax": set(DTYPES) - {"float16", "bfloat16", "float32", "float64"},
    "log_softmax": set(DTYPES) - {"float16", "bfloat16", "float32", "float64"},
    "sample_grid": set(DTYPES) - {"float16", "bfloat16", "float32", "float64"},
    "attention": set(DTYPES) - {"float16", "bfloat16", "float32", "float64"},
    **dict.fromkeys(
        ("rnn_layer", "lstm_layer", "gru_layer"),
        set(DTYPES) - {"float16", "bfloat16", "float32", "float64"},
    ),
    **{name: {"bool"} for name in CONVOLUTIONS}, "matmul": {"bool"}, "linear": {"bool"},
    "square": {"bool"},
    "logaddexp": {"complex64", "complex128"},
    "sum_to": {"bool"} | INTS,
    # only for tensors without dimensions does torch take these dtypes
    "kthvalue": {"bool", "complex64", "complex128"}, "mode": {"complex64", "complex128"},
    "cummax": {"complex64", "complex128"}, "cummin": {"complex64", "complex128"},
    # there is no complex type of two halves here
    "complex": {"float16"}, "view_as_complex": {"float16"},
    "cdist_forward": {"float16", "bfloat16"},  # torch: only without elements, or by products
}  # fmt: skip

# What we compute and torch refuses: op -> dtypes.
EXTENDED = {
    "avg_pool1d": {"int16", "int32"}, "avg_pool2d": {"int16", "int32"},
    "avg_pool3d": {"int16", "int32", "float16", "bfloat16"},
    "resample": {"uint8", "float16", "bfloat16"},
    **{f"adaptive_avg_pool{n}d": {"complex64", "complex128"} for n in (1, 2, 3)},
    "sub": {"bool"},  # a bool tensor minus a float
    **dict.fromkeys(CONVOLUTIONS, INTS),  # with dilation, and all but int64 transposed
    "lerp": {"bool"} | INTS,  # with a float weight
    # numbers in place of the second tensor
    "maximum": set(DTYPES), "minimum": set(DTYPES), "fmax": set(DTYPES), "fmin": set(DTYPES),
    "logaddexp": set(DTYPES), "atan2": set(DTYPES),
    "logical_and": set(DTYPES), "logical_or": set(DTYPES), "logical_xor": set(DTYPES),
    "hypot": set(DTYPES), "nextafter": set(DTYPES), "logaddexp2": set(DTYPES),
}  # fmt: skip

# Sums whose order differs from torch's, and functions with larger steps: tolerance times this.
SLACK = {
    "prod": 4, **dict.fromkeys(CONVOLUTIONS, 4), "remainder": 10, "pow": 4, "cumsum": 2,
    # torch's own are no better than this; test_special.py holds ours against SciPy
    "bessel_j0": 1e5, "bessel_j1": 1e5, "bessel_y0": 1e5, "bessel_y1": 1e5, "polygamma_of": 100,
    "igamma": 200, "igammac": 200,
}  # fmt: skip


def samples(op, dtype=np.float64):
    return list(op.samples(Maker(dtype)))


def test_every_op_has_samples():
    missing = [name for name, op in OPS.items() if op.samples is None or not samples(op)]
    assert not missing, f"these ops declare no samples: {missing}"


def test_every_op_has_a_docstring():
    assert not [name for name, op in OPS.items() if not op.doc]


@PUBLIC
def test_forward_matches_torch_in_every_dtype(op, oracle):
    problems = []
    for name, dtype in DTYPES.items():
        for sample in samples(op, dtype):
            ours, _ = oracle.run_ours(op, sample)
            theirs, _ = oracle.run_theirs(op, sample)
            if ours.error is not None and theirs.error is None:
                if name not in REFUSED.get(op.name, ()):
                    problems.append(f"{name} {sample}: we refuse ({ours}), torch gives {theirs}")
            elif ours.error is None and theirs.error is not None:
                if name not in EXTENDED.get(op.name, ()):
                    problems.append(f"{name} {sample}: we give {ours}, torch refuses ({theirs})")
            elif ours.error is None:
                found = oracle.compare(
                    ours, theirs, exact=sample.exact, slack=SLACK.get(op.name, 1)
                )
                if found:
                    problems.append(f"{name} {sample}: {found}")
    assert not problems, "\n".join(problems[:12])


LAYOUT_MATTERS = {"as_strided", "view_as_complex"}  # views of the memory as it lies


@PUBLIC
def test_memory_layout_does_not_matter(op, oracle):
    """The same values in Fortran order, and with a step between them."""
    if op.name in LAYOUT_MATTERS:
        return
    for sample in samples(op):
        if not sample.exact:
            continue
        expected, _ = oracle.run_ours(op, sample)
        for layout in (_fortran, _strided):
            changed = _map_arrays(sample, layout)
            got, _ = oracle.run_ours(op, changed)
            if got.error is not None:  # a view that this layout does not allow, in torch too
                theirs, _ = oracle.run_theirs(op, _map_arrays(sample, _fortran))
                assert theirs.error is not None, f"{changed}: {got}"
                continue
            for a, b in zip(got.values, expected.values, strict=True):
                np.testing.assert_allclose(a.array, b.array, rtol=1e-12, atol=1e-12)


def _fortran(array):
    return np.array(array, order="F")


def _strided(array):
    if array.ndim == 0:
        return array
    wide = np.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _map_arrays(sample, change):
    args = [
        change(v) if isinstance(v, np.ndarray)
        else tuple(change(a) if isinstance(a, np.ndarray) else a for a in v) if isinstance(v, tuple)
        else v
        for v in sample.args
    ]  # fmt: skip
    return type(sample)(*args, grad=sample.grad, exact=sample.exact, **sample.kwargs)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, np.inf, -np.inf, np.nan, 1e30, -1e-30])
ELEMENTWISE = [
    op for op in OPS.values()
    if op.oracle is not False and not op.settings and op.dtype in ("promote", "float", "compare")
    and len(op.tensors) <= 2 and not op.sequence
]  # fmt: skip


@pytest.mark.parametrize("op", ELEMENTWISE, ids=[op.name for op in ELEMENTWISE])
def test_special_values_match_torch(op, oracle):
    """Zeros, infinities, nan and extremes, alone or in every pair; signs of zero included."""
    for dtype in (np.float32, np.float64):
        x = SPECIAL.astype(dtype)
        pair = (x,) if len(op.tensors) == 1 else (x[:, None], x[None, :])
        sample = type(next(iter(op.samples(Maker()))))(*pair)
        ours, _ = oracle.run_ours(op, sample)
        theirs, _ = oracle.run_theirs(op, sample)
        assert (ours.error is None) == (theirs.error is None), f"{ours} / {theirs}"
        if ours.error is not None:
            continue
        a, b = ours.values[0].array, oracle.from_torch(theirs.values[0])
        wrong = ~np.isclose(a, b, rtol=1e-5, atol=ROUNDED_NEAR_ZERO.get(op.name, 1e-30),
                            equal_nan=True)  # fmt: skip
        if a.dtype.kind == "f" and op.name not in SIGNED_ZEROS_DIFFER:
            wrong |= (a == 0) & (np.signbit(a) != np.signbit(b))
        if op.name in NAN_LOST_BY_TORCH:
            wrong &= ~(np.isnan(a) & np.isnan(x[:, None]))
        where = np.argwhere(wrong)
        shown = [(tuple(x[i] for i in at), a[tuple(at)], b[tuple(at)]) for at in where[:6]]
        assert not len(where), f"{op.name} {np.dtype(dtype).name} (inputs, ours, torch): {shown}"


# torch's own results near zero are off by this much.
ROUNDED_NEAR_ZERO = {"logaddexp2": 2e-8}

# The sign of a zero result is not promised: NumPy picks either of two equal zeros, and so on.
SIGNED_ZEROS_DIFFER = {
    "erf",
    "logaddexp2",
    "fmax",
    "fmin",
    "relu",
    "maximum",
    "minimum",
    "remainder",
}


# torch's recurrences end at nan and give the 0 they began with.
NAN_LOST_BY_TORCH = {
    f"{name}polynomial_{letter}"
    for name, letters in (
        ("chebyshev_", "uw"), ("shifted_chebyshev_", "uw"), ("laguerre_", "l"), ("legendre_", "p"),
    )
    for letter in letters
}  # fmt: skip
# Where torch has no gradient: ours is held against finite differences only.
NO_GRADIENT_IN_TORCH = {"ldl_solve"}


@PUBLIC
def test_gradients_match_torch(op, oracle):
    if not op.rules or op.name in NO_GRADIENT_IN_TORCH:
        return
    rng = np.random.default_rng(5)
    for dtype in (np.float64, np.complex128):
        for sample in samples(op, dtype):
            if not (sample.grad and sample.exact):
                continue
            ours, leaves = oracle.run_ours(op, sample, requires_grad=True)
            theirs, others = oracle.run_theirs(op, sample, requires_grad=True)
            if ours.error is not None or theirs.error is not None or not leaves:
                continue
            mine = [v for v in ours.values if v.requires_grad]
            other = [v for v in theirs.values if v.requires_grad]
            assert len(mine) == len(other), f"{sample}: {len(mine)} differentiable, {len(other)}"
            if not mine:
                continue
            seeds = [_direction(rng, v) for v in mine]
            wb.autograd.backward(mine, [wb.from_numpy(s) for s in seeds])
            oracle.torch.autograd.backward(other, [oracle.to_torch(s) for s in seeds])
            for i, (a, b) in enumerate(zip(leaves, others, strict=True)):
                if b.grad is None or a.grad is None:
                    assert (a.grad is None and b.grad is None) or not (
                        a.grad if b.grad is None else b.grad
                    ).any()
                    continue
                found = oracle.difference(a.grad, b.grad, slack=100)
                assert not found, f"{sample}, gradient {i}: {found}"


def _direction(rng, value):
    drawn = rng.uniform(-1, 1, value.shape)
    if value.is_complex():
        drawn = drawn + 1j * rng.uniform(-1, 1, value.shape)
    return np.asarray(drawn).astype(value.array.dtype)


@EVERY
def test_gradients_match_finite_differences(op, oracle):
    """First and second order, internal adjoint ops included."""
    if not op.rules or op.random:
        return
    checked = 0
    for sample in samples(op):
        if not (sample.grad and sample.exact):
            continue
        outcome, leaves = oracle.run_ours(op, sample, requires_grad=True)
        assert outcome.error is None, f"{sample}: {outcome}"
        leaves = [t for t in leaves if t.numel()]
        if any(bool(wb.isnan(v).any()) for v in outcome.values):
            continue
        if not leaves or not any(v.requires_grad for v in outcome.values):
            continue
        call = _closure(op, oracle, sample)
        assert gradcheck(call, leaves), sample
        if sum(t.numel() for t in leaves) <= 300:
            assert gradgradcheck(call, leaves), sample
        checked += 1
    assert checked, "no sample was differentiable"


def _closure(op, oracle, sample):
    """The call as a function of its float tensors with elements."""

    def call(*leaves):
        given = iter(leaves)

        def make(array, wanted=True):
            tensor = wb.from_numpy(np.array(array))
            use = wanted and tensor.dtype.category >= 2 and tensor.numel()
            return next(given) if use else tensor

        args, kwargs = oracle.convert(op, sample, make)
        return through(op, oracle.ours(op))(*args, **kwargs)

    return call


@EVERY
def test_every_gradient_has_the_dtype_of_its_tensor(op, oracle):
    """Also in half precision, and never float64 by way of a NumPy scalar."""
    if not op.rules:
        return
    for dtype in (np.float32, np.float16, bfloat16.numpy):
        for sample in samples(op, dtype):
            if not sample.grad:
                continue
            outcome, leaves = oracle.run_ours(op, sample, requires_grad=True)
            if outcome.error is not None:
                continue
            mine = [v for v in outcome.values if v.requires_grad]
            if not mine:
                continue
            wb.autograd.backward(mine, [wb.ones_like(v) for v in mine])
            for leaf in leaves:
                if leaf.grad is not None:
                    assert leaf.grad.dtype is leaf.dtype, f"{sample}: {leaf.grad.dtype}"
                    assert leaf.grad.shape == leaf.shape, sample
                    assert type(leaf.grad.array) is np.ndarray


@EVERY
def test_the_shape_rule_says_what_happens(op, oracle):
    for sample in samples(op):
        outcome, _ = oracle.run_ours(op, sample, call=oracle.ours(op))
        if outcome.error is not None:
            continue
        args, kwargs = oracle.convert(op, sample, lambda a, _=True: tuple(np.shape(a)))
        said = op.result_shape(*args, **kwargs)
        happened = tuple(tuple(v.shape) for v in outcome.values)
        assert said == (happened if op.returns else happened[0]), sample


@PUBLIC
def test_method_function_and_inplace_variant_agree(op, oracle):
    function = oracle.ours(op)
    if op.method:
        assert op.name in METHODS
        assert hasattr(wb.Tensor, op.name)
    for sample in samples(op):
        if not sample.exact or op.sequence:
            continue
        args, kwargs = oracle.convert(op, sample, lambda a, _=True: wb.from_numpy(np.array(a)))
        if not isinstance(args[0], wb.Tensor):
            continue
        expected = function(*args, **kwargs)
        if op.method:
            got = getattr(args[0], op.name)(*args[1:], **kwargs)
            _same(got, expected, sample)
        if op.inplace and expected.shape == args[0].shape and expected.dtype is args[0].dtype:
            target = args[0].clone()
            address = target.data_ptr()
            got = getattr(target, f"{op.name}_")(*args[1:], **kwargs)
            assert got is target
            assert target.data_ptr() == address
            _same(target, expected, sample)
        if op.operator is not None and not kwargs:
            import operator as ops

            symbol = {"and": "and_", "or": "or_"}.get(op.operator, op.operator)
            _same(getattr(ops, symbol)(*args), expected, sample)


def _same(got, expected, sample):
    several = isinstance(expected, tuple)
    for a, b in zip(got if several else (got,), expected if several else (expected,), strict=True):
        assert a.dtype is b.dtype, sample
        np.testing.assert_array_equal(a.array, b.array, err_msg=repr(sample))


@EVERY
def test_views_share_memory_and_nothing_else_does(op, oracle):
    for sample in samples(op):
        leaves = []

        def make(array, wanted=True, leaves=leaves):
            leaves.append(wb.from_numpy(np.array(array)))
            return leaves[-1]

        args, kwargs = oracle.convert(op, sample, make)
        got = oracle.ours(op)(*args, **kwargs)
        if op.view or not leaves or not isinstance(got, wb.Tensor) or got is leaves[0]:
            continue
        if op.name in (
            "sum_to",
            "conj",
            "real",
        ):  # hand their input on where there is nothing to do
            continue
        assert not any(np.shares_memory(got.array, t.array) for t in leaves), sample


ERRORS = [op for op in OPS.values() if op.errors is not None]


@pytest.mark.parametrize("op", ERRORS, ids=[op.name for op in ERRORS])
def test_bad_input_raises_what_torch_raises(op, oracle):
    for sample in op.errors(Maker()):
        theirs, _ = oracle.run_theirs(op, sample)
        ours, _ = oracle.run_ours(op, sample)
        assert theirs.error is not None, f"torch accepts {sample}"
        assert ours.error is not None, f"we accept {sample}; torch: {theirs}"
        wanted = type(theirs.error)
        if wanted.__name__ == "_LinAlgError":
            wanted = wb.linalg.LinAlgError
        assert isinstance(ours.error, wanted), f"{sample}: {ours} / torch: {theirs}"
        assert str(ours.error), sample
