"""Datasets whose images are not on this machine, but whose finished result lies under the results root.

All that a study reads of a dataset after its first job is the dataset's store. So who is given the results of a lab,
but not its images, goes on from the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freqmaps.core.errors import ConfigError, NotHereError
from freqmaps.core.paths import expanded
from freqmaps.provenance import manifest
from freqmaps.stages import path_of
from freqmaps.stages.work import Shape

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


def stand_in(
    missing: NotHereError, results: str, name: str, path_for: Callable[[Mapping[str, Any]], str], *, allowed: bool
) -> Stored:
    """Return the description of the images that the only finished result of a dataset was made from.

    Parameters
    ----------
    missing
        What said that the images are not here.
    results
        The results root, as the config has it.
    name
        Of the dataset.
    path_for
        Returns where, below the root, the result of images of an identity lies: a finished one counts if it lies there.
    allowed
        Whether the config says that it may stand for the images.

    Raises
    ------
    ConfigError
        There is no such result (on object storage none is looked for), it is not allowed, or there are several.
    """
    candidates = {} if "://" in results else dict(_finished(expanded(results, "results: "), name, path_for))
    places = " and ".join(f"'{place}'" for place in candidates)
    if not candidates:
        raise ConfigError(f"datasets.{name}: {missing}") from missing
    if not allowed:
        raise ConfigError(
            f"datasets.{name}: {missing}; or, if {places} was made from the images that are meant, say 'stored: true', "
            "and it stands for them"
        ) from missing
    if len(candidates) > 1:
        raise ConfigError(
            f"datasets.{name}: its images are not on this machine, and under '{results}' both {places} were made from "
            "such images; correct the path of the images, or move away the results that are not meant"
        ) from missing
    return next(iter(candidates.values()))


def _finished(root: Path, name: str, path_for: Callable[[Mapping[str, Any]], str]) -> Iterator[tuple[str, Stored]]:
    """Yield the finished results of a dataset that the study's code and parameters would make, by their places."""
    for file in sorted(root.glob(path_of("datasets", {"dataset": name}, f"*/{manifest.NAME}"))):
        try:
            made = json.loads(file.read_text(encoding="utf-8"))
            identity, shape = dict(made["spec"]["parameters"]["identity"]), Shape.of_dataset(made)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        place = file.parent.relative_to(root).as_posix()
        if shape is not None and place == path_for(identity):
            classes = tuple(map(str, range(shape.classes)))
            yield place, Stored(identity, shape.splits, classes, shape.channels, shape.size)
