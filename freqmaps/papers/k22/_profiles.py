"""Energies of masks by radius and by direction, and what the paper says of them, for K22-F4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, inf, nan

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import ESSENTIAL
from freqmaps.inference.intervals import difference_interval
from freqmaps.inference.verdicts import Interval, trend
from freqmaps.papers.k22._masks import Networks, asked_for
from freqmaps.papers.k22._regimes import regime
from freqmaps.publish.numbers import number
from freqmaps.publish.published import published
from freqmaps.results.reader import Inputs
from freqmaps.spectra.profiles import profile_ranges

Rows = NDArray[np.float64]

#: The interval that a verdict follows from, the same where it is known but decides nothing, and what it is.
Decided = tuple[Interval, Interval, str]
_UNKNOWN = (nan, nan)
#: The probability under shuffled regimes above which a difference between them is not told.
_LEVEL = 0.05


@dataclass(frozen=True)
class Profile:
    """Shares of energy of each training's masks.

    Attributes
    ----------
    name
        ``radius`` or ``direction``.
    places
        (bands,) middles of the bands, in cycles per image or in degrees.
    used
        (bands,) whether a band holds any frequency.
    shares
        (seeds, bands) by training; masks without energy are left out.
    """

    name: str
    places: Rows
    used: NDArray[np.bool_]
    shares: dict[str, Rows]


@dataclass(frozen=True)
class Profiles(Networks):
    """The energies of the masks of all images, as the evaluation ``group_map_energy`` found them.

    Attributes
    ----------
    radial, angular
        By radius and by direction.
    low
        (seeds,) by training: shares of the energy below half the largest radius, NaN for a mask without energy.
    """

    radial: Profile
    angular: Profile
    low: dict[str, Rows]

    @property
    def bands(self) -> int:
        """Rings, and sectors."""
        return len(self.radial.places)

    def notes(self) -> list[str]:
        """Return sentences that say which networks and masks these are."""
        return self.notes_on({name: len(values) for name, values in self.low.items()})


def profiles_of(
    inputs: Inputs, *, dataset: str | None = None, model: str | None = None, group_maps: str | None = None
) -> Profiles:
    """Read the energies of the masks of all clean images, made from the settings' initial value.

    Parameters
    ----------
    inputs
        Results of the stages ``evaluation`` and ``training``.
    dataset, model, group_maps
        The setting; None takes the study's first that fits.

    Raises
    ------
    FreqmapsError
        There is no such mask.
    """
    asked, words = asked_for(dataset, model, group_maps)
    energies = [of_mask for of_mask in _read(inputs) if all(of_mask.setting[k] == v for k, v in asked.items())]
    if not energies:
        raise FreqmapsError(
            f"no energies of a mask of all clean images for {words}; add an evaluation 'group_map_energy' of a setting "
            "with 'groups: all' to a run"
        )
    setting = energies[0].setting
    # Evaluations of several networks may name the same masks.
    chosen = {
        (of_mask.training, of_mask.seed): of_mask
        for of_mask in energies
        if of_mask.setting == setting and of_mask.bands == energies[0].bands
    }
    place = {key: setting[key] for key in ("dataset", "model")}
    regimes = {of_mask.training: regime(inputs, place | {"training": of_mask.training}) for of_mask in chosen.values()}
    ordered = dict(sorted(regimes.items(), key=lambda entry: entry[1].rank))
    rows = {t: [chosen[k] for k in sorted(chosen, key=lambda k: int(k[1])) if k[0] == t] for t in ordered}
    low = {t: np.array([of_mask.arrays["low"].item() for of_mask in ones]) for t, ones in rows.items()}
    return Profiles(setting, ordered, _profile("radial", rows), _profile("angular", rows), low)


@dataclass(frozen=True)
class _MaskEnergies:
    """One mask: its setting, its network, and its energies, without the dimension ``map``."""

    setting: dict[str, str]
    training: str
    seed: str
    arrays: xr.Dataset

    @property
    def bands(self) -> int:
        return self.arrays.sizes["radius"]


def _read(inputs: Inputs) -> Iterator[_MaskEnergies]:
    for result in inputs.select("evaluation"):
        kind, parameters = result.component("evaluation") or ("", {})
        if kind != "group_map_energy":
            continue
        rows = inputs.evaluations(kind, **result.names)
        arrays = inputs.arrays(**result.names)
        names = {key: result.names[key] for key in ("dataset", "model")} | {"group_maps": parameters["group_maps"]}
        for position, row in enumerate(rows.to_dict("records")):
            if row["images"] == ESSENTIAL and row["label"] < 0 and row["start"] == 0:
                yield _MaskEnergies(names, str(row["masks_of"]), result.names["seed"], arrays.isel(map=position))


def _profile(measure: str, rows: Mapping[str, Sequence[_MaskEnergies]]) -> Profile:
    name, unit = {"radial": ("radius", "in_ring"), "angular": ("direction", "in_sector")}[measure]
    some = next(iter(rows.values()))[0].arrays
    shares = {t: _known(np.array([of_mask.arrays[measure].values for of_mask in ones])) for t, ones in rows.items()}
    return Profile(name, some[name].values, some[unit].values > 0, shares)


def trends(profiles: Profiles) -> list[str]:
    """Return the sentences on the paper's trends, for the regimes that are there beside the natural one."""
    natural, said = profiles.natural, list[str]()
    for entry in published("K22-F4")["trends"] if natural else []:
        for name, trained in profiles.regimes.items():
            if trained.letter == entry["row"]:
                low = entry["measure"] == "low"
                interval, deciding, evidence = (
                    _low(profiles, name, natural) if low else _direction(profiles.angular, name, natural)
                )
                region = (0.0, inf) if entry["sign"] > 0 else (-inf, 0.0)
                masks = [len(profiles.low[n]) for n in (name, str(natural))]
                said.append(
                    trend(
                        entry["claim"], [interval], evidence, region=region, section="3.1, figure 4",
                        reported=entry["reported"], n=sum(masks), networks=min(masks), deciding=deciding,
                    )
                )  # fmt: skip
    return said


def _low(profiles: Profiles, name: str, natural: str | None) -> Decided:
    """Return the interval of the change in the share of low frequencies, and what it is."""
    values = [_known(profiles.low[n]).tolist() for n in (name, str(natural))]
    welch = difference_interval(values[0], values[1])
    label = profiles.labels[name]
    means = " and ".join(f"{100 * np.mean(v):.1f} % ({n})" for n, v in zip((label, "N"), values, strict=True) if v)
    bounds = f"95 % interval over seeds {_points(welch.low)} to {_points(welch.high)}"
    if welch.low != welch.low:
        bounds = "no interval with fewer than two seeds of each"
    evidence = (
        f"share of the energy below half the largest radius {means}, a difference of {_points(welch.mean)} points, "
        f"{bounds}"
    )
    return (welch.low, welch.high), (welch.low, welch.high), evidence


def _direction(profile: Profile, name: str, natural: str | None) -> Decided:
    """Return how far the ranges between regimes lie above those within them, least and most, and what they are."""
    first, second = (profile.shares[n][:, profile.used] for n in (name, str(natural)))
    between, within = profile_ranges(first, second)
    if not len(between):
        return _UNKNOWN, _UNKNOWN, "a mask without energy outside the origin has no directions"
    evidence = (
        f"the difference of two networks' angular profiles has a range (largest less smallest) of {_spread(between)}"
    )
    if min(len(first), len(second)) < 2:
        evidence += " points, and with fewer than two seeds of each nothing to hold it against"
        return _UNKNOWN, _UNKNOWN, evidence
    bounds = (float(between.min() - within.max()), float(between.max() - within.min()))
    evidence += f" points between the regimes, {_spread(within)} between seeds of one regime"
    if bounds[0] > 0:
        chance = _chance(len(first), len(second))
        evidence += f", which regimes shuffled over the networks do with probability {chance:.2g} at most"
        if chance > _LEVEL:
            return _UNKNOWN, bounds, evidence
    return bounds, bounds, evidence


def _chance(first: int, second: int) -> float:
    """Return how likely shuffled regimes are to lie further apart than all networks within either.

    Of all divisions of the networks into two groups of these sizes at most one has every range between its groups above
    every range within: any other has a pair within a group that this one has between its two, and the reverse. Groups
    of one size make each division twice.

    >>> round(_chance(2, 2), 3), round(_chance(4, 4), 3)
    (0.333, 0.029)
    """
    return (2 if first == second else 1) / comb(first + second, first)


def _spread(ranges: Rows) -> str:
    low, high = 100 * ranges.min(), 100 * ranges.max()
    return f"{low:.1f}" if len(ranges) == 1 else f"{low:.1f} to {high:.1f}"


def _points(share: float) -> str:
    return number(100 * share, "+.1f")


def _known(values: Rows) -> Rows:
    """Leave out masks without energy."""
    kept: Rows = values[np.isfinite(values.reshape(len(values), -1)).all(axis=1)]
    return kept


def counts(profiles: Profiles) -> list[str]:
    """Return sentences on bands without frequencies and masks without energy."""
    notes = []
    for profile, what in zip((profiles.radial, profiles.angular), ("rings", "sectors"), strict=True):
        empty = int((~profile.used).sum())
        if empty:
            notes.append(
                f"{empty} of {profiles.bands} {what} hold no frequency of an image of this size and are left out."
            )
        for name, rows in profile.shares.items():
            lost = len(profiles.low[name]) - len(rows)
            if lost:
                notes.append(f"{lost} of {profiles.labels[name]}'s masks have no energy by {profile.name}; left out.")
    return notes
