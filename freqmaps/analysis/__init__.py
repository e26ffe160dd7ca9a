"""What can be said of finished maps: band energies, differences, classes, stability. Arrays in, arrays out.

Importing this package imports neither scikit-learn nor umap: its functions are loaded when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freqmaps.analysis.bands import (
        angular_energy,
        band_energy,
        radial_energy,
        ring_edges,
        rings,
        sector_angles,
        sectors,
        shares,
    )
    from freqmaps.analysis.blueshift import ACTIVATIONS, activated, harmonics, share_outside, wave
    from freqmaps.analysis.complement import complement_mask
    from freqmaps.analysis.differences import mask_differences
    from freqmaps.analysis.embedding import ClusterScores, cluster_scores, umap_embedding
    from freqmaps.analysis.exceedance import Exceedance, band_exceedance
    from freqmaps.analysis.intervals import (
        MeanInterval,
        PairedChange,
        difference_interval,
        mean_interval,
        paired_change,
    )
    from freqmaps.analysis.linear import Separability, half_planes, linear_responses, separability
    from freqmaps.analysis.profiles import low_share, profile_ranges
    from freqmaps.analysis.stability import Stability, mask_stability, similarities

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
_MODULES = {"complement_mask": "complement", "mask_differences": "differences"}
_MODULES |= dict.fromkeys(("angular_energy", "band_energy", "radial_energy", "ring_edges", "rings"), "bands")
_MODULES |= dict.fromkeys(("sector_angles", "sectors", "shares"), "bands")
_MODULES |= dict.fromkeys(("ACTIVATIONS", "activated", "harmonics", "share_outside", "wave"), "blueshift")
_MODULES |= dict.fromkeys(("ClusterScores", "cluster_scores", "umap_embedding"), "embedding")
_MODULES |= dict.fromkeys(("Exceedance", "band_exceedance"), "exceedance")
_MODULES |= dict.fromkeys(("MeanInterval", "PairedChange", "difference_interval", "mean_interval"), "intervals")
_MODULES |= {"paired_change": "intervals", "low_share": "profiles", "profile_ranges": "profiles"}
_MODULES |= dict.fromkeys(("Separability", "half_planes", "linear_responses", "separability"), "linear")
_MODULES |= dict.fromkeys(("Stability", "mask_stability", "similarities"), "stability")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
