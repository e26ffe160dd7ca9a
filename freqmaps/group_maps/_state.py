"""The state of an optimisation after each epoch, kept so that the same run, if interrupted, goes on from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqmaps.group_maps.selection import Pictures
from freqmaps.group_maps.settings import GroupMapSettings
from freqmaps.provenance import unfinished
from freqmaps.provenance.unfinished import Arrays, Place, Unfinished

if TYPE_CHECKING:
    from torch import nn

DECIDES_NUMBERS = False


def fingerprint(
    model: nn.Module,
    pictures: Mapping[str, Pictures],
    objective: str,
    parameters: Mapping[str, Any],
    settings: GroupMapSettings,
    basis: str,
    basis_parameters: Mapping[str, Any],
    seed: int,
) -> str:
    """Return a digest of all that the maps depend on."""
    arrays = {
        f"{kind}.{name}": getattr(of_kind, name)
        for kind, of_kind in sorted(pictures.items())
        for name in ("images", "targets", "category")
    }
    named = (objective, dict(parameters), asdict(settings), basis, dict(basis_parameters), seed)
    return unfinished.mark(*named, model=model, arrays=arrays)


def save(place: Place | Path | None, mark: str, arrays: Arrays) -> None:
    """Keep a state in place of the one before; nothing without a place."""
    Unfinished(place, "group_maps", mark).save("state", unfinished.packed(arrays))


def load(place: Place | Path | None, mark: str) -> Arrays:
    """Return the state of the same work; nothing if there is none."""
    return next(Unfinished(place, "group_maps", mark).load(unfinished.unpacked), {})
