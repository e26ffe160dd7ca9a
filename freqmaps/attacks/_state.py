"""Finished batches of an attack, kept so that a killed run goes on where it was."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from freqmaps.attacks._api import AttackPlan
from freqmaps.provenance import unfinished
from freqmaps.provenance.unfinished import Place, Unfinished

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")


def fingerprint(model: nn.Module, plan: AttackPlan, seed: int, *arrays: NDArray[Any]) -> str:
    """Return a digest that differs for another network, plan, seed or data."""
    return unfinished.mark(repr(plan), seed, model=model, arrays={str(i): array for i, array in enumerate(arrays)})


class Finished:
    """The finished batches of one run, one file each.

    Parameters
    ----------
    place
        Where they are kept; None keeps nothing.
    mark
        The run's :func:`fingerprint`.
    """

    def __init__(self, place: Place | Path | None, mark: str) -> None:
        self.kept = Unfinished(place, "attacks", mark)

    def load(self, into: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Fill in the rows that are there and say which."""
        done = np.zeros(len(into), bool)
        for rows, images in self.kept.load(_batch):
            into[rows] = images
            done[rows] = True
        if done.any():
            log.info("going on after %d attacked samples", int(done.sum()))
        return done

    def save(self, rows: NDArray[np.int64], images: NDArray[np.float32]) -> None:
        """Keep a batch."""
        self.kept.save(f"{rows[0]}-{len(rows)}", unfinished.packed({"rows": rows, "images": images}))


def _batch(content: io.BytesIO) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    arrays = unfinished.unpacked(content)
    return arrays["rows"], arrays["images"]
