"""Where pointwise non-linearities move the energy of random signals: above their band, below it, or nowhere.

Karantzas et al., section 2.1, show one sine, whose energy can only go up. Signals of several sines also have
differences of frequencies, below the band (intermodulation): which of the two is larger has to be drawn and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.spectra.harmonics import ACTIVATIONS, activated

TINY = {"draws": 20, "points": 256}
RANGES = {
    "draws": "[2, 1e6]",
    "points": "[32, 1e6]",
    "sines": "[1, 1000]",
    "amplitude": "(0, 1000)",
    "limit": "(0, 1000)",
}
ASKED = ("low", "high")
COST = 0.3
CHECK = "freqmaps.simulation._checks:blue_shift"

#: Tells this stream of random numbers from others of the same seed.
_STREAM = 211


def compute(
    *, seed: int, draws: int = 2000, points: int = 1024, sines: int = 3, low: int = 8, high: int = 16,
    amplitude: float = 1.0, limit: float = 0.3,
) -> list[dict[str, Any]]:  # fmt: skip
    """Draw signals, apply each non-linearity, and return the shares of the energy above and below their band.

    Parameters
    ----------
    seed
        Of frequencies and phases.
    draws
        Signals drawn.
    points
        Samples per period; frequencies above ``points / 2`` fold back.
    sines
        Sines per signal, of different frequencies.
    low, high
        The band that the frequencies are drawn from, uniformly, in cycles per period, both ends included.
    amplitude
        Largest absolute value of each signal.
    limit
        Where hardtanh cuts off.

    Returns
    -------
    list of dict
        One row per non-linearity and ``measure`` (``above``, ``below``, ``above - below``): the mean share of the
        energy, the signal's own mean not counted, and ``low`` and ``high``, its mean ± 1.96 standard errors.
    """
    signals = _signals(np.random.default_rng([seed, _STREAM]), draws, points, (sines, low, high), amplitude)
    rows = []
    for name in ACTIVATIONS:
        above, below = _shares(activated(name, signals, limit=limit), low, high)
        shares = {"above": above, "below": below, "above - below": above - below}
        rows += [{"activation": name} | row for row in _rows(shares)]
    return rows


def _signals(
    rng: np.random.Generator, draws: int, points: int, band: tuple[int, int, int], amplitude: float
) -> NDArray[np.float64]:
    """Return (draws, points): sums of sines of different frequencies in the band, random phases, equal peaks."""
    sines, low, high = band
    count = min(sines, high - low + 1)
    frequencies = np.argsort(rng.random((draws, high - low + 1)), axis=1)[:, :count] + low
    phases = rng.uniform(0, 2 * np.pi, frequencies.shape)
    t = np.arange(points) / points
    signals = np.zeros((draws, points))
    for column in range(count):
        signals += np.sin(2 * np.pi * frequencies[:, column, None] * t + phases[:, column, None])
    peaks: NDArray[np.float64] = np.abs(signals).max(axis=1, keepdims=True)
    return amplitude * signals / peaks


def _shares(signals: NDArray[np.float64], low: int, high: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (draws,) shares of the energy above and below the band, the mean left out."""
    energy = np.abs(np.fft.rfft(signals, axis=1)[:, 1:]) ** 2
    whole = energy.sum(axis=1)
    return energy[:, high:].sum(axis=1) / whole, energy[:, : low - 1].sum(axis=1) / whole


def _rows(shares: dict[str, NDArray[np.float64]]) -> Iterator[dict[str, Any]]:
    for measure, values in shares.items():
        mean, error = float(values.mean()), float(values.std(ddof=1)) / sqrt(len(values))
        bounds = {"low": mean - 1.96 * error, "high": mean + 1.96 * error}
        yield {"measure": measure, "value": mean, "n": len(values)} | bounds
