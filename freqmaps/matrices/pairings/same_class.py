"""A control for the image: the essential map of one image, the adversarial map of another one of the same class.

What is left of the correlation of matched pairs is there without the image: it comes from the class, from the
network, and from what all maps share. Only samples with both maps take part, so that only the pairs differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freqmaps.matrices.pairings._partners import beside, of_same_class, shared

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from freqmaps.matrices.pairings._api import Pairing

SECOND = "adversarial"
TINY: dict[str, float] = {}


def build() -> Pairing:
    """Return the pairing. Each map is used once on either side; a class's only sample is left out."""
    return _another_image


def _another_image(first: xr.Dataset, second: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    first_rows, second_rows, labels = shared(first, second)
    samples, partners = of_same_class(labels, generator)
    return beside(first, first_rows[samples], second, second_rows[partners])
