"""A control for image and class: the essential map of one image, the adversarial map of one of another class.

What is left of the correlation of matched pairs any two maps of this network share: mostly how maps thin out with
frequency. What same_class has more than this is the class's. Only samples with both maps take part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freqmaps.matrices.pairings._partners import beside, of_other_class, shared

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from freqmaps.matrices.pairings._api import Pairing

SECOND = "adversarial"
TINY: dict[str, float] = {}


def build() -> Pairing:
    """Return the pairing. Each map is used once on either side; what a class has over half of all is left out."""
    return _another_class


def _another_class(first: xr.Dataset, second: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    first_rows, second_rows, labels = shared(first, second)
    samples, partners = of_other_class(labels, generator)
    return beside(first, first_rows[samples], second, second_rows[partners])
