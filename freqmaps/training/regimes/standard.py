"""Natural training: the loss of the images as they come."""

from __future__ import annotations

from dataclasses import dataclass

from freqmaps.training.regimes._api import Regime

TINY: dict[str, float] = {}


def build() -> Regime:
    """Return the regime."""
    return Standard()


@dataclass(frozen=True)
class Standard(Regime):
    """Natural training."""
