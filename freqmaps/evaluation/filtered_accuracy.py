"""Accuracy on images filtered by single-image maps (Karantzas et al., Table 2), with controls that the paper lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freqmaps.analysis.complement import complement_mask
from freqmaps.evaluation._api import Network, Row, accuracy
from freqmaps.evaluation._filtered import filtered, shuffled
from freqmaps.stores.selection import to_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results import Inputs

NEEDS = ("attacks", "maps")
TINY: dict[str, float] = {}


def compute(inputs: Inputs, network: Network, *, seed: int, maps: str, attacks: list[str] | None = None) -> list[Row]:
    """Return the accuracy on x and x_A: unfiltered, filtered by the map of x, by its complement, and by controls.

    For each attack, over the images that have an essential map (so the network has them right) and on which the attack
    succeeded: accuracy without filters is 1 on x and 0 on x_A by choice, as in the paper. The controls filter an image
    by the map of another image of its class, of another class, and by its own map with the entries at random
    frequencies; an image without such a partner is left out of that row.

    Parameters
    ----------
    inputs, network
        The network's results; the network.
    seed
        Draws partners and random frequencies.
    maps
        The map setting whose essential maps filter.
    attacks
        Names of attacks; None takes all that the evaluation was given.

    Returns
    -------
    list of dict
        Columns ``attack``, ``data`` (``x`` or ``x_A``), ``filter`` (``none``, ``map``, ``complement``, ``same class``,
        ``other class``, ``shuffled``), and those of every evaluation.
    """
    rows: list[Row] = []
    names = dict.fromkeys(r.names["attack"] for r in inputs.select("attacks"))
    for attack in names if attacks is None else attacks:
        rows += _of_attack(inputs, network, maps, attack, np.random.default_rng(seed))
    return rows


def _of_attack(
    inputs: Inputs, network: Network, setting: str, attack: str, generator: np.random.Generator
) -> list[Row]:
    essential = inputs.maps(**network.names, maps=setting, of="essential", variables=["map", "label"])
    training = inputs.select("attacks", attack=attack)[0].names["training"]
    adversarial = inputs.adversarial(**(dict(network.names) | {"training": training}), attack=attack)
    hit = {str(s) for s in adversarial["sample"].values[adversarial["success"].values]}
    kept = [str(s) for s in essential["sample"].values if str(s) in hit]
    chosen = essential.sel(sample=kept)
    labels, masks = chosen["label"].values, chosen["map"].values
    clean = inputs.dataset(network.names["dataset"], samples=kept, variables=["image"])
    pictures = {"x": to_unit(clean["image"].values), "x_A": adversarial.sel(sample=kept)["adversarial"].values}
    rows = []
    for data, images in pictures.items():
        for name, found, members in _filters(masks, labels, generator):
            seen = images[members] if found is None else filtered(images[members], found)
            correct = network.predict(seen) == labels[members]
            rows.append(accuracy(correct, attack=attack, data=data, filter=name))
    return rows


def _filters(
    masks: NDArray[np.float32], labels: NDArray[np.int64], generator: np.random.Generator
) -> list[tuple[str, NDArray[np.float32] | None, NDArray[np.int64]]]:
    """Return name, maps and the images that they filter."""
    every = np.arange(len(masks))
    found: list[tuple[str, NDArray[np.float32] | None, NDArray[np.int64]]] = [
        ("none", None, every), ("map", masks, every), ("complement", complement_mask(masks), every),
    ]  # fmt: skip
    for name, same in (("same class", True), ("other class", False)):
        partner = partners(labels, generator, same_class=same)
        has = np.flatnonzero(partner >= 0)
        found.append((name, masks[partner[has]], has))
    return [*found, ("shuffled", shuffled(masks, generator), every)]


def partners(labels: NDArray[np.int64], generator: np.random.Generator, *, same_class: bool) -> NDArray[np.int64]:
    """Return for each image another one of its class, or one of another class, drawn evenly; -1 if there is none."""
    found = np.full(len(labels), -1, dtype=np.int64)
    for i, label in enumerate(labels):
        candidates = np.flatnonzero((labels == label) == same_class)
        candidates = candidates[candidates != i]
        if len(candidates):
            found[i] = generator.choice(candidates)
    return found
