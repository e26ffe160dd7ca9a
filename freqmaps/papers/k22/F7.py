"""Figure 7 of Karantzas et al.: the share of images whose robust mask has more energy than the natural one, by band."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import ESSENTIAL, images_of
from freqmaps.inference.verdicts import trend
from freqmaps.papers.k22._regimes import Regime, described, regime
from freqmaps.papers.k22._single import PLACE, maps_of
from freqmaps.publish.api import Figure
from freqmaps.publish.style import BLUE, INK, MUTED, STYLE, VERMILION, new_figure, quiet
from freqmaps.results.reader import Inputs, Result
from freqmaps.spectra.bands import band_energy, ring_edges, rings, sector_angles, sectors, shares
from freqmaps.spectra.exceedance import Exceedance, band_exceedance

TITLE = "Where the adversarially trained network's masks have more energy than the natural network's"
CAPTION = (
    "Per cent of images whose mask has the larger share of its energy (the square of its entries) in a ring of radii "
    "(left) or a sector of directions (right), with Clopper and Pearson's 95 % interval. Orange: the mask of the "
    "adversarially trained network for the attacked image against that of the natural network for the clean one, as in "
    "the paper. Blue, not in the paper: both masks of the clean image. Dashed: as often more as less."
)
KIND = "figure"
NEEDS = ("maps", "training")
MAPS_OF = ("essential", "transferred")
BASES = ("fourier",)
RANGES = {"bands": "[2, 10000)"}

Rows = NDArray[np.float64]


def build(inputs: Inputs, *, bands: int = 32) -> Figure:
    """Draw the shares of images, by radius and by direction.

    Parameters
    ----------
    inputs
        The study's results.
    bands
        Rings, and sectors; the paper has 32. Small images have few frequencies: take fewer.
    """
    case = _read(inputs)
    height, width = case.natural.shape[-2:]
    edges = ring_edges(height, width, bands)
    kinds = (
        ("radius, cycles per image", (edges[1:] + edges[:-1]) / 2, rings(height, width, bands)),
        ("direction, degrees", np.rad2deg(sector_angles(bands)), sectors(height, width, bands)),
    )
    with rc_context(STYLE):
        figure = new_figure(7.0, 2.7)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (label, places, index) in zip(panels, kinds, strict=True):
            used = np.isin(np.arange(bands), index)
            _curve(axes, places, used, case.compare(case.clean, index, bands), BLUE, "$M_{A,x}$ against $M_{N,x}$")
            _curve(
                axes,
                places,
                used,
                case.compare(case.attacked, index, bands),
                VERMILION,
                "$M_{A,x_A}$ against $M_{N,x}$",
            )
            _frame(axes, label)
        panels[1].set_xticks([0, 45, 90, 135, 180])
        panels[0].set_ylabel("% of images", color=MUTED)
        panels[0].legend(frameon=False, fontsize=7, loc="best")
    alt = "Two panels of two curves, by radius and by direction, around 50 per cent."
    return Figure(figure, _notes(case, kinds, bands), alt)


@dataclass(frozen=True)
class _Case:
    """Energies M², channels added, (n, ky, kx): the natural network's of x, the other's of x_A and of x."""

    names: dict[str, str]
    regimes: dict[str, Regime]
    natural: Rows
    attacked: Rows
    clean: Rows
    counts: tuple[int, int, int]

    def compare(self, first: Rows, index: NDArray[np.int64], bands: int) -> Exceedance:
        """Compare the shares of energy in each band with those of the natural network's masks."""
        # Rounded, so that dust (an entry of 1e-8 has an energy of 1e-16) and the order of sums decide nothing.
        ours, theirs = (shares(band_energy(energy, index, bands)).round(12) for energy in (first, self.natural))
        return band_exceedance(ours, theirs)


def _read(inputs: Inputs) -> _Case:
    robust, natural, attack = _pair(inputs)
    setting = robust.names["maps"]
    wanted = (
        ({k: natural[k] for k in PLACE}, images_of(ESSENTIAL)),
        ({k: robust.names[k] for k in PLACE}, {k: robust.names[k] for k in images_of(ESSENTIAL)}),
        ({k: robust.names[k] for k in PLACE}, images_of(ESSENTIAL)),
    )
    ids = [inputs.maps(**p, maps=setting, **of, variables=["label"])["sample"].values.tolist() for p, of in wanted]
    common = [s for s in ids[0] if s in set(ids[1]) & set(ids[2])]
    energies = []
    for place, of in wanted:
        maps = inputs.maps(**place, maps=setting, **of, samples=common, variables=["map"])["map"].values
        energies.append(np.square(maps.astype(np.float64)).sum(axis=1))
    names = {**{k: robust.names[k] for k in ("dataset", "model", "seed")}, "maps": setting, "attack": attack}
    regimes = {p["training"]: regime(inputs, p) for p, _ in wanted[:2]}
    return _Case(names, regimes, energies[0], energies[1], energies[2], (len(ids[0]), len(ids[1]), len(ids[2])))


def _pair(inputs: Inputs) -> tuple[Result, dict[str, str], str]:
    """Return the first masks of attacked images of a network trained on such, and the natural network attacked."""
    for result in inputs.select("maps"):
        natural = {**{k: result.names[k] for k in PLACE}, "training": result.names["against"]}
        if maps_of(result) != "transferred" or regime(inputs, result.names).letter != "A":
            continue
        there = inputs.select("maps", **natural, maps=result.names["maps"], images=ESSENTIAL)
        if there and regime(inputs, natural).letter == "N":
            return result, natural, result.names["attack"]
    raise FreqmapsError(
        "no adversarially trained network has maps of images attacked on a natural one; add a run with 'against'"
    )


def _curve(axes: Axes, places: Rows, used: NDArray[np.bool_], found: Exceedance, colour: str, label: str) -> None:
    x, share, low, high = (
        100 * v[used] if v is not places else v[used] for v in (places, found.share, found.low, found.high)
    )
    axes.plot(x, share, color=colour, linewidth=1.2, marker="o", markersize=2.5 if len(x) < 20 else 0, label=label)
    axes.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0)


def _frame(axes: Axes, label: str) -> None:
    axes.axhline(50, color=INK, linewidth=0.7, linestyle="--")
    axes.set_ylim(0, 100)
    axes.set_xlabel(label, color=MUTED)
    quiet(axes)


def _notes(case: _Case, kinds: tuple[tuple[str, Rows, NDArray[np.int64]], ...], bands: int) -> list[str]:
    names, (natural, attacked, clean) = case.names, case.counts
    n = len(case.natural)
    low, also = (_low(case, energy) for energy in (case.attacked, case.clean))
    notes = [
        f"Shown: {', '.join(f'{k} {v}' for k, v in names.items())}. {described(case.regimes)}",
        f"{n} images have all three masks, of {natural} with a natural mask, {attacked} with one of the attacked image "
        f"and {clean} with one of the clean image.",
        trend(
            "the adversarially trained network's masks of attacked images have more of their energy at low frequencies",
            [(float(low.low[0]), float(low.high[0]))],
            f"the share below half the largest radius is the larger in {_percent(low)} of images; with both masks of "
            f"the clean image, which the paper does not have, in {_percent(also)}",
            region=(0.5, inf),
            section="3.2, figure 7",
            reported="in most images",
            n=n,
        ),
    ]
    for (_, _, index), what in zip(kinds, ("rings", "sectors"), strict=True):
        empty = bands - len(set(index.ravel().tolist()) - {-1})
        if empty:
            notes.append(f"{empty} of {bands} {what} hold no frequency of an image of this size and are left out.")
    compared = case.compare(case.attacked, kinds[0][2], bands)
    if compared.n_dropped:
        notes.append(f"{compared.n_dropped} images are left out of the curves: one of their masks is 0 everywhere.")
    tied = compared.ties[np.isin(np.arange(bands), kinds[0][2])].sum()
    if tied:
        notes.append(
            f"Equal energies, as in rings that both masks leave empty, count half: {tied} of the comparisons by radius."
        )
    return notes


def _low(case: _Case, energy: Rows) -> Exceedance:
    return case.compare(energy, rings(energy.shape[-2], energy.shape[-1], 2), 2)


def _percent(found: Exceedance) -> str:
    return f"{100 * found.share[0]:.1f} % ({100 * found.low[0]:.1f} to {100 * found.high[0]:.1f})"
