"""Training on images shifted at random: regime T of Karantzas et al., section 2.2.

Each image, in each step, by its own whole numbers of pixels to the side and up or down; what moves in is black.
"""

from __future__ import annotations

from freqmaps.training.regimes._affine import Warped
from freqmaps.training.regimes._api import Regime

RANGES = {"fraction": "(0, 1)"}
TINY = {"fraction": 0.2}


def build(*, fraction: float = 0.4) -> Regime:
    """Return the regime.

    Parameters
    ----------
    fraction
        Largest shift to either side, as a part of the width, and of the height; uniform, rounded to whole pixels.
    """
    return Warped(shift=fraction, interpolation="nearest")
