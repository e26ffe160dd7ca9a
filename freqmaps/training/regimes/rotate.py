"""Training on images rotated at random: regime R of Karantzas et al., section 2.2.

Each image, in each step, about its centre by its own angle; what turns in from outside is black.
"""

from __future__ import annotations

from typing import Literal

from freqmaps.training.regimes._affine import Warped, check_ends
from freqmaps.training.regimes._api import Regime

RANGES = {"low": "(-720, 720)", "high": "(-720, 720)"}
ASKED = ("low", "high")
TINY = {"low": -20.0, "high": 20.0}


def build(
    *, low: float = -180.0, high: float = 180.0, interpolation: Literal["bilinear", "nearest"] = "bilinear"
) -> Regime:
    """Return the regime.

    Parameters
    ----------
    low, high
        Smallest and largest angle in degrees, clockwise; uniform between them.
    interpolation
        How pixels between pixels are read; the paper's released code uses ``nearest``.

    Raises
    ------
    FreqmapsError
        ``low`` lies above ``high``.
    """
    # ASSUME: the paper says angles in [0, pi], its released code draws from -180 to 180 degrees; the code is followed,
    # for half a turn alone would never show an image tilted to the left. `low: 0` gives the text's range.
    check_ends(low, high, "regime 'rotate'")
    return Warped(rotation=(low, high), interpolation=interpolation)
