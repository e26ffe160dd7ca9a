"""Which images a figure shows: chosen by rule, so that nobody picks the pretty ones, and each run picks the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import ADVERSARIAL, ESSENTIAL
from freqmaps.publish.nothing import NothingToShow
from freqmaps.results.reader import Inputs

_NAMES = ("dataset", "model", "training", "seed", "maps")
_FLAGS = ("label", "keeps_prediction")


@dataclass(frozen=True)
class Examples:
    """Some samples with everything that a figure draws; all arrays have one row per sample.

    Attributes
    ----------
    names
        Dataset, model, training, seed, map setting and attack.
    classes
        Names of the classes, in label order.
    image, adversarial
        Clean and adversarial images, float64 in [0, 1], shape (n, c, h, w).
    essential, attacking
        Essential and adversarial maps with the origin in the middle, float64 in [0, 1], shape (n, c, h, w).
    label, fooled
        True class, and class predicted on the adversarial image, int64, shape (n,).
    essential_kept, attacking_kept
        Whether the filtered image is still predicted as the map's target, bool, shape (n,).
    rule
        A sentence that says how they were chosen.
    """

    names: dict[str, str]
    classes: list[str]
    image: NDArray[np.float64]
    adversarial: NDArray[np.float64]
    essential: NDArray[np.float64]
    attacking: NDArray[np.float64]
    label: NDArray[np.int64]
    fooled: NDArray[np.int64]
    essential_kept: NDArray[np.bool_]
    attacking_kept: NDArray[np.bool_]
    rule: str

    @property
    def setting(self) -> str:
        """The names in one phrase."""
        keys = {"maps": "map setting"}
        return ", ".join(f"{keys.get(key, key)} {name}" for key, name in self.names.items())


def examples(
    inputs: Inputs,
    count: int,
    *,
    dataset: str | None = None,
    model: str | None = None,
    training: str | None = None,
    seed: int | None = None,
    maps: str | None = None,
    attack: str | None = None,
) -> Examples:
    """Choose and read samples that have an essential and an adversarial map.

    The setting is the study's first that fits the names given; the attack, if not given, the one with most
    adversarial maps. Of the samples whose two maps both keep their prediction, the first of each class is taken, in
    label order, then the second of each, and so on. Where no sample keeps both, all are eligible, and the rule says so.

    Raises
    ------
    FreqmapsError
        ``count`` below 1, or no maps for these names.
    NothingToShow
        No sample has both maps.
    """
    if count < 1:
        raise FreqmapsError(f"images: {count} pictures cannot be drawn; ask for at least 1")
    chosen = {"dataset": dataset, "model": model, "training": training, "maps": maps}
    chosen["seed"] = None if seed is None else str(seed)
    names = _setting(inputs, {key: value for key, value in chosen.items() if value is not None})
    names["attack"] = _attack(inputs, names, attack)
    samples, rule = _choose(inputs, names, count)
    return _read(inputs, names, samples, rule)


def first_per_class(labels: NDArray[Any], count: int) -> list[int]:
    """Return positions: the first of each class in label order, then the second of each, up to ``count``.

    >>> first_per_class(np.array([1, 1, 0, 1, 0]), 4)
    [2, 0, 4, 1]
    """
    rank = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rank[labels == label] = np.arange(int((labels == label).sum()))
    return [int(i) for i in np.lexsort((labels, rank))[:count]]


def _setting(inputs: Inputs, chosen: dict[str, str]) -> dict[str, str]:
    for result in inputs.results:
        fits = all(result.names.get(key) == name for key, name in chosen.items())
        if result.stage == "maps" and result.names.get("images") == ESSENTIAL and fits:
            return {key: result.names[key] for key in _NAMES if key in result.names}
    wanted = ", ".join(f"{key} '{name}'" for key, name in chosen.items()) or "any setting"
    raise FreqmapsError(f"there are no essential maps for {wanted}; name a setting of this study")


def _attack(inputs: Inputs, names: dict[str, str], attack: str | None) -> str:
    of = dict.fromkeys(r.names["attack"] for r in inputs.select("maps", **names, images=ADVERSARIAL))
    if attack is not None:
        if attack not in of:
            raise FreqmapsError(f"attack '{attack}' has no adversarial maps here; there are: {', '.join(of) or 'none'}")
        return attack
    if not of:
        raise FreqmapsError("there are no adversarial maps for this setting; add an attack to the config")
    counts = {
        name: inputs.maps(images=ADVERSARIAL, attack=name, variables=["label"], **names).sizes["sample"] for name in of
    }
    return max(of, key=lambda name: counts[name])


def _choose(inputs: Inputs, names: dict[str, str], count: int) -> tuple[list[str], str]:
    place = {key: names[key] for key in _NAMES if key in names}
    kept: dict[str, dict[str, bool]] = {}
    labels: dict[str, int] = {}
    for images, attack in ((ESSENTIAL, {}), (ADVERSARIAL, {"attack": names["attack"]})):
        store = inputs.maps(images=images, variables=_FLAGS, **attack, **place)
        ids = store["sample"].values.tolist()
        kept[images] = dict(zip(ids, store["keeps_prediction"].values.tolist(), strict=True))
        labels |= dict(zip(ids, store["label"].values.tolist(), strict=True))
    essential, attacking = kept[ESSENTIAL], kept[ADVERSARIAL]
    common = [s for s in essential if s in attacking]
    if not common:
        raise NothingToShow(f"no sample has both an essential map and an adversarial map of '{names['attack']}'")
    keeping = [s for s in common if essential[s] and attacking[s]]
    pool = keeping or common
    chosen = [pool[i] for i in first_per_class(np.array([labels[s] for s in pool]), count)]
    what = "whose two maps keep their prediction" if keeping else "(none has two maps that keep their prediction)"
    return chosen, f"Images: the first of each class {what}, in label order."


def _read(inputs: Inputs, names: dict[str, str], samples: list[str], rule: str) -> Examples:
    place = {key: names[key] for key in _NAMES if key in names}
    data = inputs.dataset(names["dataset"], samples)
    attack = inputs.adversarial(samples=samples, **{k: v for k, v in names.items() if k != "maps"})
    essential = inputs.maps(images=ESSENTIAL, samples=samples, **place)
    attacking = inputs.maps(images=ADVERSARIAL, attack=names["attack"], samples=samples, **place)
    return Examples(
        names=names,
        classes=[str(name) for name in data.attrs["classes"]],
        image=_unit(data["image"].values),
        adversarial=_unit(attack["adversarial"].values),
        essential=_unit(essential["map"].values),
        attacking=_unit(attacking["map"].values),
        label=data["label"].values.astype(np.int64),
        fooled=attack["adversarial_prediction"].values.astype(np.int64),
        essential_kept=essential["keeps_prediction"].values,
        attacking_kept=attacking["keeps_prediction"].values,
        rule=rule,
    )


def _unit(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return images in [0, 1] as float64; 8-bit images are divided by 255."""
    return values / 255.0 if values.dtype == np.uint8 else values.astype(np.float64)
