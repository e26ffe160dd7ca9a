"""Finished batches of an attack on disk, so that a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freqmaps.attacks._api import AttackPlan

DECIDES_NUMBERS = False

log = logging.getLogger(__name__)


def fingerprint(model: nn.Module, plan: AttackPlan, seed: int, *arrays: NDArray[Any]) -> str:
    """Return 16 hex digits that differ for another network, plan, seed or data."""
    digest = hashlib.sha256(f"{plan!r} {seed}".encode())
    tensors = [(n, t.detach().cpu().reshape(-1).view(torch.uint8).numpy()) for n, t in model.state_dict().items()]
    for name, array in [*tensors, *((str(i), array) for i, array in enumerate(arrays))]:
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


class Finished:
    """The finished batches of one run, one file each, in a folder that other runs may use too.

    Parameters
    ----------
    folder
        Created on the first save. None: nothing is kept.
    key
        The run's :func:`fingerprint`; files of other keys are not looked at.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder, self.key = folder, key

    def load(self, into: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Fill in the rows that are there and say which; a damaged file counts as not there."""
        done = np.zeros(len(into), bool)
        for path in sorted(self.folder.glob(f"{self.key}-*.npz")) if self.folder else ():
            try:
                with path.open("rb") as handle, np.load(handle, allow_pickle=False) as saved:
                    rows, images = saved["rows"], saved["images"]
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                continue
            into[rows] = images
            done[rows] = True
        if done.any():
            log.info("%s: going on after %d finished samples", self.folder, int(done.sum()))
        return done

    def save(self, rows: NDArray[np.int64], images: NDArray[np.float32]) -> None:
        """Keep a batch, whole or not at all."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.key}-{rows[0]}-{len(rows)}.npz"
        half = path.with_suffix(".half")
        try:
            with half.open("wb") as handle:
                np.savez(handle, rows=rows, images=images)
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)
