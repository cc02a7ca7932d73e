"""CUDA's settings: remembered."""

from workbench import cuda as _cuda


class _Matmul:
    """How products of matrices may be rounded. Remembered; CuPy keeps float32 exact."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True
    fp32_precision = "none"


matmul = _Matmul()


def is_built() -> bool:
    """Whether CUDA can be used."""
    return _cuda.is_available()


def flash_sdp_enabled() -> bool:
    """False: attention has one way of its own."""
    return False


def mem_efficient_sdp_enabled() -> bool:
    """False: attention has one way of its own."""
    return False


def math_sdp_enabled() -> bool:
    """True: attention is computed as it is written."""
    return True


def enable_flash_sdp(enabled: bool) -> None:
    """Without effect."""


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Without effect."""


def enable_math_sdp(enabled: bool) -> None:
    """Without effect."""
