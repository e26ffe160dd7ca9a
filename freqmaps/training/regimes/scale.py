"""Training on images scaled at random: regime S of Karantzas et al., section 2.2.

Each image, in each step, by its own factor; what moves in from outside is black.
"""

from __future__ import annotations

from typing import Literal

from freqmaps.training.regimes._affine import Warped, check_ends
from freqmaps.training.regimes._api import Regime

RANGES = {"low": "(0, 100)", "high": "(0, 100)"}
ASKED = ("low", "high")
TINY = {"low": 0.8, "high": 1.2}


def build(*, low: float = 0.5, high: float = 1.5, interpolation: Literal["bilinear", "nearest"] = "bilinear") -> Regime:
    """Return the regime.

    Parameters
    ----------
    low, high
        Smallest and largest factor; uniform between them. 2 shows everything twice as large.
    interpolation
        How pixels between pixels are read; the paper's released code uses ``nearest``.

    Raises
    ------
    FreqmapsError
        ``low`` lies above ``high``.
    """
    check_ends(low, high, "regime 'scale'")
    return Warped(scale=(low, high), interpolation=interpolation)
