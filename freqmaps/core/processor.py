"""The processor that a job runs on, and how many threads of it."""

from __future__ import annotations

import os
import platform
import resource
import sys
from functools import cache
from pathlib import Path

DECIDES_NUMBERS = False

#: What OpenMP, BLAS and numba read when they are loaded, and what the processes read that a job starts.
BOUNDS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_VECTORS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve")
#: What the environment allows, before a job has set any.
_ALLOWED = {name: int(os.environ[name]) for name in BOUNDS if os.environ.get(name, "").isdecimal()}


def limit_threads(bound: int) -> None:
    """Bound the threads of BLAS, OpenMP and torch, also if they are loaded already; 0 leaves them.

    Sums over several threads are added in another order, and a training carries the difference on: with the bound, a
    command that is run by hand gives what the same job gives under Snakemake, which sets these variables. Where the
    environment allows fewer threads, it has its way.
    """
    if bound <= 0:
        return
    import threadpoolctl

    for name in BOUNDS:
        os.environ[name] = str(min(bound, _ALLOWED.get(name) or bound))
    count = int(os.environ["OMP_NUM_THREADS"])
    threadpoolctl.threadpool_limits(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def threads() -> int:
    """Return how many threads BLAS, OpenMP and torch compute with: 0 if nobody has set a bound."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if value.isdecimal() else 0


def peak_memory_mb() -> float:
    """Return the most memory that this process has held so far, in 10**6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


@cache
def processor() -> str:
    """Return the processor's name and the vector instructions that decide in which order libraries add numbers.

    As in ``AMD EPYC (avx2, avx512f)``; what the system does not tell is left out.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name") or platform.machine()
    flags = {*fields.get("flags", "").split(), *fields.get("Features", "").split()}
    vectors = [flag for flag in _VECTORS if flag in flags]
    return f"{name} ({', '.join(vectors)})" if vectors else name
