"""Accuracy on images filtered by single-image maps (Karantzas et al., Table 2), with controls that the paper lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from freqmaps.core.images import ESSENTIAL, TRANSFERRED
from freqmaps.evaluation._api import Evaluated, Network, Row, accuracy
from freqmaps.evaluation._filtered import filtered, shuffled, zero_point
from freqmaps.maps.selection import select_adversarial
from freqmaps.spectra.masks import binary_mask, complement_mask
from freqmaps.stores.selection import to_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from freqmaps.results.reader import Inputs

NEEDS = ("attacks", "maps")
BASES = ("fourier", "fourier_normalised")
TINY = {"maps": "tiny"}
NEUTRAL = {"reading": "made"}

#: What is also told of each single sample: what the paper's figure 6 shows.
_TOLD = ("none", "map", "complement")


def compute(
    inputs: Inputs,
    network: Network,
    *,
    seed: int,
    maps: str,
    images: Literal["essential", "transferred"] = "essential",
    attacks: list[str] | None = None,
    reading: Literal["made", "binary"] = "made",
) -> Evaluated:
    """Return the accuracy on x and x_A: unfiltered, filtered by the map of the image, by its complement, by controls.

    For each attack, over the images that have a map (so the network has them right), that the attacked network had
    right and on which the attack succeeded. With the attacked network's own essential maps the accuracy without
    filters is thus 1 on x and 0 on x_A by choice, as in the paper. The controls filter an image by the map of another
    image of its class, of another class, and by its own map with the entries at random frequencies; an image without
    such a partner is left out of that row.

    Parameters
    ----------
    inputs, network
        The network's results; the network.
    seed
        Draws partners and random frequencies.
    maps
        The map setting whose maps filter.
    images
        Which of the network's maps: those of the clean images, or those of the attacked images where the attack was
        made against another network (``against`` in a run).
    attacks
        Names of attacks; None takes all that the evaluation was given.
    reading
        ``made``: maps as they are. ``binary``: every entry above 1e-8 is 1, as the released code of the paper leaves
        its stored masks when it has made their complements; see :func:`freqmaps.spectra.masks.binary_mask`.

    Returns
    -------
    Evaluated
        Rows: ``attack``; ``against``, the training whose network was attacked; ``data`` (``x`` or ``x_A``);
        ``filter`` (``none``, ``map``, ``complement``, ``same class``, ``other class``, ``shuffled``); those of every
        evaluation; ``lost`` and ``gained``, how many images are right through their own map and wrong here, and the
        other way round; ``unmapped``, samples of the run without a map, and ``unused``, those with one on which the
        attack failed or had no right prediction to change. Samples: for the first three filters ``prediction`` and its
        ``probability``.
    """
    rows: list[Row] = []
    samples: list[Row] = []
    names = dict.fromkeys(r.names["attack"] for r in inputs.select("attacks"))
    for attack in names if attacks is None else attacks:
        case = _read(inputs, network, maps, images, attack, binary=reading == "binary")
        evaluated = _evaluate(network, case, np.random.default_rng(seed))
        rows += evaluated.rows
        samples += evaluated.samples
    return Evaluated(rows, samples)


@dataclass(frozen=True)
class _Case:
    """The images of one attack that are looked at, with their maps; arrays have a row per image."""

    attack: str
    against: str
    ids: list[str]
    labels: NDArray[np.int64]
    masks: NDArray[np.float32]
    images: dict[str, NDArray[np.float32]]
    about: NDArray[np.float64] | None
    left_out: Row


def _read(inputs: Inputs, network: Network, setting: str, kind: str, attack: str, *, binary: bool) -> _Case:
    against = inputs.select("attacks", attack=attack)[0].names["training"]
    adversarial = inputs.adversarial(**(dict(network.names) | {"training": against}), attack=attack)
    taken = select_adversarial(*(adversarial[v].values for v in ("label", "prediction", "success")))
    hit = {str(s) for s in adversarial["sample"].values[taken]}
    whose = {"attack": attack} | ({"against": against} if kind == TRANSFERRED else {})
    mapped = inputs.maps(
        **network.names, maps=setting, images=kind, **({} if kind == ESSENTIAL else whose), variables=["map", "label"],
        basis=None,
    )  # fmt: skip
    ids = [str(s) for s in mapped["sample"].values if str(s) in hit]
    chosen = mapped.sel(sample=ids)
    clean = inputs.dataset(network.names["dataset"], samples=ids, variables=["image"])
    images = {"x": to_unit(clean["image"].values), "x_A": adversarial.sel(sample=ids)["adversarial"].values}
    there = mapped.sizes["sample"]
    left_out = {"unmapped": len(network.samples.ids) - there, "unused": there - len(ids)}
    masks = binary_mask(chosen["map"].values) if binary else chosen["map"].values
    about = zero_point(mapped, network.classifier)
    return _Case(attack, against, ids, chosen["label"].values, masks, images, about, left_out)


def _evaluate(network: Network, case: _Case, generator: np.random.Generator) -> Evaluated:
    rows: list[Row] = []
    samples: list[Row] = []
    for data, images in case.images.items():
        place = {"attack": case.attack, "against": case.against, "data": data}
        seen = [
            (name, members, *network.predict_with_probability(part))
            for name, part, members in _seen(case, images, generator)
        ]
        own = next(prediction for name, _, prediction, _ in seen if name == "map") == case.labels
        for name, members, prediction, probability in seen:
            what = place | {"filter": name}
            right = prediction == case.labels[members]
            changed = {"lost": int((own[members] & ~right).sum()), "gained": int((right & ~own[members]).sum())}
            rows.append(accuracy(right, **what) | changed | case.left_out)
            if name in _TOLD:
                records = zip(case.ids, case.labels.tolist(), prediction.tolist(), probability.tolist(), strict=True)
                samples += [
                    {"sample": s, "label": label} | what | {"prediction": p, "probability": round(q, 6)}
                    for s, label, p, q in records
                ]
    return Evaluated(rows, samples)


def _seen(
    case: _Case, images: NDArray[np.float32], generator: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.int64]]]:
    """Return the name of each filter, what the network sees, and of which images."""
    every, about = np.arange(len(images)), case.about
    yield "none", images, every
    yield "map", filtered(images, case.masks, about), every
    yield "complement", filtered(images, complement_mask(case.masks), about), every
    for name, same in (("same class", True), ("other class", False)):
        partner = partners(case.labels, generator, same_class=same)
        has = np.flatnonzero(partner >= 0)
        yield name, filtered(images[has], case.masks[partner[has]], about), has
    yield "shuffled", filtered(images, shuffled(case.masks, generator), about), every


def partners(labels: NDArray[np.int64], generator: np.random.Generator, *, same_class: bool) -> NDArray[np.int64]:
    """Return for each image another one of its class, or one of another class, drawn evenly; -1 if there is none."""
    drawn = np.full(len(labels), -1, dtype=np.int64)
    for i, label in enumerate(labels):
        candidates = np.flatnonzero((labels == label) == same_class)
        candidates = candidates[candidates != i]
        if len(candidates):
            drawn[i] = generator.choice(candidates)
    return drawn
