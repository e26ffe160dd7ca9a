"""A control for the network: the essential maps of the same image by two networks.

The other network differs in its training, its seed or both. What correlates here needs no attack and not even the same
network: the image, its class, and what maps of any network share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from freqmaps.matrices.pairings._api import Pairing

SECOND = "other network"
TINY: dict[str, float] = {"network_seed": 1}
RANGES = {"network_seed": "[0, 2147483648)"}


def build(*, training: str | None = None, network_seed: int | None = None) -> Pairing:
    """Return the pairing.

    Parameters
    ----------
    training
        Name of the other network's training; null for that of the run's own network.
    network_seed
        Seed of the other network; null for that of the run's own. Some run must make its maps. One of the two must be
        given; the named network itself gets no such comparison.
    """
    return _same_image


def _same_image(first: xr.Dataset, second: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
    return second
