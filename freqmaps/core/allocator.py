"""Whether the C library keeps memory that a step has freed, for the next step, or gives it back to the system."""

from __future__ import annotations

import ctypes

DECIDES_NUMBERS = False

#: Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """Have the C library keep the memory that a step frees for the next step; return whether it does.

    A step on a CPU asks for the same hundred blocks of some megabytes as the one before. By default, glibc gives such
    blocks back to the kernel and faults them in anew: some thousand page faults, a tenth to a fifth of the step's time.
    Holds for the whole process; :func:`give_freed_memory_back` returns what is free. No effect but with glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 << 20))
    return all(mallopt(name, value) == 1 for name, value in settings)


def give_freed_memory_back() -> None:
    """Return the C library's free memory to the kernel."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return
