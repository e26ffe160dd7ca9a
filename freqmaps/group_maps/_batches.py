"""The order of a group's images in its minibatches: it depends on seed and step alone, so resuming needs no state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Minibatches:
    """The minibatches of one group's images of one kind: all of them once per pass, shuffled anew for each.

    Parameters
    ----------
    members
        (n,) int64: positions of the images; n may be 0.
    size
        Images per minibatch; the last one of a pass may have fewer.
    seed
        What sets this order apart from others: the stage's seed, the kind and the group.
    """

    def __init__(self, members: NDArray[np.int64], size: int, seed: tuple[int, ...]) -> None:
        self.members, self.size, self.seed = members, size, seed
        self._pass, self._order = -1, members

    def __len__(self) -> int:
        """Return the number of minibatches per pass."""
        return -(-len(self.members) // self.size)

    def at(self, number: int) -> NDArray[np.int64]:
        """Return the positions of the images in a minibatch, counted on from the first one of the first pass."""
        turn, place = divmod(number, len(self))
        if turn != self._pass:
            self._order = np.random.default_rng([*self.seed, turn]).permutation(self.members)
            self._pass = turn
        return self._order[place * self.size : (place + 1) * self.size]
