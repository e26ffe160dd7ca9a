"""ℓ2 PGD on two-layer networks, and the claims of Theorem 4 of F21 (appendix B) about its perturbations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from freqmaps.simulation import _two_layer as two
from freqmaps.simulation._two_layer import Complex, Flags, Networks, Reals


@dataclass(frozen=True)
class Attack:
    """J iterations of PGD on n networks, from a start drawn uniformly in the ball.

    Attributes
    ----------
    cutoff
        k_c.
    residual
        (n,) ``∂ℓ/∂f`` at the signal itself.
    epsilon
        (n,) radii of the balls.
    xi
        (n,) step sizes ξ.
    gradient
        (n, K) half spectra of ``∇_x f`` at the signal itself.
    delta
        (J + 1, n, K) half spectra of the perturbations.
    slope
        (J + 1, n) ``β_j = ∂ℓ/∂f + δ · ∇_x f``.
    switched
        (n,) whether a hidden unit lies on one side of a kink of σ at x, and on the other at some x + δ.
    """

    cutoff: int
    residual: Reals
    epsilon: Reals
    xi: Reals
    gradient: Complex
    delta: Complex
    slope: Reals
    switched: Flags

    @cached_property
    def share(self) -> Reals:
        """(J + 1, n) τ(δ ∈ S_l)."""
        return two.low_share(self.delta, self.cutoff)

    @property
    def share_of_gradient(self) -> Reals:
        """(n,) τ(∇f ∈ S_l)."""
        return two.low_share(self.gradient, self.cutoff)

    @cached_property
    def overlap(self) -> tuple[Reals, Reals]:
        """(J + 1, n) each: Δτ_l and Δτ_h, of κ = δ / ξ."""
        low, high = two.overlaps(self.delta, self.gradient, self.cutoff)
        return 2 * low / self.xi, 2 * high / self.xi

    def exponent(self) -> Reals:
        """Return (n,) ν of Assumption 2, ``|∂ℓ/∂f| = ε^(1 + ν)``; NaN where ``∂ℓ/∂f`` is 0 or ε at least 1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            nu = np.log(np.abs(self.residual)) / np.log(self.epsilon) - 1
        return np.where(np.isfinite(nu) & (self.epsilon < 1), nu, np.nan)

    def predicted(self) -> Reals:
        """Return (J, n) the change of τ at each iteration by equation 20."""
        low, high = self.overlap
        return _predicted(self.slope[:-1], (low[:-1], high[:-1]), self.delta[:-1], self.gradient, self.xi, self.cutoff)

    def measured(self) -> Reals:
        """Return (J, n) the change of τ at each iteration."""
        return np.diff(self.share, axis=0)


def _predicted(
    slope: Reals, overlap: tuple[Reals, Reals], delta: Complex, gradient: Complex, xi: Reals, cutoff: int
) -> Reals:
    """Return the right-hand side of equation 20 less τ, with the energy after the step by equation 22.

    The text at hand has lost the denominator; as in equation 15 it is the energy of κ after the step.
    """
    after = np.abs(delta / xi[:, None] + slope[..., None] * gradient) ** 2
    energy = np.asarray(sum(two.bands(after, cutoff)))
    return two.change_of_share(slope, overlap, two.low_share(delta, cutoff), energy)


def start(rng: np.random.Generator, shape: tuple[int, int], epsilon: Reals) -> Reals:
    """Return perturbations (n, d) drawn uniformly in balls of radii epsilon (n,)."""
    directions = rng.normal(size=shape)
    radii = epsilon * rng.random(shape[0]) ** (1 / shape[1])
    return np.asarray(directions * (radii / np.linalg.norm(directions, axis=1))[:, None])


def attack(
    nets: Networks, now: two.State, delta: Reals, epsilon: Reals, pace: float, count: int, cutoff: int
) -> Attack:
    """Run PGD by equation 18: ``δ + ξ ∂ℓ/∂f ∇f``, both at x + δ, projected onto the ball.

    Parameters
    ----------
    nets, now
        Networks in the state that is attacked.
    delta
        (n, d) where to start.
    epsilon
        (n,) radii.
    pace
        The largest length of a step that the linearised network allows, as a part of epsilon; decides ξ.
    count
        J.
    cutoff
        k_c.
    """
    xi = step_size(now, epsilon, pace)
    deltas, switched = np.empty((count + 1, *delta.shape)), np.zeros(len(xi), dtype=bool)
    deltas[0] = delta
    for j in range(count):
        deltas[j + 1], z = iterated(nets, now, deltas[j], xi, epsilon)
        switched |= nets.activation.kinked & ((z > 0) != (now.z > 0)).any(axis=1)
    slope = now.residual + (deltas * now.gradient).sum(axis=2)
    spectra = two.half_spectrum(now.gradient), two.half_spectrum(deltas)
    return Attack(cutoff, now.residual, epsilon, xi, *spectra, slope, switched)


def step_size(now: two.State, epsilon: Reals, pace: float) -> Reals:
    """Return (n,) ξ with ``ξ (|∂ℓ/∂f| + ε ‖∇f‖) ‖∇f‖ = pace ε``."""
    norm = np.linalg.norm(now.gradient, axis=1)
    return np.asarray(pace * epsilon / ((np.abs(now.residual) + epsilon * norm) * norm))


def iterated(nets: Networks, now: two.State, delta: Reals, xi: Reals, epsilon: Reals) -> tuple[Reals, Reals]:
    """Return (n, d) the perturbations after one iteration, and (n, m) ``w_r · (x + δ)`` before it."""
    residual, gradient, z = two.output(nets, now, delta)
    moved = delta + (xi * residual)[:, None] * gradient
    norm = np.linalg.norm(moved, axis=1)
    return np.asarray(moved * np.minimum(1, epsilon / norm)[:, None]), z


def errors_of_change(
    nets: Networks, now: two.State, delta: Reals, epsilon: Reals, pace: float, factors: Sequence[float], cutoff: int
) -> Reals:
    """Return (factors, n) the absolute error of the change of τ that equation 20 predicts for the first iteration.

    Equation 20 leaves out what is of second order in δ. So radius, start and pace are multiplied by each factor, and
    the label is chosen so that ``|∂ℓ/∂f| = ε^1.5``, as Assumption 2 asks: the change of τ then falls like the factor,
    and its error should fall like the factor squared.
    """
    errors = []
    for factor in factors:
        radius, small, slow = factor * epsilon, factor * delta, factor * pace
        residual = np.where(now.residual < 0, -1.0, 1.0) * radius**1.5
        trained = replace(now, residual=residual)
        labelled = replace(nets, y=nets.y + now.residual - residual)
        xi = step_size(trained, radius, slow)
        before, gradient = two.half_spectrum(small), two.half_spectrum(now.gradient)
        low, high = two.overlaps(before, gradient, cutoff)
        slope = residual + (small * now.gradient).sum(axis=1)
        predicted = _predicted(slope, (2 * low / xi, 2 * high / xi), before, gradient, xi, cutoff)
        after = two.half_spectrum(iterated(labelled, trained, small, xi, radius)[0])
        errors.append(np.abs(two.low_share(after, cutoff) - two.low_share(before, cutoff) - predicted))
    return np.array(errors)
