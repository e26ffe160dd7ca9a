"""The maps of an unfinished run, kept from time to time so that a later run goes on from them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.maps.settings import MapSettings
from freqmaps.provenance import unfinished
from freqmaps.provenance.unfinished import Arrays, Place, Unfinished

if TYPE_CHECKING:
    from torch import nn

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")


def fingerprint(
    model: nn.Module,
    images: NDArray[np.float32],
    targets: NDArray[np.int64],
    objective: str,
    parameters: Mapping[str, Any],
    settings: MapSettings,
    basis: str,
    basis_parameters: Mapping[str, Any],
) -> str:
    """Return a digest of all that the maps depend on."""
    named = (objective, dict(parameters), asdict(settings), basis, dict(basis_parameters))
    return unfinished.mark(*named, model=model, arrays={"images": images, "targets": targets})


class Saved:
    """Finished maps, kept every ``interval`` seconds or ``at_most`` maps, in one file each time; and those begun.

    Parameters
    ----------
    place
        Where to keep them; None keeps nothing.
    mark
        The :func:`fingerprint` of the work.
    """

    def __init__(self, place: Place | Path | None, mark: str, interval: float = 60.0, at_most: int = 256) -> None:
        self.kept, self.interval, self.at_most = Unfinished(place, "maps", mark), interval, at_most
        self.begun = Unfinished(place, "begun", mark)
        self.waiting: list[Arrays] = []
        self.last = time.monotonic()

    def load(self) -> list[Arrays]:
        """Return what earlier runs of the same work have finished."""
        groups = list(self.kept.load(unfinished.unpacked))
        if groups:
            log.info("going on after %d finished maps", sum(len(a["index"]) for a in groups))
        return groups

    def load_begun(self) -> Arrays | None:
        """Return the maps that an earlier run of the same work had begun, as it last kept them."""
        found = next(iter(self.begun.load(unfinished.unpacked)), None)
        if found:
            log.info("going on with %d maps after %d steps", len(found["image"]), int(np.median(found["steps"])))
        return found

    def keep_begun(self, arrays: Arrays) -> None:
        """Keep maps that are not finished, in place of those kept before."""
        self.begun.save("all", unfinished.packed(arrays))

    def add(self, arrays: Arrays) -> None:
        """Keep finished maps, at once or together with the next ones."""
        self.waiting.append(arrays)
        count = sum(len(a["index"]) for a in self.waiting)
        if count >= self.at_most or time.monotonic() - self.last >= self.interval:
            self.flush()

    def flush(self) -> None:
        """Write the finished maps that are not yet on disk."""
        if self.waiting:
            arrays = joined(self.waiting)
            self.kept.save(f"{int(arrays['index'].min())}-{time.time_ns()}", unfinished.packed(arrays))
        self.waiting.clear()
        self.last = time.monotonic()


def joined(groups: Iterable[Arrays]) -> Arrays:
    """Concatenate groups of arrays of the same names."""
    every = list(groups)
    return {name: np.concatenate([g[name] for g in every]) for name in every[0]}
