"""cuDNN is not used; what programs set here is remembered."""

enabled = False
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True
conv_fp32_precision = "none"


def is_available() -> bool:
    """False: cuDNN is not used."""
    return False


def version() -> int | None:
    """None: cuDNN is not used."""
    return None
