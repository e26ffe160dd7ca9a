"""IdCor with its permutation test: shared distances against the direct computation, one after the other in one run.

The direct computation does for each permutation what the definition says: concatenate, all distances
(``torch.cdist`` in float32, a matrix product on all cores), the two smallest of each row, TwoNN. After a warm-up,
``direct_permutations`` permutations are timed; the fastest of them, times the permutations and one for [X, Y] itself,
is the direct time: a linear extrapolation that leaves out the estimates of X and of Y and all preparation.
``idcor_vs_fastest_direct`` compares with the fastest direct form that we know, half the work: NumPy's symmetric product
of a matrix with itself, and a partition.

Ours is the whole metric (checks, standardisation, both distance matrices, all permutations, 20 half-samples for the
sampling error), the faster of two runs, after a first call that loads the compiled loops.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import torch

from freqmaps.correlation._halves import permutations as draw_permutations
from freqmaps.correlation._twonn import twonn
from freqmaps.correlation.metrics.idcor import compute

SEED = 0


def run(n: int = 3000, d: int = 3072, permutations: int = 100, direct_permutations: int = 2) -> dict[str, float]:
    x, y = sparse_maps(n, d)
    compute(x[:64], y[:64], seed=SEED, permutations=2)
    seconds, ours = _fastest([lambda: compute(x, y, seed=SEED, permutations=permutations)] * 2)
    shuffles = draw_permutations(n, permutations, SEED)[:direct_permutations]
    a, b = _prepare(x), _prepare(y)
    totals = {}
    for direct in (_direct_symmetric, _direct):
        direct(np.hstack([a, b])[: n // 4])
        observed = [direct(a), direct(b), direct(np.hstack([a, b]))]
        each, _ = _fastest([lambda f=direct, p=p: f(np.hstack([a, b[p]])) for p in shuffles])
        totals[direct] = each * (permutations + 1)
    permuted = [_direct(np.hstack([a, b[p]])) for p in shuffles]
    value = (observed[0] + observed[1] - observed[2]) / max(observed[:2])
    few = compute(x, y, seed=SEED, permutations=direct_permutations, subsamples=0)
    differences = [ours.value - value, few.extra["permuted_mean"] - np.mean(permuted)]
    differences += [ours.extra[k] - v for k, v in zip(("id_x", "id_y", "id_xy"), observed, strict=True)]
    return {
        "idcor_vs_direct": totals[_direct] / seconds,
        "idcor_vs_fastest_direct": totals[_direct_symmetric] / seconds,
        "idcor_seconds": seconds,
        "idcor_direct_seconds_extrapolated": totals[_direct],
        "idcor_direct_permutations_timed": direct_permutations,
        "idcor_max_abs_difference": float(np.abs(differences).max()),
        "idcor_peak_memory_ratio": _peak_bytes(x, y) / (2 * 4 * n * n),
        "idcor_value": ours.value,
    }


def sparse_maps(n: int, d: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of maps in [0, 1], mostly zero, that share part of what they depend on.

    Each set depends on 20 numbers per row, 12 of them common to both.
    """
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((n, 28), dtype=np.float32)
    sets = []
    for own in (slice(0, 20), slice(8, 28)):
        mixed = factors[:, own] @ rng.standard_normal((20, d), dtype=np.float32) / np.float32(np.sqrt(20))
        sets.append(np.clip(mixed - 1, 0, 1))
    return sets[0], sets[1]


def _prepare(x: np.ndarray) -> np.ndarray:
    spread = x.std(axis=0, dtype=np.float64)
    z = (x - x.mean(axis=0, dtype=np.float64)) / np.where(spread > 0, spread, 1)
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


def _direct(points: np.ndarray) -> float:
    """TwoNN from scratch."""
    tensor = torch.from_numpy(points)
    distances = torch.cdist(tensor, tensor).fill_diagonal_(torch.inf)
    first, second = torch.topk(distances, 2, largest=False).values.square().unbind(1)
    return twonn(first.numpy(), second.numpy(), 0.9)[0]


def _direct_symmetric(points: np.ndarray) -> float:
    """TwoNN from scratch, by a symmetric product."""
    norms = np.einsum("ij,ij->i", points, points)
    squared = points @ points.T
    squared *= -2
    squared += norms[:, None]
    squared += norms
    np.fill_diagonal(squared, np.inf)
    squared.partition(1, axis=1)
    return twonn(squared[:, 0], squared[:, 1], 0.9)[0]


def _fastest(calls: list[Callable[[], object]]) -> tuple[float, object]:
    """Call each once; return the seconds of the fastest and its result."""
    runs = []
    for call in calls:
        start = time.perf_counter()
        result = call()
        runs.append((time.perf_counter() - start, result))
    return min(runs, key=lambda run: run[0])


def _peak_bytes(x: np.ndarray, y: np.ndarray) -> int:
    """What the metric allocates at most beside its inputs; permutations add nothing, so that two will do."""
    tracemalloc.start()
    compute(x, y, seed=SEED, permutations=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    for name, figure in run().items():
        print(f"{name:40s} {figure:.5g}")
