"""The masks of whole sets of images (Karantzas et al., section 3.1) as the items read them: by regime, seed, start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.k22._regimes import TRAINED, Regime, described, labels, regime
from freqmaps.results.reader import Inputs, Result

_SETTING = ("dataset", "model", "group_maps")


@dataclass(frozen=True)
class Mask:
    """One mask of all images.

    Attributes
    ----------
    training, seed
        The network that it belongs to.
    start
        Which initial value it was optimised from; 0 is the one that the settings name, the others are random.
    values
        (c, ky, kx) float64 in [0, 1], origin in the middle.
    """

    training: str
    seed: str
    start: int
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Networks:
    """The networks of one dataset and model that have masks of one setting.

    Attributes
    ----------
    setting
        Names of ``dataset``, ``model`` and ``group_maps``.
    regimes
        By the training's name, in the paper's order.
    """

    setting: Mapping[str, str]
    regimes: Mapping[str, Regime]

    @property
    def labels(self) -> dict[str, str]:
        """What to call each training."""
        return labels(self.regimes)

    @property
    def natural(self) -> str | None:
        """The naturally trained network's training, the first if there are several."""
        return next((name for name, trained in self.regimes.items() if trained.letter == "N"), None)

    def title(self, training: str) -> str:
        """Return a panel's title: the label, and what the letter stands for."""
        label, letter = self.labels[training], self.regimes[training].letter
        return f"{label}: {TRAINED[letter]}" if label == letter else label

    def notes_on(self, seeds: Mapping[str, int]) -> list[str]:
        """Return sentences that say which networks and masks these are, given how many networks each training has."""
        counts = set(seeds.values())
        number = f"{counts.pop()}" if len(counts) == 1 else ", ".join(f"{self.labels[n]} {k}" for n, k in seeds.items())
        names = {"dataset": "dataset", "model": "model", "group_maps": "mask setting"}
        shown = ", ".join(f"{names[k]} {v}" for k, v in self.setting.items())
        return [f"Shown: {shown}; networks (seeds) per regime: {number}.", described(self.regimes)]


@dataclass(frozen=True)
class Masks(Networks):
    """The masks of all networks of one dataset, model and setting.

    Attributes
    ----------
    every
        All masks: by regime, seed, start.
    """

    every: list[Mask]

    def of(self, training: str) -> list[Mask]:
        """Return the masks of one training from the settings' initial value, one per seed."""
        return [m for m in self.every if m.training == training and m.start == 0]

    def notes(self) -> list[str]:
        """Return sentences that say which networks and masks these are."""
        return self.notes_on({name: len(self.of(name)) for name in self.regimes})


def global_masks(
    inputs: Inputs, *, dataset: str | None = None, model: str | None = None, group_maps: str | None = None
) -> Masks:
    """Read the masks of all clean images.

    Parameters
    ----------
    inputs
        Results of the stages ``group_maps`` and ``training``.
    dataset, model, group_maps
        The setting; None takes the study's first that fits.

    Raises
    ------
    FreqmapsError
        There is no such mask.
    """
    asked, words = asked_for(dataset, model, group_maps)
    results = [r for r in inputs.select("group_maps", **asked, images="essential") if _of_all(r)]
    if not results:
        raise FreqmapsError(f"no group map of all clean images for {words}; add a setting with 'groups: all' to a run")
    setting = {key: results[0].names[key] for key in _SETTING}
    chosen = [r for r in results if all(r.names[k] == v for k, v in setting.items())]
    regimes = {r.names["training"]: regime(inputs, r.names) for r in chosen}
    ordered = dict(sorted(regimes.items(), key=lambda entry: entry[1].rank))
    every = [mask for r in chosen for mask in _read(inputs, r)]
    order = list(ordered)
    every.sort(key=lambda m: (order.index(m.training), int(m.seed), m.start))
    return Masks(setting, ordered, every)


def asked_for(dataset: str | None, model: str | None, group_maps: str | None) -> tuple[dict[str, str], str]:
    """Return the names of a setting that are given, by field, and in words."""
    names = zip(_SETTING, (dataset, model, group_maps), strict=True)
    asked = {field: name for field, name in names if name is not None}
    return asked, ", ".join(f"{field} '{name}'" for field, name in asked.items()) or "any name"


def _of_all(result: Result) -> bool:
    """Whether a result's masks are of all images, not of classes."""
    parameters = result.manifest.get("spec", {}).get("parameters", {})
    return bool(parameters.get("settings", {}).get("groups") == "all")


def _read(inputs: Inputs, result: Result) -> list[Mask]:
    store = inputs.group_maps(**result.names, basis=None)
    values = store["map"].values.astype(np.float64)
    starts = store["start"].values.tolist()
    return [
        Mask(result.names["training"], result.names["seed"], int(start), value)
        for start, value in zip(starts, values, strict=True)
    ]
