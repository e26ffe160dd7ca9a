"""Energies of masks by radius and by direction, and what the paper says of them, for K22-F4."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from freqmaps.inference.intervals import difference_interval
from freqmaps.inference.verdicts import Interval, trend
from freqmaps.papers.k22._masks import Masks
from freqmaps.publish.published import published
from freqmaps.spectra.bands import BANDS, angular_energy, radial_energy, ring_edges, rings, sector_angles, sectors
from freqmaps.spectra.profiles import low_share, profile_ranges

Rows = NDArray[np.float64]


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


def profiles_of(masks: Masks, bands: int = BANDS) -> tuple[Profile, Profile]:
    """Return the radial and the angular profile of all masks."""
    energies = {name: np.array([m.energy for m in masks.of(name)]) for name in masks.regimes}
    height, width = next(iter(energies.values())).shape[1:]
    edges = ring_edges(height, width, bands)
    places = ((edges[1:] + edges[:-1]) / 2, np.rad2deg(sector_angles(bands)))
    found = []
    for name, place, index, shares in zip(
        ("radius", "direction"), places, (rings, sectors), (radial_energy, angular_energy), strict=True
    ):
        used = np.bincount(index(height, width, bands).clip(-1).ravel() + 1, minlength=bands + 1)[1:] > 0
        rows = {training: _known(shares(energy, bands)) for training, energy in energies.items()}
        found.append(Profile(name, place, used, rows))
    return found[0], found[1]


def trends(masks: Masks, profiles: tuple[Profile, Profile]) -> list[str]:
    """Return the sentences on the paper's trends, for the regimes that are there beside the natural one."""
    natural, said = masks.natural, list[str]()
    for entry in published("K22-F4")["trends"] if natural else []:
        for name, found in masks.regimes.items():
            if found.letter == entry["row"]:
                told = (
                    _low(masks, name, natural) if entry["measure"] == "low" else _direction(profiles[1], name, natural)
                )
                interval, evidence = told
                region = (0.0, inf) if entry["sign"] > 0 else (-inf, 0.0)
                said.append(trend(entry["claim"], [interval], evidence, region=region, section="3.1, figure 4"))
    return said


def _low(masks: Masks, name: str, natural: str | None) -> tuple[Interval, str]:
    """Return the interval of the change in the share of low frequencies, and what it is."""
    values = [_known(low_share(np.array([m.energy for m in masks.of(n)]))).tolist() for n in (name, str(natural))]
    found = difference_interval(values[0], values[1])
    label = masks.labels[name]
    means = " and ".join(f"{100 * np.mean(v):.1f} % ({n})" for n, v in zip((label, "N"), values, strict=True) if v)
    bounds = f"95 % interval over seeds {_points(found.low)} to {_points(found.high)}"
    if found.low != found.low:
        bounds = "no interval with fewer than two seeds of each"
    return (found.low, found.high), (
        f"share of the energy below half the largest radius {means}, a difference of {_points(found.mean)} points, "
        f"{bounds}"
    )


def _direction(profile: Profile, name: str, natural: str | None) -> tuple[Interval, str]:
    """Return how far the ranges between regimes lie above those within them, least and most, and what they are."""
    first, second = (profile.shares[n][:, profile.used] for n in (name, str(natural)))
    between, within = profile_ranges(first, second)
    if not len(between):
        return (np.nan, np.nan), "a mask without energy outside the origin has no directions"
    told = f"the difference of two networks' angular profiles has a range (largest less smallest) of {_spread(between)}"
    if min(len(first), len(second)) < 2:
        return (np.nan, np.nan), f"{told} points, and with fewer than two seeds of each nothing to hold it against"
    bounds = (float(between.min() - within.max()), float(between.max() - within.min()))
    return bounds, f"{told} points between the regimes, {_spread(within)} between seeds of one regime"


def _spread(ranges: Rows) -> str:
    low, high = 100 * ranges.min(), 100 * ranges.max()
    return f"{low:.1f}" if len(ranges) == 1 else f"{low:.1f} to {high:.1f}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _known(values: Rows) -> Rows:
    """Leave out masks without energy."""
    kept: Rows = values[np.isfinite(values.reshape(len(values), -1)).all(axis=1)]
    return kept


def counts(profiles: tuple[Profile, Profile], masks: Masks, bands: int) -> list[str]:
    """Return sentences on bands without frequencies and masks without energy."""
    notes = []
    for profile, what in zip(profiles, ("rings", "sectors"), strict=True):
        empty = int((~profile.used).sum())
        if empty:
            notes.append(f"{empty} of {bands} {what} hold no frequency of an image of this size and are left out.")
        for name, rows in profile.shares.items():
            lost = len(masks.of(name)) - len(rows)
            if lost:
                notes.append(f"{lost} of {masks.labels[name]}'s masks have no energy by {profile.name}; left out.")
    return notes
