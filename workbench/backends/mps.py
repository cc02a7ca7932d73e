"""Apple's GPUs are not used."""


def is_available() -> bool:
    """False: there is no backend for Apple's GPUs."""
    return False


def is_built() -> bool:
    """False: there is no backend for Apple's GPUs."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """False: nothing here depends on it."""
    return False
