"""Settings of the matrices: what the config may set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from freqmaps.core import limits

RANGES = {"size": "[1, 100000]"}


@dataclass(frozen=True, kw_only=True)
class MatrixSettings:
    """How maps become rows of a matrix (Basile et al., sections III and IV).

    Attributes
    ----------
    pool
        ``none`` keeps every coefficient; ``mean`` averages neighbouring ones down to ``size`` (the paper, for
        Imagenette); ``max`` takes the largest (the authors' code; not for complex maps). Maps of a basis whose
        neighbours mean nothing, such as wavelets, cannot be pooled.
    size
        Coefficients per axis after pooling; must divide those of the maps. Ignored without pooling.
    only_kept
        Use only samples of which both filtered images are still classified as the map's target (the authors' code).
    only_converged
        Use only samples of which both maps converged.
    """

    pool: Literal["none", "mean", "max"] = "none"
    size: int = 32
    only_kept: bool = False
    only_converged: bool = False

    def __post_init__(self) -> None:
        limits.check(vars(self), RANGES, "matrices")
