"""What a pairing must offer: the protocol of all components in this folder.

A module also says with the constant ``SECOND`` which maps it compares the essential ones with: ``"adversarial"``,
``"noise"``, or ``"other network"`` (then it takes the parameters ``training`` and ``network_seed``, which name it). One
that reads entries as frequencies names with ``BASES`` the bases of maps that it can read. It changes each map on its
own and is called for some maps of the second set after the other, with one generator, so that full planes of all
samples need never be in memory together. One without ``BASES`` is called once, for all maps, which may already be rows
of pooled numbers (``row_of_map`` in place of ``map``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


class Pairing(Protocol):
    """Decides which map of the second set stands beside each map of the first."""

    def __call__(self, first: xr.Dataset, second: xr.Dataset, generator: np.random.Generator) -> xr.Dataset:
        """Return the second set with new partners.

        Parameters
        ----------
        first, second
            Map stores (contract ``freqmaps.stores.MAPS``).
        generator
            Anything random must be drawn from it.

        Returns
        -------
        xarray.Dataset
            Like ``second``; its ``sample`` and ``label`` are those of the map of ``first`` that it is compared with,
            ``images`` (attribute) says what the maps are of. Maps that find no partner are left out. The stores given
            are not changed.
        """
        ...
