"""Datasets whose images are not on this machine, but whose finished result lies under the results root.

All that a study reads of a dataset after its first job is the dataset's store. So who is given the results of a lab,
but not its images, goes on from the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError
from freqmaps.core.paths import expanded
from freqmaps.provenance import manifest
from freqmaps.stages import path_of
from freqmaps.study.graph import Node

DECIDES_NUMBERS = False


@dataclass(frozen=True)
class Stored:
    """What a study asks of a dataset's description, read from a finished result.

    Attributes
    ----------
    identity
        What the data were (names, sizes, digest); it enters the dataset's key.
    splits
        Number of samples of each.
    classes
        Numbers in the place of names: how many there are is all that a study asks.
    channels, size
        Images are (channels, size, size).
    """

    identity: Mapping[str, Any]
    splits: Mapping[str, int]
    classes: tuple[str, ...]
    channels: int
    size: int


def description(results: str, name: str, node_of: Callable[[Mapping[str, Any]], Node]) -> Stored | None:
    """Return the description of the images that the only finished result of a dataset was made from.

    Parameters
    ----------
    results
        The results root, as the config has it.
    name
        Of the dataset.
    node_of
        Returns the dataset's node for an identity of its images: a finished result counts if it is this node's.

    Returns
    -------
    Stored or None
        None: there is no such result, or the root is on object storage.

    Raises
    ------
    ConfigError
        There are several.
    """
    if "://" in results:
        return None
    root = expanded(results, "results: ")
    found = {}
    for path in sorted(root.glob(path_of("datasets", {"dataset": name}, f"*/{manifest.NAME}"))):
        described = _description(path)
        if described is not None and root / node_of(described.identity).path == path.parent:
            found[path.parent.relative_to(root)] = described
    if len(found) > 1:
        places = " and ".join(f"'{place}'" for place in found)
        raise ConfigError(
            f"datasets.{name}: its images are not on this machine, and under '{results}' both {places} were made from "
            "such images; correct the path of the images, or move away the results that are not meant"
        )
    return next(iter(found.values()), None)


def _description(path: Path) -> Stored | None:
    """Return what a dataset's manifest says of its images; None where it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        said = found["headline"]
        return Stored(
            identity=dict(found["spec"]["parameters"]["identity"]),
            splits={split: int(n) for split, n in said["n"].items()},
            classes=tuple(map(str, range(int(said["classes"])))),
            channels=int(said["channels"]),
            size=int(said["size"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
