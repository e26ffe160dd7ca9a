"""The stopping rule of group maps (Karantzas et al.; the precise rule is that of their code)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqmaps.group_maps.settings import GroupMapSettings


@dataclass
class Stopping:
    """How far each of p maps is from being finished.

    Attributes
    ----------
    quiet
        (p,) int64: epochs that count towards ``patience``.
    kept
        (p,) int64: the number, from 1, of the last epoch that kept the accuracy; 0 if there was none.
    converged
        (p,) bool: finished by the rule.
    """

    quiet: NDArray[np.int64]
    kept: NDArray[np.int64]
    converged: NDArray[np.bool_]

    @classmethod
    def start(cls, count: int) -> Stopping:
        """Return the state before the first epoch."""
        return cls(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, bool))

    def after_epoch(
        self,
        settings: GroupMapSettings,
        epoch: int,
        running: NDArray[np.bool_],
        ratio: NDArray[np.float64],
        change: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Take an epoch into account, and tell which maps kept the accuracy in it.

        An epoch counts towards ``patience`` if the accuracy is kept and the sparsity left be; one that keeps the
        accuracy but not the sparsity takes the count back to 0; one that does not keep the accuracy leaves it.

        Parameters
        ----------
        settings
            The rule's numbers.
        epoch
            Number of the epoch, from 1. As in the authors' code, the first one has nothing to be compared with.
        running
            (p,) which maps were optimised in it.
        ratio
            (p,) accuracy of the filtered over that of the unfiltered images; NaN (0/0) counts as not kept.
        change
            (p,) by how much the mean of the map differs from that of the epoch before.
        """
        kept = running & (ratio >= settings.accuracy_ratio)
        self.kept[kept] = epoch
        if epoch > 1:
            still = kept & (change <= settings.tolerance)
            self.quiet[kept & ~still] = 0
            self.quiet[still] += 1
        self.converged |= self.quiet >= settings.patience
        return kept
