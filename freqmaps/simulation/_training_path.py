"""Training paths of two-layer networks, and the quantities in Theorems 1 to 3 of F21.

T steps are T + 1 states, the first axis of every array here. The paper treats a positive ``∂ℓ/∂f`` and calls the other
case similar: Δτ_l and Δτ_h are multiplied by its sign at the start, so that the composite rate is positive for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from freqmaps.simulation import _two_layer as two
from freqmaps.simulation._two_layer import Complex, Flags, Networks, Reals

#: Rates at which the order of the error of equation 9 is measured, so small that few ReLUs switch within a step.
RATES = tuple(1e-3 * 0.5**i for i in range(6))
#: How the change of τ is predicted: see :func:`errors_of_change`.
READINGS = ("equation 9", "own rates", "sums as printed")

Steps = NDArray[np.int64]


@dataclass(frozen=True)
class Path:
    """A training of n networks by T steps.

    Attributes
    ----------
    cutoff
        k_c.
    eta
        (n,) learning rates.
    signal
        (n, K) half spectra of the signals.
    gradient
        (T + 1, n, K) half spectra of ``∇_x f``.
    residual
        (T + 1, n) ``∂ℓ/∂f``.
    mass
        (T + 1, n) ``‖a'‖²``.
    decay
        (T + 1, n) the mean over r of the paper's η_r, which equation 8 puts in the place of each of them.
    fastest
        (T + 1, n) the largest η_r.
    concave
        (T + 1, n) share of hidden units with ``σ'' < 0``.
    switched
        (n,) share of the hidden units that are on one side of a kink of σ first, and on the other one last.
    outer
        (n,) ``‖a‖²``.
    fixed
        (n,) whether a is after the training what it was before.
    well_trained
        The first state of each network with ``|∂ℓ/∂f|`` at most a given bound, or else the last.
    """

    cutoff: int
    eta: Reals
    signal: Complex
    gradient: Complex
    residual: Reals
    mass: Reals
    decay: Reals
    fastest: Reals
    concave: Reals
    switched: Reals
    outer: Reals
    fixed: Flags
    well_trained: two.State

    @property
    def sign(self) -> Reals:
        """(n,) of ``∂ℓ/∂f`` at the start, ±1."""
        return np.where(self.residual[0] < 0, -1.0, 1.0)

    @property
    def rate(self) -> Reals:
        """(T + 1, n) ``η^(t) = η ∂ℓ/∂f ‖a'‖²``, times its sign at the start."""
        return self.sign * self.eta * self.residual * self.mass

    @cached_property
    def share(self) -> Reals:
        """(T + 1, n) τ(δ ∈ S_l)."""
        return two.low_share(self.gradient, self.cutoff)

    @property
    def energy_of_signal(self) -> tuple[Reals, Reals]:
        """(n,) each: L_x and H_x."""
        return two.bands(np.abs(self.signal) ** 2, self.cutoff)

    @property
    def share_of_signal(self) -> Reals:
        """(n,) τ(x ∈ S_l)."""
        return two.low_share(self.signal, self.cutoff)

    @cached_property
    def overlap(self) -> tuple[Reals, Reals]:
        """(T + 1, n) each: Δτ_l and Δτ_h."""
        low, high = two.overlaps(self.gradient, self.signal, self.cutoff)
        return -2 * self.sign * low, -2 * self.sign * high

    def predicted(self) -> Reals:
        """Return (T, n) the change of τ at each step by equation 9."""
        energy = sum(two.bands(np.abs(self.gradient[1:]) ** 2, self.cutoff))
        low, high = self.overlap
        return two.change_of_share(self.rate[:-1], (low[:-1], high[:-1]), self.share[:-1], np.asarray(energy))

    def measured(self) -> Reals:
        """Return (T, n) the change of τ at each step."""
        return np.diff(self.share, axis=0)


def train(nets: Networks, rate: float, steps: int, cutoff: int, small: Reals) -> Path:
    """Train networks by plain gradient descent on their own signal.

    Parameters
    ----------
    nets
        As drawn.
    rate
        The largest part of ``∂ℓ/∂f`` that one step may remove: ``η = rate / (λ² ‖a‖² ‖x‖²)``. From 1 on a step could
        change the sign of ``∂ℓ/∂f``.
    steps
        T.
    cutoff
        k_c.
    small
        (n,) ``|∂ℓ/∂f|`` at which a network counts as well trained.
    """
    initial_outer, outer = nets.a.copy(), (nets.a**2).sum(axis=1)
    eta = rate / (nets.activation.steepest**2 * outer * nets.square)
    now = two.state(nets, np.zeros_like(nets.a))
    well_trained, first, done = now, now.z > 0, np.zeros(len(outer), dtype=bool)
    gradients = np.empty((steps + 1, *nets.x.shape))
    measures = np.empty((5, steps + 1, len(outer)))
    for t in range(steps + 1):
        gradients[t], measures[:, t] = now.gradient, _measures(nets, now, eta)
        well_trained = well_trained if done.all() else _pick(done, well_trained, now)
        done = done | (np.abs(now.residual) <= small)
        now = two.stepped(nets, now, eta) if t < steps else now
    switched = (nets.activation.kinked & ((now.z > 0) != first)).mean(axis=1)
    spectra = two.half_spectrum(nets.x), two.half_spectrum(gradients)
    fixed = (nets.a == initial_outer).all(axis=1)
    residual, mass, decay, fastest, concave = measures
    return Path(
        cutoff, eta, *spectra, residual, mass, decay, fastest, concave, switched, outer, fixed, well_trained
    )  # fmt: skip


def _measures(nets: Networks, now: two.State, eta: Reals) -> tuple[Reals, ...]:
    """Return residual, ``‖a'‖²``, mean and largest η_r, and the share of concave units, (n,) each."""
    curvature = two.curved(nets, now)
    each = (eta * nets.square * now.residual)[:, None] * curvature
    concave = (curvature * nets.a < 0).mean(axis=1)
    return now.residual, (now.slopes**2).sum(axis=1), each.mean(axis=1), each.max(axis=1), concave


def _pick(done: Flags, well_trained: two.State, now: two.State) -> two.State:
    """Return the earlier states of networks that are well trained, and the present states of the others."""
    parts = {name: (getattr(well_trained, name), getattr(now, name)) for name in two.State.__dataclass_fields__}
    return two.State(**{k: np.where(done.reshape(-1, *[1] * (b.ndim - 1)), a, b) for k, (a, b) in parts.items()})


# --- equation 9 at falling learning rates


def errors_of_change(nets: Networks, cutoff: int, rates: Sequence[float], reading: str) -> Reals:
    """Return (rates, n) the absolute error of the change of τ that is predicted for the first step.

    Parameters
    ----------
    nets
        As drawn.
    cutoff
        k_c.
    rates
        As for :func:`train`.
    reading
        ``equation 9``; ``own rates``: with η_r of each hidden unit instead of their mean, which cancels in equation 9;
        ``sums as printed``: equation 9 with sums over k >= 0, in which the frequency 0 weighs double.
    """
    now = two.state(nets, np.zeros_like(nets.a))
    scale = nets.activation.steepest**2 * (nets.a**2).sum(axis=1) * nets.square
    before = two.half_spectrum(now.gradient)
    share, printed = two.low_share(before, cutoff), reading == "sums as printed"
    # The step of ∇f per unit of η to first order; equation 8 leaves out its first part but for a multiple of ∇f.
    step = -(now.residual * (now.slopes**2).sum(axis=1))[:, None] * nets.x
    if reading == "own rates":
        each = (nets.square * now.residual)[:, None] * two.curved(nets, now)
        step = step - two.weighted(nets, now, each * now.slopes)
    overlap = two.overlaps(before, two.half_spectrum(step), cutoff, as_printed=printed)
    errors = []
    for rate in rates:
        eta = rate / scale
        after = two.half_spectrum(two.stepped(nets, now, eta).gradient)
        energy = np.asarray(sum(two.bands(np.abs(after) ** 2, cutoff, as_printed=printed)))
        predicted = two.change_of_share(2 * eta, overlap, share, energy)
        errors.append(np.abs(two.low_share(after, cutoff) - share - predicted))
    return np.array(errors)


def slopes(rates: Sequence[float], errors: Reals) -> Reals:
    """Return (n,) least-squares slopes of log error against log rate; NaN where an error is exactly 0."""
    log = np.log(rates) - np.mean(np.log(rates))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (log[:, None] * np.log(errors)).sum(axis=0) / (log**2).sum()
    return np.where(np.isfinite(slope), slope, np.nan)


def from_then_on(flags: Flags) -> Steps:
    """Return (n,) the first step from which on flags (T + 1, n) are all true; T + 1 if the last one is not."""
    return np.asarray(len(flags) - np.logical_and.accumulate(flags[::-1]).sum(axis=0))
