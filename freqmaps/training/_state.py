"""The saved state of a training after each epoch, from which the same training, if interrupted, resumes."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import pickle
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from freqmaps.training._data import Images
from freqmaps.training.settings import TrainingSettings

log = logging.getLogger("freqmaps")


@dataclass
class State:
    """What goes on from epoch to epoch.

    Attributes
    ----------
    epoch
        Epochs that are done.
    history
        One record per epoch.
    best
        The score of the best epoch so far, and its weights.
    model, optimizer, scaler
        State dicts.
    records
        What hooks have recorded, by the hook's name.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = float("-inf")
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)


def fingerprint(
    settings: TrainingSettings, components: Sequence[object], hooks: Sequence[str], seed: int, data: Images, what: str
) -> str:
    """Return what a state must share with a training that resumes from it.

    Parameters
    ----------
    settings
        Of the training.
    components
        Regime and regularisers, which count by their ``repr``.
    hooks
        Their names: a training that resumes with a further hook would leave a hole in what that hook records.
    seed, data
        Of the training.
    what
        The network.
    """
    labels = zlib.crc32(data.labels.cpu().numpy().tobytes())
    first = zlib.crc32(data.images[:8].cpu().contiguous().numpy().tobytes())
    named = [re.sub(r" at 0x[0-9a-f]+", "", repr(component)) for component in components]
    images = [list(data.images.shape), str(data.images.dtype)]
    parts = [asdict(settings), named, list(hooks), seed, *images, labels, first, what]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def save(path: Path, state: State, owner: str) -> None:
    """Write a state whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # To memory first: torch tells a full disk as a RuntimeError, a plain write as what it is.
        content = io.BytesIO()
        torch.save({"owner": owner, **vars(state)}, content)
        temporary.write_bytes(content.getbuffer())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path | None, owner: str) -> State:
    """Return the state at a path; a fresh one if there is none, or if it is damaged or another training's."""
    if path is None or not path.is_file():
        return State()
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = content.pop("owner") == owner
        state = State(**content)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError):
        log.warning("%s: a damaged training state; starting over", path)
        return State()
    if not found:
        log.info(
            "%s: the state of another training (settings, regime, hooks, seed or data differ); starting over", path
        )
        return State()
    log.info("%s: going on after epoch %d", path, state.epoch)
    return state
