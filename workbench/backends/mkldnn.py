"""mkldnn is not used."""


def is_available() -> bool:
    """False, NumPy brings its own BLAS."""
    return False
