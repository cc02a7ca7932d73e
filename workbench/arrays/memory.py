"""Whether freed memory stays with the process: the difference between arithmetic and page faults.

glibc gives a large array back to the system as soon as it is freed, and the next one comes as fresh
pages that the kernel has to clear and map when they are first touched: for arrays from some 128 KB
on that takes several times as long as an elementwise operation on them. A network in training frees
and asks for the same sizes at every step.

`keep_memory()` tells glibc to serve arrays of up to 32 MB (the most it allows) from memory that it
keeps, and to give memory back only when more than `limit` bytes lie free at its end. That is a
setting of the whole process, so it is made in one place only: by the first backward pass, because a
process that goes backward is one that trains, and by whoever calls this. It changes no result.
It is not made where the environment says WORKBENCH_KEEP_MEMORY=0 or sets glibc's own variables
(MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES), and does nothing elsewhere than on
glibc: musl, macOS and Windows have other allocators with habits of their own.
"""

from __future__ import annotations

import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt's names for them
_LARGEST = 32 << 20  # glibc takes no more on 64 bits
_USUAL = 128 << 10  # what glibc starts with
_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")

settled = False  # whether it is decided: read by every backward pass


def keep_memory(keep: bool = True, *, limit: int | None = None) -> bool:
    """Keep freed memory in this process for the next arrays, or give it back as glibc usually does.

    `limit`: bytes that may lie free before some go back to the system; default: an eighth of the
    machine's memory, at most 2 GiB. `keep=False` also gives back what is free now. Returns whether
    there was an allocator to tell (glibc). Raises ValueError for a limit below 0.
    """
    global settled
    settled = True
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative, got {limit}")
    if not _is_glibc():
        return False
    import ctypes

    library = ctypes.CDLL(None)
    most = (1 << 31) - 1  # mallopt takes a C int
    trim = min(_default_limit() if limit is None else limit, most) if keep else _USUAL
    done = library.mallopt(_MMAP_THRESHOLD, _LARGEST if keep else _USUAL)
    done &= library.mallopt(_TRIM_THRESHOLD, trim)
    if not keep:
        library.malloc_trim(0)
    return bool(done)


def settle() -> None:
    """What the first backward pass does, unless the user has decided otherwise."""
    global settled
    settled = True
    environment = os.environ
    if environment.get("WORKBENCH_KEEP_MEMORY") == "0":
        return
    if any(name in environment for name in _VARIABLES):
        return
    if "glibc.malloc" in environment.get("GLIBC_TUNABLES", ""):
        return
    keep_memory()


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # Windows; macOS and musl
        return False


def _default_limit() -> int:
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = 4 << 30
    return max(memory // 8, 64 << 20)
