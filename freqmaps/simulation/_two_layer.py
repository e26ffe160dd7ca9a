"""Two-layer networks on one signal: drawn, trained by gradient descent, and the spectra of their input gradients.

All of F21, section 3: ``f(x) = sum over r of a_r σ(w_r · x)``, the loss ½ (y - f)², steps on the w_r alone. Many
networks are computed at once, each with a signal of its own; n counts them, m hidden units, d entries of a signal, K
the frequencies 0 to (d - 1) / 2, T steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Complex = NDArray[np.complex128]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Activation:
    """A pointwise function with its first two derivatives.

    ``steepest`` is the bound λ of the first derivative (Assumption 3); ``kinked`` says that it jumps at 0.
    """

    value: Callable[[Reals], Reals]
    slope: Callable[[Reals], Reals]
    curvature: Callable[[Reals], Reals]
    steepest: float
    kinked: bool = False


def _sigmoid(z: Reals) -> Reals:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def _sigmoid_slope(z: Reals) -> Reals:
    s = _sigmoid(z)
    return s * (1 - s)


def _sigmoid_curvature(z: Reals) -> Reals:
    s = _sigmoid(z)
    return s * (1 - s) * (1 - 2 * s)


def _softplus(z: Reals) -> Reals:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _step(z: Reals) -> Reals:
    return (z > 0).astype(np.float64)


#: ReLU's second derivative is 0 wherever there is one.
ACTIVATIONS = {
    "relu": Activation(lambda z: np.maximum(z, 0.0), _step, np.zeros_like, 1.0, kinked=True),
    "softplus": Activation(_softplus, _sigmoid, _sigmoid_slope, 1.0),
    "sigmoid": Activation(_sigmoid, _sigmoid_slope, _sigmoid_curvature, 0.25),
}


@dataclass(frozen=True)
class Networks:
    """Drawn signals, networks and labels.

    Attributes
    ----------
    x
        (n, d) signals.
    w
        (n, m, d) initial first layers.
    a
        (n, m) outer layers.
    y
        (n,) labels.
    activation
        Of all hidden units.
    """

    x: Reals
    w: Reals
    a: Reals
    y: Reals
    activation: Activation

    @property
    def square(self) -> Reals:
        """(n,) squared norms of the signals."""
        return np.asarray((self.x**2).sum(axis=-1))


def draw_signals(rng: np.random.Generator, draws: int, dimension: int, alpha: float, mean: float) -> Reals:
    """Return (draws, dimension) real signals with ``|F x[k]| = k^-alpha``, ``|F x[0]| = mean``, and random phases."""
    k = np.arange(1, (dimension + 1) // 2)
    half = np.empty((draws, len(k) + 1), dtype=np.complex128)
    half[:, 0] = mean * rng.choice([-1.0, 1.0], draws)
    half[:, 1:] = k**-alpha * np.exp(2j * np.pi * rng.random((draws, len(k))))
    return np.fft.irfft(half, n=dimension, axis=1)


def draw_networks(rng: np.random.Generator, x: Reals, width: int, activation: str) -> Networks:
    """Draw a network for each signal: w normal with variance 1, a = ±1 / sqrt(width), labels ±1.

    The paper leaves the distributions open but for the footnote that a may be Bernoulli. ASSUME: the scales that
    analyses of wide two-layer networks use, at which the logit neither vanishes nor grows with the width.
    """
    n, d = x.shape
    a = rng.choice([-1.0, 1.0], (n, width)) / np.sqrt(width)
    return Networks(x, rng.normal(size=(n, width, d)), a, rng.choice([-1.0, 1.0], n), ACTIVATIONS[activation])


@dataclass(frozen=True)
class State:
    """Trained networks. Every step changes w_r by a multiple of x, so that ``w_r = w_r(0) - moved_r x`` exactly.

    Attributes
    ----------
    moved
        (n, m).
    z
        (n, m) inputs ``w_r · x`` of the hidden units.
    residual
        (n,) ``∂ℓ/∂f = f - y``.
    slopes
        (n, m) ``a'_r = a_r σ'(w_r · x)``.
    gradient
        (n, d) ``∇_x f``, the sum of ``a'_r w_r``.
    """

    moved: Reals
    z: Reals
    residual: Reals
    slopes: Reals
    gradient: Reals


def state(nets: Networks, moved: Reals) -> State:
    """Return what networks compute whose first layers have moved by ``moved`` (n, m) times -x."""
    z = _times(nets.w, nets.x) - moved * nets.square[:, None]
    residual = (nets.a * nets.activation.value(z)).sum(axis=1) - nets.y
    slopes = nets.a * nets.activation.slope(z)
    return State(moved, z, residual, slopes, _combined(nets, moved, slopes))


def stepped(nets: Networks, now: State, eta: Reals) -> State:
    """Return the state after one step of gradient descent with rates ``eta`` (n,), equation 4."""
    return state(nets, now.moved + (eta * now.residual)[:, None] * now.slopes)


def output(nets: Networks, now: State, delta: Reals) -> tuple[Reals, Reals, Reals]:
    """Return ``f(x + delta) - y`` (n,), ``∇f`` (n, d) and ``w_r · (x + delta)`` (n, m) for perturbations (n, d)."""
    along = (nets.x * delta).sum(axis=1, keepdims=True)
    z = now.z + _times(nets.w, delta) - now.moved * along
    residual = (nets.a * nets.activation.value(z)).sum(axis=1) - nets.y
    return residual, _combined(nets, now.moved, nets.a * nets.activation.slope(z)), z


def curved(nets: Networks, now: State) -> Reals:
    """Return (n, m) ``a_r σ''(w_r · x)``."""
    return nets.a * nets.activation.curvature(now.z)


def weighted(nets: Networks, now: State, weights: Reals) -> Reals:
    """Return (n, d) sums over r of ``weights_r w_r``."""
    return _combined(nets, now.moved, weights)


def _times(w: Reals, x: Reals) -> Reals:
    return np.asarray((w @ x[:, :, None])[:, :, 0])


def _combined(nets: Networks, moved: Reals, weights: Reals) -> Reals:
    plain = (weights[:, None, :] @ nets.w)[:, 0]
    return np.asarray(plain - (weights * moved).sum(axis=1, keepdims=True) * nets.x)


# --- spectra


def half_spectrum(signals: Reals) -> Complex:
    """Return (..., K) the transform at the frequencies 0 to (d - 1) / 2; the others are complex conjugates."""
    return np.asarray(np.fft.rfft(signals, axis=-1))


def multiplicity(count: int, *, as_printed: bool = False) -> Reals:
    """Return how often each of K frequencies of an odd number of entries counts in sums over all frequencies.

    The paper defines τ over k = -k_c … k_c, where all but 0 stand twice, and prints L, H, Δτ_l and Δτ_h as sums over
    k >= 0, where 0 weighs double in comparison. Only with the weights of the first do its formulas follow from each
    other, so these are used; ``as_printed`` gives those of the second.
    """
    return np.where((np.arange(count) == 0) | as_printed, 1.0, 2.0)


def bands(values: Reals, cutoff: int, *, as_printed: bool = False) -> tuple[Reals, Reals]:
    """Return the sums of values (..., K) over the frequencies up to ``cutoff``, and over those above."""
    counted = values * multiplicity(values.shape[-1], as_printed=as_printed)
    return counted[..., : cutoff + 1].sum(axis=-1), counted[..., cutoff + 1 :].sum(axis=-1)


def low_share(half: Complex, cutoff: int) -> Reals:
    """Return τ(δ ∈ S_l), the share of the energy up to ``cutoff``, of half spectra (..., K); NaN where all are 0."""
    low, high = bands(np.abs(half) ** 2, cutoff)
    with np.errstate(invalid="ignore"):
        return np.asarray(low / (low + high))


def overlaps(half: Complex, signal: Complex, cutoff: int, *, as_printed: bool = False) -> tuple[Reals, Reals]:
    """Return the sums of ``|F g[k]| |F x[k]| cos(phase difference)`` over low and over high frequencies."""
    return bands((half * signal.conj()).real, cutoff, as_printed=as_printed)


def change_of_share(eta: Reals, overlap: tuple[Reals, Reals], share: Reals, after: Reals) -> Reals:
    """Return ``eta (Δτ_l τ_h - Δτ_h τ_l) / after``, the change of τ that equations 9 and 20 predict.

    Parameters
    ----------
    eta
        The composite rate, or β_j.
    overlap
        Δτ_l and Δτ_h.
    share
        τ_l before; τ_h is the rest.
    after
        The whole energy after the step.
    """
    low, high = overlap
    return np.asarray(eta * (low * (1 - share) - high * share) / after)
