"""How often the metrics' 95 % intervals hold what they should, on made-up data of which the truth is known.

python -m benchmarks.coverage               # 200 draws of each case (some minutes on one core)
python -m benchmarks.coverage --draws 1000

Two truths: that of infinitely many rows (closed forms), and the mean of the metric over draws of as many rows, which
is what a sampling error speaks of. Where they differ, n rows give the metric a bias that no resampling shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core import components

Pair = tuple[NDArray[Any], NDArray[Any]]

_RHO = 0.6


def related(rng: np.random.Generator, n: int, d: int) -> Pair:
    """Columns of correlation .6 with the same column of the other side, unrelated to the rest."""
    x, noise = rng.standard_normal((2, n, d))
    return x, _RHO * x + np.sqrt(1 - _RHO**2) * noise


def tori(rng: np.random.Generator, n: int, d: int) -> Pair:
    """Points on two tori of ``d`` angles each, half of which they share: IdCor is 1/2."""
    angles = rng.uniform(0, 2 * np.pi, (n, d + d // 2))
    one, other = angles[:, :d], angles[:, d // 2 :]
    return np.hstack([np.cos(one), np.sin(one)]), np.hstack([np.cos(other), np.sin(other)])


def skewed(rng: np.random.Generator, n: int, d: int) -> Pair:
    """Rows whose cosines are skewed, with mean 2/3: unit vectors at angles of cosine c, c of density 2c."""
    c = np.sqrt(rng.uniform(size=n))
    x = np.zeros((n, d))
    y = x.copy()
    x[:, 0], y[:, 0], y[:, 1] = 1, c, np.sqrt(1 - c**2)
    return x, y


def dcor_of_normal(rho: float) -> float:
    """Return the distance correlation of a bivariate normal (Szekely, Rizzo & Bakirov 2007, theorem 7)."""
    top = rho * np.arcsin(rho) + np.sqrt(1 - rho**2) - rho * np.arcsin(rho / 2) - np.sqrt(4 - rho**2) + 1
    return float(np.sqrt(top / (1 + np.pi / 3 - np.sqrt(3))))


#: Metric, how data are drawn, rows, columns, the value of infinitely many rows.
CASES: tuple[tuple[str, Callable[..., Pair], int, int, float], ...] = (
    ("cosine", skewed, 50, 4, 2 / 3),
    ("cosine", skewed, 300, 4, 2 / 3),
    ("svcca", related, 300, 1, _RHO),
    ("svcca", related, 300, 5, _RHO),
    ("linear_cka", related, 300, 1, _RHO**2),
    ("linear_cka", related, 300, 5, _RHO**2),
    ("distance_correlation", related, 300, 1, dcor_of_normal(_RHO)),
    ("idcor", tori, 300, 2, 0.5),
    ("idcor", tori, 600, 2, 0.5),
    ("idcor", tori, 600, 4, 0.5),
)


def coverage(case: tuple[str, Callable[..., Pair], int, int, float], draws: int) -> str:
    """Return a line of a table: the truths, and how many of the intervals hold each."""
    name, data, n, d, truth = case
    compute = components.load("metric", name)
    few = {"idcor": {"permutations": 1}, "distance_correlation": {"permutations": 0}}.get(name, {})
    few = few if name == "cosine" else few | {"repeats": 0}
    found = [compute(*data(np.random.default_rng(seed), n, d), seed=seed, **few) for seed in range(draws)]
    low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
    values = np.array([one.value for one in found])
    mean = values.mean()
    held = [np.mean((low <= goal) & (goal <= high)) for goal in (truth, mean)]
    width = np.mean(high - low) / (2 * 1.96 * values.std(ddof=1))
    return f"| {name} | {n}×{d} | {truth:.3f} | {mean:.3f} | {held[0]:.3f} | {held[1]:.3f} | {width:.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args().draws
    print(
        "| metric | rows×columns | of infinitely many rows | mean over draws | holds the first | the second | width |"
    )
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        print(coverage(case, draws), flush=True)


if __name__ == "__main__":
    main()
