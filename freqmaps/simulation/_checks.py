"""Whether parameters of simulations fit together, asked before any work: what ``CHECK`` of their files names."""

from __future__ import annotations

from collections.abc import Sequence

from freqmaps.core.errors import FreqmapsError
from freqmaps.simulation.two_layer_theorems import _check

DECIDES_NUMBERS = False


def blue_shift(*, low: int, high: int, **_: object) -> None:
    """Check that there is a band to draw from.

    Raises
    ------
    FreqmapsError
        There is none.
    """
    if not 1 <= low <= high:
        raise FreqmapsError(f"blue_shift: there is no band from {low} to {high}; set low to at least 1, high above low")


def two_layer_theorems(
    *, dimension: int, cutoff: int, scales: Sequence[float], alphas: Sequence[float], widths: Sequence[int],
    rates: Sequence[float], **_: object,
) -> None:  # fmt: skip
    """Check that the theorems hold for such networks; errors as those of the simulation itself."""
    _check(dimension, cutoff, {"scales": scales, "alphas": alphas, "widths": widths, "rates": rates})
