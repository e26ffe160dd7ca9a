"""Compiled loops over rows: cached where a cache can be written, run by several threads where there are several."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a loop on its first call, without the interpreter's lock, and keep the machine code between runs.

    Sums may be re-associated, so that they use vector units; nothing else of the arithmetic is relaxed. Where no cache
    folder can be written (a read-only installation and home), the loop is compiled anew in each process.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "nsz"}}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return numba.njit(**options)(function)  # type: ignore[no-any-return]


def over_rows(loop: Callable[[int, int], None], n: int, step: int = 32) -> None:
    """Call ``loop(start, stop)`` for ranges of ``step`` rows that cover n rows, in as many threads as numba may use.

    The ranges do not depend on the number of threads, and each row is worked on by one thread only: so the numbers do
    not depend on it either. ``NUMBA_NUM_THREADS`` bounds the threads.
    """
    starts = range(0, n, step)
    config: Any = numba.config
    threads = max(1, min(int(config.NUMBA_NUM_THREADS), len(starts)))
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda start: loop(start, min(n, start + step)), starts):
            pass
