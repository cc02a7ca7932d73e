"""openmp is not used."""


def is_available() -> bool:
    """False, threads are BLAS's."""
    return False
