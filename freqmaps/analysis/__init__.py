"""Analyses of finished frequency maps for notebooks: band energies, differences, class separability, stability.

Importing this package imports neither scikit-learn nor umap: its functions are loaded when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freqmaps.analysis.embedding import ClusterScores, cluster_scores, umap_embedding
    from freqmaps.analysis.linear import Separability, half_planes, linear_responses, separability
    from freqmaps.inference.intervals import (
        MeanInterval,
        PairedChange,
        difference_interval,
        mean_interval,
        paired_change,
    )
    from freqmaps.inference.stability import Stability, mask_stability, similarities
    from freqmaps.spectra.bands import (
        angular_energy,
        band_energy,
        radial_energy,
        ring_edges,
        rings,
        sector_angles,
        sectors,
        shares,
    )
    from freqmaps.spectra.exceedance import Exceedance, band_exceedance
    from freqmaps.spectra.harmonics import ACTIVATIONS, activated, harmonics, share_outside, wave
    from freqmaps.spectra.masks import complement_mask, mask_differences
    from freqmaps.spectra.profiles import low_share, profile_ranges

__all__ = [
    "ACTIVATIONS",
    "ClusterScores",
    "Exceedance",
    "MeanInterval",
    "PairedChange",
    "Separability",
    "Stability",
    "activated",
    "angular_energy",
    "band_energy",
    "band_exceedance",
    "cluster_scores",
    "complement_mask",
    "difference_interval",
    "half_planes",
    "harmonics",
    "linear_responses",
    "low_share",
    "mask_differences",
    "mask_stability",
    "mean_interval",
    "paired_change",
    "profile_ranges",
    "radial_energy",
    "ring_edges",
    "rings",
    "sector_angles",
    "sectors",
    "separability",
    "share_outside",
    "shares",
    "similarities",
    "umap_embedding",
    "wave",
]
#: Where each name is defined.
_MODULES = {
    name: module
    for module, names in {
        "freqmaps.spectra.bands": (
            "angular_energy band_energy radial_energy ring_edges rings sector_angles sectors shares"
        ),
        "freqmaps.spectra.harmonics": "ACTIVATIONS activated harmonics share_outside wave",
        "freqmaps.spectra.masks": "complement_mask mask_differences",
        "freqmaps.spectra.exceedance": "Exceedance band_exceedance",
        "freqmaps.spectra.profiles": "low_share profile_ranges",
        "freqmaps.inference.intervals": "MeanInterval PairedChange difference_interval mean_interval paired_change",
        "freqmaps.inference.stability": "Stability mask_stability similarities",
        "freqmaps.analysis.embedding": "ClusterScores cluster_scores umap_embedding",
        "freqmaps.analysis.linear": "Separability half_planes linear_responses separability",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
