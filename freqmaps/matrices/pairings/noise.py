"""A control for the attack: the essential map of an image, and the map of that image plus noise as large as the attack.

The noise is the adversarial perturbation with its pixels in random order; its map keeps the true class. What this
correlation has more than that of matched pairs is lost to the attack's direction, not to a perturbation of its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from freqmaps.matrices.pairings._api import Pairing

SECOND = "noise"
TINY: dict[str, float] = {}


def build() -> Pairing:
    """Return the pairing. The run must make the maps: ``images: [essential, adversarial, noise]``."""
    return _same_image


def _same_image(first: xr.Dataset, second: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    return second
