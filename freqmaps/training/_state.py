"""The state of a training after each epoch, kept so that the same training, if interrupted, goes on from it."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from freqmaps.provenance import unfinished
from freqmaps.provenance.unfinished import Place, Unfinished
from freqmaps.training._data import Images
from freqmaps.training._progress import State
from freqmaps.training.settings import TrainingSettings

DECIDES_NUMBERS = False

log = logging.getLogger("freqmaps")


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
    named = [re.sub(r" at 0x[0-9a-f]+", "", repr(component)) for component in components]
    arrays = {"labels": data.labels.cpu().numpy(), "first images": data.images[:8].cpu().contiguous().numpy()}
    return unfinished.mark(asdict(settings), named, list(hooks), seed, list(data.images.shape), what, arrays=arrays)


def save(place: Place | Path | None, state: State, owner: str) -> None:
    """Keep a state in place of the one before; nothing without a place."""
    content = io.BytesIO()
    torch.save(vars(state), content)
    Unfinished(place, "training", owner).save("state", content.getbuffer())


def load(place: Place | Path | None, owner: str, lacking: Callable[[int], bool] = lambda epoch: False) -> State:
    """Return the state of the same training; a fresh one if there is none.

    Parameters
    ----------
    place, owner
        Where it is kept, and the :func:`fingerprint` of the training.
    lacking
        Tells whether something that must go with the state after so many epochs is gone: then a fresh one, too.
    """
    state = next(Unfinished(place, "training", owner).load(_read), State())
    if state.epoch and lacking(state.epoch):
        log.warning("what a hook kept of the first %d epochs is gone, so the training begins anew", state.epoch)
        return State()
    if state.epoch:
        log.info("going on after epoch %d", state.epoch)
    return state


def _read(content: io.BytesIO) -> State:
    """Read tensors and plain values; what would run code is refused."""
    return State(**torch.load(content, map_location="cpu", weights_only=True))
