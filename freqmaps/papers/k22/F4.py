"""Figure 4 of Karantzas et al.: the masks' energy by radius and by direction, and how it differs from the natural's."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray

from freqmaps.papers.k22._profiles import Profile, Profiles, Rows, counts, profiles_of, trends
from freqmaps.publish.api import Figure
from freqmaps.publish.style import BLUE, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import Inputs

TITLE = "Energy of the masks by radius and by direction, and differences from the natural network's"
CAPTION = (
    "First and third row: the share of a mask's energy (the square of its entries) in rings of equal width, and in "
    "sectors centred on directions from 0° (the kx axis: changes from left to right) to 180°; mean over training seeds "
    "and, shaded, ± one standard deviation; in gray the natural network's. Second and fourth row: the same less the "
    "natural network's, shaded ± the standard deviation of a difference between two networks. The origin has no "
    "direction and is in no sector."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("group_map_energy",)
DATA = ("published.yaml",)


def build(
    inputs: Inputs,
    *,
    dataset: str | None = None,
    model: str | None = None,
    group_maps: str | None = None,
) -> Figure:
    """Draw energies and differences; the evaluation says how many rings and sectors there are.

    Parameters
    ----------
    inputs
        The study's results.
    dataset, model, group_maps
        The setting; None takes the study's first.
    """
    profiles = profiles_of(inputs, dataset=dataset, model=model, group_maps=group_maps)
    names, natural = list(profiles.regimes), profiles.natural
    compared = natural is not None and len(names) > 1
    with rc_context(STYLE):
        figure = new_figure(1.45 * len(names) + 0.8, 5.6 if compared else 3.0)
        panels = figure.subplots(4 if compared else 2, len(names), squeeze=False, sharex="row", sharey="row")
        for number, profile in enumerate((profiles.radial, profiles.angular)):
            row = number * (2 if compared else 1)
            for column, name in enumerate(names):
                _shares(panels[row, column], profile, name, natural)
                panels[row, column].set_title(plain(profiles.title(name)) if number == 0 else "", color=INK)
                if compared and natural is not None:
                    _difference(panels[row + 1, column], profile, name, natural, profiles)
            _labels(panels[row : row + (2 if compared else 1)], profile)
    claims = trends(profiles)
    notes = [*profiles.notes(), *counts(profiles), *claims]
    finding = "" if claims else "The paper makes no claim on these networks: natural training and another are needed."
    alt = f"Curves of energy by radius and by direction for {', '.join(profiles.labels.values())}."
    return Figure(figure, notes, alt, finding=finding)


def _shares(axes: Axes, profile: Profile, name: str, natural: str | None) -> None:
    if natural is not None and name != natural and len(profile.shares[natural]):
        base = 100 * profile.shares[natural].mean(axis=0)
        axes.plot(profile.places[profile.used], base[profile.used], color=MUTED, linewidth=0.8, alpha=0.7)
    rows = 100 * profile.shares[name]
    if len(rows):
        _curve(axes, profile, rows.mean(axis=0), rows.std(axis=0, ddof=1) if len(rows) > 1 else None, BLUE)
    quiet(axes)


def _difference(axes: Axes, profile: Profile, name: str, natural: str, profiles: Profiles) -> None:
    if name == natural:
        axes.set_axis_off()
        return
    first, second = 100 * profile.shares[name], 100 * profile.shares[natural]
    axes.axhline(0, color=MUTED, linewidth=0.6)
    if len(first) and len(second):
        several = min(len(first), len(second)) > 1
        sd = np.sqrt(first.var(axis=0, ddof=1) + second.var(axis=0, ddof=1)) if several else None
        _curve(axes, profile, first.mean(axis=0) - second.mean(axis=0), sd, VERMILION)
    axes.set_title(plain(f"{profiles.labels[name]} − {profiles.labels[natural]}"), color=INK)
    quiet(axes)


def _curve(axes: Axes, profile: Profile, values: Rows, sd: Rows | None, colour: str) -> None:
    place, shown = profile.places[profile.used], values[profile.used]
    axes.plot(place, shown, color=colour, linewidth=1.2, marker="o", markersize=2 if len(place) < 20 else 0)
    if sd is not None:
        axes.fill_between(place, shown - sd[profile.used], shown + sd[profile.used], color=colour, alpha=0.25, lw=0)


def _labels(rows: NDArray[np.object_], profile: Profile) -> None:
    unit = "radius, cycles per image" if profile.name == "radius" else "direction, degrees"
    rows[0, 0].set_ylabel("% of energy", color=MUTED)
    for column, axes in enumerate(rows[-1]):
        if axes.axison:
            axes.set_xlabel(unit, color=MUTED, labelpad=1)
        elif len(rows) > 1:
            rows[0, column].tick_params(labelbottom=True)
            rows[0, column].set_xlabel(unit, color=MUTED, labelpad=1)
    if len(rows) > 1:
        first = next(axes for axes in rows[1] if axes.axison)
        first.set_ylabel("points", color=MUTED)
        first.tick_params(labelleft=True)
    if profile.name == "direction":
        for axes in rows.ravel():
            axes.set_xticks([0, 45, 90, 135])
