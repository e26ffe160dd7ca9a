"""How similar masks of the same network and images are when only the seed or the initial value differs.

Karantzas et al. say in section 2.1 that their masks are stable across runs; here it is a number, beside how alike the
masks of different networks (or classes) are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.arrays import finite
from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.bands import BANDS, radial_energy

Measure = Literal["cosine", "pearson", "top", "radial"]
MEASURES: tuple[Measure, ...] = ("cosine", "pearson", "top", "radial")

Square = NDArray[np.float64]


@dataclass(frozen=True)
class Stability:
    """Similarity of masks within groups and between them, by one measure.

    Attributes
    ----------
    within, between
        Mean similarity of two masks of one group, and of two masks of different groups; NaN where there is no pair.
    pairs_within, pairs_between
        Pairs that these are means over; pairs of undefined similarity (an empty mask's cosine) are left out.
    within_error
        Standard error of ``within``: the jackknife over masks. NaN below 3 masks.
    p_value
        ``(1 + #{permutations: within - between >= the observed}) / (1 + permutations)``, groups shuffled.
    null_low, null_high
        The middle 95 % of ``within - between`` under shuffled groups: what no difference looks like.
    """

    within: float
    between: float
    pairs_within: int
    pairs_between: int
    within_error: float
    p_value: float
    null_low: float
    null_high: float


def similarities(masks: ArrayLike, measure: Measure, *, top: float = 0.05, bands: int = BANDS) -> Square:
    """Return the similarity of each pair of masks.

    Parameters
    ----------
    masks
        (n, ..., h, w), not negative, the origin at ``[h // 2, w // 2]``.
    measure
        * ``cosine``: ``a b / (|a| |b|)`` over all entries.
        * ``pearson``: the cosine after each mask's mean is taken off.
        * ``top``: the share that two masks have in common of their largest entries, as many as ``top`` of all. Entries
          that tie at the bound share the places that are left: ``sum of min(s_a, s_b) / k`` of memberships s in [0, 1]
          that add up to k.
        * ``radial``: Pearson's correlation of their radial energies in ``bands`` rings, channels added.
    top
        In (0, 1].
    bands
        Rings.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Symmetric. NaN for pairs with a mask that has no such similarity: an empty, or for Pearson a constant one.

    Raises
    ------
    FreqmapsError
        NaN, a negative entry, fewer than three axes, or an unknown measure.
    """
    values = finite(masks, "stability").astype(np.float64)
    if values.ndim < 3 or (values < 0).any() or not 0 < top <= 1 or measure not in MEASURES:
        raise FreqmapsError(
            f"stability: masks of shape {values.shape}, measure '{measure}', top {top:g}; give masks (n, ..., h, w) "
            f"without negative entries, one of {', '.join(MEASURES)}, and a top in (0, 1]"
        )
    rows = values.reshape(len(values), -1)
    if measure == "top":
        return _overlaps(rows, top)
    if measure == "radial":
        power = np.square(values).reshape(len(values), -1, *values.shape[-2:]).sum(axis=1)
        rows = radial_energy(power, bands)
    return _cosines(rows if measure == "cosine" else _centred(rows))


def mask_stability(
    masks: ArrayLike,
    groups: ArrayLike,
    *,
    measures: Sequence[Measure] = MEASURES,
    top: float = 0.05,
    bands: int = BANDS,
    permutations: int = 999,
    seed: int = 0,
) -> dict[str, Stability]:
    """Compare masks of one group (several seeds of one network, say) with masks of others.

    Parameters
    ----------
    masks
        (n, ..., h, w).
    groups
        (n,) which masks should be alike.
    measures, top, bands
        See :func:`similarities`.
    permutations, seed
        Of the groups. With few masks there are few different ones, and the p-value cannot be small.

    Returns
    -------
    dict
        A :class:`Stability` per measure.

    Raises
    ------
    FreqmapsError
        Fewer than two masks, groups that do not match them, or what :func:`similarities` refuses.
    """
    names = np.asarray(groups)
    if names.ndim != 1 or len(names) != len(np.asarray(masks)) or len(names) < 2:
        raise FreqmapsError(
            f"stability: {len(np.asarray(masks))} masks and groups of shape {names.shape}; give one group per mask, of "
            "two masks or more"
        )
    rng = np.random.default_rng(seed)
    shuffled = np.array([rng.permutation(names) for _ in range(permutations)]).reshape(permutations, len(names))
    return {m: _compare(similarities(masks, m, top=top, bands=bands), names, shuffled) for m in measures}


def _compare(similarity: Square, names: NDArray[Any], shuffled: NDArray[Any]) -> Stability:
    within, between, inside, outside = _means(similarity, names)
    drawn = np.array([np.subtract(*_means(similarity, other)[:2]) for other in shuffled])
    drawn = drawn[np.isfinite(drawn)]
    compared = len(drawn) > 0 and np.isfinite(within - between)
    # Shuffles that only swap whole groups must count as equal, whatever the rounding.
    above = int((drawn >= within - between - 1e-12).sum())
    low, high = np.quantile(drawn, [0.025, 0.975]) if compared else (np.nan, np.nan)
    p_value = (1 + above) / (1 + len(drawn)) if compared else np.nan
    return Stability(
        within, between, inside, outside, _jackknife(similarity, names), float(p_value), float(low), float(high)
    )


def _means(similarity: Square, names: NDArray[Any]) -> tuple[float, float, int, int]:
    """Return the mean over pairs within groups and between them, and how many pairs there are of each."""
    first, second = np.triu_indices(len(names), 1)
    values, same = similarity[first, second], names[first] == names[second]
    defined = np.isfinite(values)
    inside, outside = values[defined & same], values[defined & ~same]
    means = [float(part.mean()) if len(part) else float("nan") for part in (inside, outside)]
    return means[0], means[1], len(inside), len(outside)


def _jackknife(similarity: Square, names: NDArray[Any]) -> float:
    """Return ``sqrt((n - 1) / n sum of (θ_i - mean θ)²)``, θ_i the mean within groups without mask i."""
    n = len(names)
    if n < 3:
        return float("nan")
    rest = [np.delete(np.arange(n), i) for i in range(n)]
    left = np.array([_means(similarity[np.ix_(r, r)], names[r])[0] for r in rest])
    return float(np.sqrt((n - 1) * left.var())) if np.isfinite(left).all() else float("nan")


def _centred(rows: Square) -> Square:
    left: Square = rows - rows.mean(axis=1, keepdims=True)
    left[np.ptp(rows, axis=1) == 0] = 0  # not what rounding leaves of a constant
    return left


def _cosines(rows: Square) -> Square:
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    norms[norms == 0] = np.nan
    unit = rows / norms[:, None]
    return np.asarray(np.clip(unit @ unit.T, -1, 1), dtype=np.float64)


def _overlaps(rows: Square, top: float) -> Square:
    count = max(round(top * rows.shape[1]), 1)
    memberships = np.array([_membership(row, count) for row in rows])
    overlaps = np.array([np.minimum(membership, memberships).sum(axis=1) / count for membership in memberships])
    empty = ~rows.any(axis=1)
    overlaps[empty] = np.nan
    overlaps[:, empty] = np.nan
    return overlaps


def _membership(row: Square, count: int) -> Square:
    """Return each entry's membership among the ``count`` largest: 1 above the bound, 0 below, an equal part at it."""
    bound = np.partition(row, -count)[-count]
    above, at = row > bound, row == bound
    return np.asarray(above + at * ((count - above.sum()) / at.sum()), dtype=np.float64)
