"""What pointwise non-linearities do to the frequencies of a signal (Karantzas et al., section 2.1 and figure 1).

Of one sine they make harmonics: amplitudes at whole multiples of its frequency (harmonic distortion, "blue shift").
Intermodulation, sums and differences of frequencies, needs two: see :func:`wave`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from freqmaps.core.errors import FreqmapsError, nearest
from freqmaps.spectra._backend import array_module, doubles, is_tensor, like

if TYPE_CHECKING:
    from torch import Tensor

Signal = NDArray[np.float64]

#: Bound of hardtanh in the paper's released code. A unit sine passes the usual one, 1, unchanged.
LIMIT = 0.3


def _softplus(x: Signal, limit: float) -> Signal:
    return np.logaddexp(0.0, x)


def _tanh(x: Signal, limit: float) -> Signal:
    return np.tanh(x)


def _relu(x: Signal, limit: float) -> Signal:
    return np.maximum(x, 0.0)


def _hardtanh(x: Signal, limit: float) -> Signal:
    return np.clip(x, -limit, limit)


#: The figure's non-linearities, in its order.
ACTIVATIONS: dict[str, Callable[[Signal, float], Signal]] = {
    "softplus": _softplus,
    "tanh": _tanh,
    "ReLU": _relu,
    "hardtanh": _hardtanh,
}


def wave(frequencies: Sequence[int] = (1,), *, samples: int = 4096, amplitude: float = 1.0) -> Signal:
    """Return one period of a sum of sines, ``a sum over w of sin(2 π w t)`` for t from 0 to below 1.

    Parameters
    ----------
    frequencies
        Whole cycles per period, so that a discrete transform of the period sees no jump at its ends.
    samples
        Points per period.
    amplitude
        Of each sine.
    """
    t = np.arange(samples) / samples
    sines = np.sin(2 * np.pi * np.multiply.outer(np.asarray(frequencies, dtype=np.float64), t))
    return np.asarray(amplitude * sines.sum(axis=0), dtype=np.float64)


def activated(name: str, signal: ArrayLike, *, limit: float = LIMIT) -> Signal:
    """Apply a non-linearity to each value of a signal.

    Parameters
    ----------
    name
        ``softplus``: log(1 + exp x); ``tanh``; ``ReLU``: max(x, 0); ``hardtanh``: x cut off at ``± limit``.
    signal
        Any shape.
    limit
        Of hardtanh, above 0.

    Raises
    ------
    FreqmapsError
        No such non-linearity, or a limit that leaves nothing.
    """
    if name not in ACTIVATIONS:
        raise FreqmapsError(f"blue shift: no non-linearity '{name}'; {nearest(name, ACTIVATIONS)}")
    if not limit > 0:
        raise FreqmapsError(f"blue shift: hardtanh cut off at {limit:g} leaves nothing; give a limit above 0")
    return ACTIVATIONS[name](np.asarray(signal, dtype=np.float64), limit)


@overload
def harmonics(period: Tensor) -> Tensor: ...


@overload
def harmonics(period: ArrayLike) -> NDArray[np.float64]: ...


def harmonics(period: Any) -> Any:
    """Return the amplitude of each harmonic of a signal, of which one period is given.

    Parameters
    ----------
    period
        (n,) equally spaced values.

    Returns
    -------
    ndarray of float64, shape (n // 2 + 1,)
        ``A_k`` of ``f(t) = A_0 + sum of A_k cos(2 π k t + φ_k)``, k in cycles per period; ``A_0`` is the modulus of
        the mean. Of a function that is not band limited, harmonics above n / 2 fold back onto lower ones.
    """
    values, xp = doubles(period), array_module(period)
    if values.ndim != 1 or not len(values):
        raise FreqmapsError(f"harmonics of a signal of shape {tuple(values.shape)}; give one period, (n,)")
    # All but the mean and, of an even number of points, the last frequency stand twice in the whole transform.
    twice = np.ones(len(values) // 2 + 1)
    twice[1 : (len(values) + 1) // 2] = 2
    return xp.abs(xp.fft.rfft(values)) / len(values) * like(twice, values)


@overload
def share_outside(amplitudes: Tensor, frequencies: Sequence[int] = (1,)) -> Tensor: ...


@overload
def share_outside(amplitudes: ArrayLike, frequencies: Sequence[int] = (1,)) -> float: ...


def share_outside(amplitudes: Any, frequencies: Sequence[int] = (1,)) -> Any:
    """Return the share of a signal's energy outside of the driving frequencies, its mean not counted.

    ``sum of A_k² over k >= 1 that are not driving / sum of A_k² over k >= 1``: the square of the total harmonic
    distortion over one plus that square. NaN for a constant.

    Parameters
    ----------
    amplitudes
        (m,) from :func:`harmonics`.
    frequencies
        The driving ones.
    """
    energy = doubles(amplitudes) ** 2
    varying = np.ones(len(energy))
    varying[0] = 0
    outside = varying.copy()
    outside[list(frequencies)] = 0
    whole = (energy * like(varying, energy)).sum()
    constant = not whole > 1e-24 * energy.max()
    share = whole * float("nan") if constant else (energy * like(outside, energy)).sum() / whole
    return share if is_tensor(energy) else float(share)
