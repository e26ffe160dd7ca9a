"""Finished maps of an unfinished run, saved in small files from which a later attempt resumes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.maps.settings import MapSettings

if TYPE_CHECKING:
    from torch import nn

DECIDES_NUMBERS = False

log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]


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
    """Return a digest of all that the maps depend on: a state with another one is none of theirs."""
    named = [objective, dict(parameters), asdict(settings), basis, dict(basis_parameters)]
    digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode())
    digest.update(type(model).__name__.encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    for array in (images, targets):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class Saved:
    """Finished maps in a folder, written every ``interval`` seconds or ``at_most`` maps, each file whole or not at all.

    Parameters
    ----------
    folder
        Where to keep them, created on the first write; None keeps nothing.
    mark
        The :func:`fingerprint` of the work. Files that bear another are left alone and not read.
    """

    def __init__(self, folder: Path | None, mark: str, interval: float = 60.0, at_most: int = 256) -> None:
        self.folder, self.mark, self.interval, self.at_most = folder, mark, interval, at_most
        self.waiting: list[Arrays] = []
        self.last = time.monotonic()

    def load(self) -> list[Arrays]:
        """Return what earlier attempts at the same work have finished."""
        found = []
        for path in sorted(self.folder.glob("maps-*.npz")) if self.folder else []:
            try:
                with np.load(path, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
            except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
                log.warning("%s: unreadable, its maps are made again (%s)", path, error)
                continue
            if str(arrays.pop("mark", "")) == self.mark:
                found.append(arrays)
            else:
                log.info("%s: belongs to other work, not used", path)
        if found:
            log.info("%s: going on after %d finished maps", self.folder, sum(len(a["index"]) for a in found))
        return found

    def add(self, arrays: Arrays) -> None:
        """Save finished maps, at once or together with the next ones."""
        self.waiting.append(arrays)
        count = sum(len(a["index"]) for a in self.waiting)
        if count >= self.at_most or time.monotonic() - self.last >= self.interval:
            self.flush()

    def flush(self) -> None:
        """Write the finished maps that are not yet on disk."""
        if self.folder is None or not self.waiting:
            self.waiting.clear()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = joined(self.waiting)
        name = f"maps-{int(arrays['index'].min())}-{time.time_ns()}.npz"
        temporary = self.folder / f".{name}.{os.getpid()}"
        try:
            with temporary.open("wb") as file:
                np.savez(file, mark=np.array(self.mark), **arrays)  # type: ignore[arg-type]
            temporary.replace(self.folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        self.waiting.clear()
        self.last = time.monotonic()


def joined(groups: Iterable[Arrays]) -> Arrays:
    """Concatenate groups of arrays of the same names."""
    every = list(groups)
    return {name: np.concatenate([g[name] for g in every]) for name in every[0]}
