"""A control for the spectrum: the essential map, and the adversarial map of the same image shuffled within each band.

Bands are rings of equal radius. Every value stays in its ring and channel, so each band keeps its mean, its energy and
its share of zeros; only where in the band they lie is random. What is left of the correlation of matched pairs needs no
more than how the two maps thin out with frequency.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.matrices.pairings._rings import shuffle_rings

if TYPE_CHECKING:
    import xarray as xr

    from freqmaps.matrices.pairings._api import Pairing

SECOND = "adversarial"
BASES = ("fourier", "phase")
TINY: dict[str, float] = {"width": 2.0}
RANGES = {"width": "(0, 1000)"}


def build(*, width: float = 1.0) -> Pairing:
    """Return the pairing.

    Parameters
    ----------
    width
        Width of a ring, in cycles per image. Flags such as ``converged`` stay those of the map that is shuffled.
    """

    def shuffled(first: xr.Dataset, second: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
        dims = second["map"].dims
        drawn = shuffle_rings(second["map"].values, second["ky"].values, second["kx"].values, width, generator)
        return second.assign(map=(dims, drawn)).assign_attrs(images=f"{second.attrs['images']}, shuffled in rings")

    return shuffled
