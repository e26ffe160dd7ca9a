"""What Theorems 1 to 4 of F21 claim, draw by draw: values of a training path or of an attack, and what they should be.

A claim about a draw is 1 where it is true, 0 where it is false, NaN where it says nothing about this draw. Where the
text is ambiguous, or a formula does not follow from its proof, the docstring of the theorem says what is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike

from freqmaps.simulation._pgd_path import Attack
from freqmaps.simulation._training_path import Path, Steps, from_then_on
from freqmaps.simulation._two_layer import Flags, Reals

#: Changes of τ up to this are rounding.
_ROUNDING = 1e-9
#: A network whose ``∂ℓ/∂f`` is below this part of the first one is at the minimum: what follows is rounding.
_FINISHED = 1e-6
#: The last part of a path: what is said of "all later steps" is looked up there.
_LAST = 0.75


@dataclass(frozen=True)
class Claim:
    """A claim with its value in each draw.

    Attributes
    ----------
    theorem
        ``1`` to ``4``.
    measure
        What is measured.
    predicted
        What the theorem says; NaN where it says nothing and the number is told beside it.
    values
        (n,) NaN where a draw has none.
    truth
        Whether the values are 1 or 0, so that their mean is a proportion.
    """

    theorem: str
    measure: str
    predicted: float
    values: Reals
    truth: bool = False


def _claim(theorem: str, measure: str, flags: ArrayLike, where: ArrayLike = True, predicted: float = 1.0) -> Claim:
    values = np.where(np.asarray(where), np.asarray(flags, dtype=np.float64), np.nan)
    return Claim(theorem, measure, predicted, values, truth=True)


def ends(path: Path) -> Reals:
    """Return (n,) the number of steps until the minimum is reached, or all."""
    finished = np.abs(path.residual) <= _FINISHED * np.abs(path.residual[0])
    return np.where(finished.any(axis=0), finished.argmax(axis=0), len(finished) - 1)


def agreement(theorem: str, equation: str, predicted: Reals, measured: Reals, active: Flags) -> Iterator[Claim]:
    """Yield how well an equation predicts the change of τ at each step: relative error, and share of right signs.

    The error is ``sum |predicted - measured| / sum |measured|`` over the steps of a draw; ``active`` (T, n) says
    which count.
    """
    moving = active & (np.abs(measured) > _ROUNDING)
    whole, count = (np.abs(measured) * moving).sum(axis=0), moving.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = (np.abs(predicted - measured) * moving).sum(axis=0) / whole
        right = ((np.sign(predicted) == np.sign(measured)) & moving).sum(axis=0) / count
    yield Claim(theorem, f"equation {equation}: relative error of the change of τ", 0.0, error)
    yield Claim(theorem, f"equation {equation}: share of steps whose sign is right", 1.0, right)


def theorem_1(path: Path) -> Iterator[Claim]:
    """Yield what Theorem 1 and its remark say of a path.

    The remark gives, for ReLU, the number of steps after which Δτ_l > Δτ_h: ``-b ζ / (n η β_0 (L_x - H_x))`` with
    ``b ζ = Δτ_l - Δτ_h`` at the start, n and β_0 the smallest ``‖a'‖²`` and ``|∂ℓ/∂f|`` up to that step. By equation
    8 the inner products with x change by ``-η^(t) |F x[k]|²``, so that Δτ, which is -2 times their sum, changes by
    twice what equation 14 prints; half the printed number of steps should suffice. Both are looked at.

    That τ rises after t0 while it is below 1/2 follows from equation 15 only if Δτ_l is positive, too.
    """
    low, high = path.overlap
    t0, steps = from_then_on(low > high), np.arange(len(low) - 1)[:, None]
    active = steps < ends(path)
    yield from agreement("1", "9", path.predicted(), path.measured(), active)
    yield from _number_of_steps(path, t0)
    yield from _after(path, steps >= t0, active)
    rises = path.measured() > 0
    steady = from_then_on(rises | ~active) <= _LAST * ends(path)
    yield _claim("1", "equation 10: τ rises at every step from some t1 on", steady, ends(path) > 0)
    yield Claim("1", "change of τ over the training", nan, path.share[-1] - path.share[0])


def _number_of_steps(path: Path, t0: Steps) -> Iterator[Claim]:
    """Yield whether t0 is reached, and how it compares with the remark's number of steps."""
    low, high = path.overlap
    last, late = len(low) - 1, low[0] <= high[0]
    reached = t0 <= last
    at = remark_bound(path)[np.minimum(t0, last), np.arange(len(t0))]
    expected = reached == _suffices(path)
    yield _claim("1", "Δτ_l > Δτ_h from some step t0 on", reached)
    yield _claim("1", "t0 is reached if and only if ∂ℓ/∂f is large enough at first", expected, late, nan)
    yield _claim("1", "t0 is at most the printed number", t0 <= np.ceil(at), late & reached)
    yield _claim("1", "t0 is at most half the printed number", t0 <= np.ceil(at / 2), late & reached)
    ratio = np.where(late & reached, t0 / np.maximum(np.ceil(at), 1), nan)
    yield Claim("1", "t0 divided by the printed number rounded up", nan, ratio)


def _after(path: Path, after: Flags, active: Flags) -> Iterator[Claim]:
    """Yield how τ changes in the steps (T, n) after t0, as far as they count."""
    share, change = path.share, path.measured()
    rises, counted = change > 0, after & active
    below = counted & (share[:-1] < 0.5)
    for condition, where, predicted in (("", below, 1.0), (" and Δτ_l > 0", below & (path.overlap[0][:-1] > 0), nan)):
        holds = (rises | ~where).all(axis=0)
        yield _claim("1", f"τ rises after t0 while it is below 1/2{condition}", holds, where.any(axis=0), predicted)
    risen = np.logical_or.accumulate(rises & counted, axis=0)
    falls = risen & counted & (change < -_ROUNDING)
    yield _claim("1", "having risen after t0, τ never falls", ~falls.any(axis=0), risen.any(axis=0))
    above = np.logical_or.accumulate((share[:-1] > 0.5) & after, axis=0)
    stays = (~above | (share[1:] > 0.5)).all(axis=0)
    yield _claim("1", "above 1/2 after t0, τ stays there", stays, above.any(axis=0))


def remark_bound(path: Path) -> Reals:
    """Return (T + 1, n) the printed number of steps, with the minima over the steps up to each one."""
    low, high = path.overlap
    of_signal = path.energy_of_signal
    smallest = np.minimum.accumulate(path.mass, axis=0) * np.minimum.accumulate(np.abs(path.residual), axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((high[0] - low[0]) / (path.eta * smallest * (of_signal[0] - of_signal[1])))


def _suffices(path: Path) -> Flags:
    """Return (n,) whether Δτ_l - Δτ_h becomes positive if ``∂ℓ/∂f`` falls to 0, by equation 8 with ReLU's η_r = 0.

    Each step removes ``η^(t) ‖x‖²`` of ``∂ℓ/∂f``, so that the sum of all ``η^(t)`` is ``|∂ℓ/∂f| / ‖x‖²`` at most, and
    Δτ_l - Δτ_h grows by twice that, times L_x - H_x. Assumption 1 excludes this end, which squared loss tends to.
    """
    (low, high), (low_x, high_x) = path.overlap, path.energy_of_signal
    square = (low_x + high_x) / (2 * path.signal.shape[1] - 1)
    return np.asarray(low[0] - high[0] + 2 * np.abs(path.residual[0]) / square * (low_x - high_x) > 0)


def theorem_2(path: Path) -> Iterator[Claim]:
    """Yield what Theorem 2 says of ``R_k = |F ∇f[k]| / |F x[k]|`` for all pairs k > k' > 0 with R_k > R_k' at first.

    The text at hand has lost the numerator of equation 11. From the proof, where η^(t) is at most ``η β ‖a‖²``, it is
    ``t0 = (R_k² - R_k'²) / (2 η β ‖a‖² (R_k cos φ_k - R_k' cos φ_k'))``, all R at the start; infinite where the
    bracket is not positive. β is the largest ``|∂ℓ/∂f|`` of the path.
    """
    size = np.abs(path.signal[:, 1:])
    ratio = np.abs(path.gradient[..., 1:]) / size
    along = path.sign[:, None] * (path.gradient[0, :, 1:] * path.signal[:, 1:].conj()).real / size**2
    low, high = np.triu_indices(ratio.shape[-1], 1)
    ordered = ratio[0][:, high] > ratio[0][:, low]
    changed = ratio[..., high] <= ratio[..., low]
    crossing, never = changed.argmax(axis=0), ~changed.any(axis=0)
    bracket = along[:, high] - along[:, low]
    fastest = path.eta * np.abs(path.residual).max(axis=0) * path.outer
    with np.errstate(divide="ignore", invalid="ignore"):
        t0 = (ratio[0][:, high] ** 2 - ratio[0][:, low] ** 2) / (2 * fastest[:, None] * bracket)
    finite = ordered & (bracket > 0)
    until = _mean(never | (crossing >= t0), finite)
    always = _mean(never, ordered & (bracket <= 0))
    yield Claim("2", "equation 11: share of pairs that keep their order until t0", 1.0, until)
    yield Claim("2", "share of pairs that keep their order throughout where t0 is infinite", 1.0, always)
    yield Claim("2", "share of all pairs that keep their order throughout", nan, _mean(never, ordered))
    yield Claim("2", "steps until a pair changes its order, over t0", nan, _median(crossing / t0, finite & ~never))
    for name, at in (("start", 0), ("end", -1)):
        yield Claim("2", f"slope of log R_k against log k at the {name}", nan, _slope(ratio[at]))


def theorem_3(path: Path) -> Iterator[Claim]:
    """Yield what Theorem 3 says: with condition 12, τ(δ) stays below τ(x) throughout, if it starts below."""
    met, below = condition_12(path), path.share < path.share_of_signal
    stays_below, started = below.all(axis=0), below[0]
    yield _claim("3", "condition 12", met, predicted=nan)
    yield _claim("3", "with condition 12, τ(δ) < τ(x) throughout", stays_below, started & met)
    yield _claim("3", "without condition 12, τ(δ) < τ(x) throughout", stays_below, started & ~met, nan)


def condition_12(path: Path) -> Flags:
    """Return (n,) whether ``Δτ_l < τ(x ∈ S_l) (Δτ_l + Δτ_h)`` at the start."""
    low, high = (values[0] for values in path.overlap)
    return np.asarray(low < path.share_of_signal * (low + high))


def theorem_4(attack: Attack) -> Iterator[Claim]:
    """Yield what Theorem 4, its lemma and its remark say of the iterations of an attack.

    From a perturbation of 0, κ would be a multiple of ∇f at each iteration by equation 22, and τ would never change:
    the theorem speaks of random starts.
    """
    change, share = attack.measured(), attack.share
    yield from agreement("4", "20", attack.predicted(), change, np.ones_like(change, dtype=bool))
    signs = attack.slope * np.where(attack.slope[0] < 0, -1.0, 1.0)
    yield _claim("4", "lemma 1: β keeps its sign", (signs > 0).all(axis=0))
    late = np.arange(len(change))[:, None] >= len(change) // 2
    low = late & (share[:-1] < 0.5) & (attack.share_of_gradient > 0.5)
    rises = (change > -_ROUNDING) | ~low
    yield _claim("4", "where τ(∇f) > 1/2, τ rises in the end while below", rises.all(axis=0), low.any(axis=0))
    yield Claim("4", "distance of τ(δ) from τ(∇f) at the end", nan, np.abs(share[-1] - attack.share_of_gradient))


def _mean(values: ArrayLike, where: Flags) -> Reals:
    """Return (n,) means of values (n, pairs) over those that count; NaN where none does."""
    count = where.sum(axis=1)
    return np.where(count > 0, (np.asarray(values) & where).sum(axis=1) / np.maximum(count, 1), np.nan)


def _median(values: Reals, where: Flags) -> Reals:
    """Return (n,) medians of values (n, pairs) over those that count; NaN where none does."""
    ordered = np.sort(np.where(where, values, np.inf), axis=1)
    count, rows = where.sum(axis=1), np.arange(len(values))
    middle = (ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, count // 2]) / 2
    return np.where(count > 0, middle, np.nan)


def _slope(ratio: Reals) -> Reals:
    """Return (n,) least-squares slopes of log ratio (n, K - 1) against log k."""
    k = np.log(np.arange(1, ratio.shape[1] + 1))
    k -= k.mean()
    return np.asarray((np.log(ratio) * k).sum(axis=1) / (k**2).sum())
