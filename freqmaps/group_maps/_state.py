"""The saved state of an optimisation after each epoch, from which the same run, if interrupted, resumes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.group_maps.selection import Pictures
from freqmaps.group_maps.settings import GroupMapSettings

if TYPE_CHECKING:
    from torch import nn

DECIDES_NUMBERS = False

log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]
FILE = "group-maps.npz"


def fingerprint(
    model: nn.Module,
    pictures: Mapping[str, Pictures],
    objective: str,
    parameters: Mapping[str, Any],
    settings: GroupMapSettings,
    seed: int,
) -> str:
    """Return a digest of all that the maps depend on: a state with another one is none of theirs."""
    described = [objective, dict(parameters), asdict(settings), seed, type(model).__name__]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    arrays = [(n, t.detach().cpu().numpy()) for n, t in sorted(model.state_dict().items())]
    for kind, given in sorted(pictures.items()):
        arrays += [(f"{kind}.{name}", getattr(given, name)) for name in ("images", "targets", "category")]
    for name, array in arrays:
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def save(folder: Path | None, mark: str, arrays: Arrays) -> None:
    """Write a state whole or not at all; nothing without a folder."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{FILE}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            np.savez(file, mark=np.array(mark), **arrays)  # type: ignore[arg-type]
        temporary.replace(folder / FILE)
    finally:
        temporary.unlink(missing_ok=True)


def load(folder: Path | None, mark: str) -> Arrays:
    """Return the saved state of the same work; nothing if there is none, or if it is damaged or of other work."""
    path = folder / FILE if folder else None
    if path is None or not path.is_file():
        return {}
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s: unreadable, the maps are made anew (%s)", path, error)
        return {}
    if str(arrays.pop("mark", "")) != mark:
        log.info("%s: belongs to other work, not used", path)
        return {}
    return arrays
