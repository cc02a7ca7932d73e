"""Ops' kernels for the compiler: one file per family, used where `compiler.available()`.

Each file has a NumPy way beside it (the op's own) that computes the same up to rounding, for other
dtypes, small arrays, CuPy and where there is no compiler.
"""
