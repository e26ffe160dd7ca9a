"""Two networks' masks of the same images, band by band, for K22-F7: which maps are compared, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import ESSENTIAL, IMAGES, TRANSFERRED, images_of
from freqmaps.papers.k22._regimes import Regime, regime
from freqmaps.papers.k22._single import PLACE
from freqmaps.results.reader import Inputs, Result
from freqmaps.spectra.exceedance import Exceedance, band_exceedance

_KIND = "map_energy"


@dataclass(frozen=True)
class Reading:
    """Which masks are compared, and how.

    Attributes
    ----------
    name, label, means
        What a panel, a curve and a sentence call it.
    robust
        Of what image the adversarially trained network's mask is: ``attacked`` or ``clean``.
    natural
        How the natural network's mask of the clean image is read: ``made`` or ``binary``.
    tied
        What an image with equal energies counts.
    """

    name: str
    label: str
    means: str
    robust: str
    natural: str
    tied: float


DESCRIBED = Reading(
    "as described", "$M_{A,x_A}$ against $M_{N,x}$", "with its masks of the attacked images", "attacked", "made", 0.5
)
RELEASED = Reading(
    "as released",
    "$M_{A,x}$ against binary $M_{N,x}$",
    "with its masks of the clean images against binary ones of the natural network, ties as no more",
    "clean",
    "binary",
    0.0,
)
#: Between the two: masks of the same image for both networks, as they were made.
AS_MADE = Reading("as made", "$M_{A,x}$ against $M_{N,x}$", "with its masks of the clean images", "clean", "made", 0.5)
READINGS = (DESCRIBED, RELEASED)


@dataclass(frozen=True)
class Case:
    """The images that have all three masks, with the energies of each.

    Attributes
    ----------
    names
        Dataset, model, seed, map setting and attack.
    regimes
        Of both trainings.
    natural, attacked, clean
        The arrays of ``map_energy`` along ``map``, the same images in the same order: the natural network's masks of x,
        the other's of x_A and of x.
    counts
        How many images had each of them.
    """

    names: Mapping[str, str]
    regimes: Mapping[str, Regime]
    natural: xr.Dataset
    attacked: xr.Dataset
    clean: xr.Dataset
    counts: tuple[int, int, int]

    @property
    def n(self) -> int:
        """Images with all three masks."""
        return self.natural.sizes["map"]

    @property
    def bands(self) -> int:
        """Rings, and sectors."""
        return self.natural.sizes["radius"]

    def places(self, measure: str) -> NDArray[np.float64]:
        """Return the middles of the bands of ``radial`` or ``angular`` shares."""
        middles: NDArray[np.float64] = self.natural[_AXES[measure][0]].values
        return middles

    def used(self, measure: str) -> NDArray[np.bool_]:
        """Return which bands hold any frequency."""
        used: NDArray[np.bool_] = self.natural[_AXES[measure][1]].values > 0
        return used

    def compare(self, measure: str, reading: Reading) -> Exceedance:
        """Compare shares of energy in each band: the adversarially trained network's with the natural network's."""
        robust = {"attacked": self.attacked, "clean": self.clean}[reading.robust]
        ours = robust[measure].sel(reading="made").values
        theirs = self.natural[measure].sel(reading=reading.natural).values
        # Rounded, so that dust (an entry of 1e-8 has an energy of 1e-16) and the order of sums decide nothing.
        pair = [np.asarray(v, dtype=np.float64).round(12) for v in (ours, theirs)]
        first, second = (v[:, None] if v.ndim == 1 else v for v in pair)
        return band_exceedance(first, second, tied=reading.tied)

    def low(self, reading: Reading) -> Exceedance:
        """Compare the shares of energy below half the largest radius: one band."""
        return self.compare("low", reading)


#: By measure: the axis of its bands, and the variable with the number of frequencies in each.
_AXES = {"radial": ("radius", "in_ring"), "angular": ("direction", "in_sector")}


def case_of(inputs: Inputs) -> Case:
    """Read the first network trained on attacked images that has masks of images attacked on a natural network.

    Raises
    ------
    FreqmapsError
        There is none, or no energies of the natural network's masks with the same map setting.
    """
    looked = [r for r in inputs.select("evaluation") if (r.component("evaluation") or ("",))[0] == _KIND]
    for robust in looked:
        if regime(inputs, robust.names).letter != "A":
            continue
        for attack, against in _transferred(inputs, robust):
            natural = _natural(inputs, looked, robust, against)
            if natural is not None:
                return _case(inputs, robust, natural, attack, against)
    raise FreqmapsError(
        "no adversarially trained network has energies of maps of images attacked on a natural one; add a run with "
        "'against' and an evaluation 'map_energy' of its maps, and the same evaluation to the natural network's run"
    )


def _setting(result: Result) -> Any:
    _, parameters = result.component("evaluation") or ("", {})
    return parameters["maps"], parameters["bands"]


def _samples(inputs: Inputs, result: Result) -> pd.DataFrame:
    return inputs.evaluations(_KIND, "samples.csv", **result.names)


def _transferred(inputs: Inputs, robust: Result) -> list[tuple[str, str]]:
    """Return the attacks, and the trainings attacked, of the transferred maps of a network."""
    rows = _samples(inputs, robust)
    some = rows.loc[rows["images"] == TRANSFERRED, ["attack", "against"]].drop_duplicates()
    return [(str(a), str(b)) for a, b in some.itertuples(index=False)]


def _natural(inputs: Inputs, looked: list[Result], robust: Result, against: str) -> Result | None:
    """Return the natural network's evaluation that goes with that of the other one."""
    place = {k: robust.names[k] for k in PLACE} | {"training": against}
    for result in looked:
        if {k: result.names[k] for k in PLACE} == place and _setting(result) == _setting(robust):
            return result if regime(inputs, result.names).letter == "N" else None
    return None


def _case(inputs: Inputs, robust: Result, natural: Result, attack: str, against: str) -> Case:
    essential, attacked = images_of(ESSENTIAL), images_of(TRANSFERRED, attack, against)
    parts = [_part(inputs, r, of) for r, of in ((natural, essential), (robust, attacked), (robust, essential))]
    ids = [list(part) for part, _ in parts]
    common = [s for s in ids[0] if s in set(ids[1]) & set(ids[2])]
    natural_maps, attacked_maps, robust_maps = (arrays.isel(map=[part[s] for s in common]) for part, arrays in parts)
    names = {k: robust.names[k] for k in ("dataset", "model", "seed")} | {"maps": _setting(robust)[0], "attack": attack}
    regimes = {r.names["training"]: regime(inputs, r.names) for r in (natural, robust)}
    return Case(names, regimes, natural_maps, attacked_maps, robust_maps, (len(ids[0]), len(ids[1]), len(ids[2])))


def _part(inputs: Inputs, result: Result, of: Mapping[str, str]) -> tuple[dict[str, int], xr.Dataset]:
    """Return where the maps of some images lie along ``map``, by sample, and an evaluation's arrays."""
    rows = _samples(inputs, result)
    mine = (rows[list(IMAGES)].astype(str) == pd.Series(dict(of))[list(IMAGES)]).all(axis=1)
    return {str(s): int(i) for i, s in zip(np.flatnonzero(mine), rows.loc[mine, "sample"], strict=True)}, (
        inputs.arrays(**result.names)
    )
