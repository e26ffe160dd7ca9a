"""Group maps: one frequency map for many images, of a whole set or of each class.

Importing this package imports no torch.
"""

from freqmaps.group_maps._compute import GroupMaps, compute_group_maps
from freqmaps.group_maps._dataset import class_maps, headline, to_dataset
from freqmaps.group_maps.selection import Pictures, select_clean, select_successful
from freqmaps.group_maps.settings import GroupMapSettings

__all__ = [
    "GroupMapSettings",
    "GroupMaps",
    "Pictures",
    "class_maps",
    "compute_group_maps",
    "headline",
    "select_clean",
    "select_successful",
    "to_dataset",
]
