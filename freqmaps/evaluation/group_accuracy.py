"""Accuracy under group maps, their complements, and the maps of other networks (Karantzas et al., Table 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from freqmaps.evaluation._api import Network, Row, accuracy
from freqmaps.evaluation._filtered import filtered, shuffled, zero_point
from freqmaps.spectra.masks import complement_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

NEEDS = ("group_maps",)
BASES = ("fourier", "fourier_normalised")
TINY = {"group_maps": "tiny"}


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    group_maps: str,
    masks_of: list[str] | None = None,
) -> list[Row]:
    """Return the network's accuracy without a map and under each group map, complement and control.

    A class's map is tested on that class's images alone, the map of all images on all.

    Parameters
    ----------
    inputs, network
        The results; the network.
    seed
        Draws the random frequencies of the control.
    group_maps
        The setting whose maps filter.
    masks_of
        Trainings (of the same dataset, model and seed) whose maps are applied to this network too.

    Returns
    -------
    list of dict
        Columns ``masks_of`` (the training whose network the map was learned on), ``images`` and ``attack`` (what it was
        made of), ``group``, ``filter`` (``none``, ``map``, ``complement``, ``shuffled``), those of every evaluation,
        and ``lost`` and ``gained``: how many images are right without the filter and wrong with it, and the other way
        round. An interval of the change in accuracy rests on these: :func:`freqmaps.inference.intervals.paired_change`.
    """
    labels, images = network.samples.labels, network.samples.images
    plain = network.predict(images) == labels
    generator = np.random.default_rng(seed)
    rows: list[Row] = []
    for result in inputs.select("group_maps", group_maps=group_maps):
        where = {
            "masks_of": result.names["training"],
            "images": result.names["images"],
            "attack": result.names["attack"],
        }
        store = inputs.group_maps(**result.names, basis=None)
        about = zero_point(store, network.classifier)
        for group, label, mask in zip(store["group"].values, store["label"].values, store["map"].values, strict=True):
            members = np.arange(len(labels)) if label < 0 else np.flatnonzero(labels == label)
            what = where | {"group": str(group)}
            rows.append(_row(plain[members], plain[members], what | {"filter": "none"}))
            for name, masks in _filters(mask[None], generator):
                right = network.predict(filtered(images[members], masks, about)) == labels[members]
                rows.append(_row(plain[members], right, what | {"filter": name}))
    return rows


def _row(before: NDArray[np.bool_], after: NDArray[np.bool_], what: dict[str, Any]) -> Row:
    changed = {"lost": int((before & ~after).sum()), "gained": int((after & ~before).sum())}
    return accuracy(after, **what) | changed


def _filters(mask: NDArray[np.float32], generator: np.random.Generator) -> list[tuple[str, NDArray[np.float32]]]:
    return [("map", mask), ("complement", complement_mask(mask)), ("shuffled", shuffled(mask, generator))]
