"""Frequency maps: for each image, the frequencies that a classifier needs in order to predict a given class.

Importing this package imports no torch.
"""

from freqmaps.maps._compute import Maps, compute_maps
from freqmaps.maps._dataset import mean_size, to_dataset
from freqmaps.maps.selection import select_adversarial, select_essential
from freqmaps.maps.settings import MapSettings
from freqmaps.spectra.planes import to_full, to_half

__all__ = [
    "MapSettings",
    "Maps",
    "compute_maps",
    "mean_size",
    "select_adversarial",
    "select_essential",
    "to_dataset",
    "to_full",
    "to_half",
]
