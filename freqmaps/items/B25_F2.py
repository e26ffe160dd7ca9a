"""Figure 2 of Basile et al.: the method, drawn from one real image."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from freqmaps.items._api import Figure, Inputs
from freqmaps.items._examples import Examples, examples
from freqmaps.items._style import EMPTY, INK, MUTED, SPECTRUM_COLOURS, STYLE, frequency_axes, new_figure, picture
from freqmaps.spectra import filter_image, spectrum

TITLE = "How a frequency map filters an image"
CAPTION = (
    "From left to right: an image x; the magnitude of its Fourier transform; the map M, one entry in [0, 1] for each "
    "frequency and channel, learned so that the classifier still sees the same class while the sum of M is small; the "
    "product; and its inverse transform, the filtered image. Frequencies are signed, in cycles per image, with zero in "
    "the middle."
)
KIND = "figure"
NEEDS = ("datasets", "attacks", "maps")


def build(
    inputs: Inputs,
    *,
    dataset: str | None = None,
    model: str | None = None,
    training: str | None = None,
    seed: int | None = None,
    maps: str | None = None,
    attack: str | None = None,
) -> Figure:
    """Draw ``x -> F x -> M * F x -> x_F = Re F^-1(M * F x)`` (eq. 1) for a clean image and its essential map.

    Parameters
    ----------
    inputs
        The study's results.
    dataset, model, training, seed, maps
        The setting to show; None takes the study's first.
    attack
        The attack that the sample must also have a map for; None takes the one with most adversarial maps.
    """
    chosen = examples(inputs, 1, dataset=dataset, model=model, training=training, seed=seed, maps=maps, attack=attack)
    with rc_context(STYLE):
        figure = _draw(chosen)
    colour = chosen.image.shape[1] > 1
    notes = [f"Shown: {chosen.setting}.", chosen.rule]
    if colour:
        notes.append("Spectra are means over the colour channels; the map is a picture whose colours are its channels.")
    notes.append(
        "Dark violet: frequencies that the map removes. The filtered image is clipped to [0, 1] for display only."
    )
    name = chosen.classes[int(chosen.label[0])]
    return Figure(figure, notes, f"Five panels for an image of class {name}: image, spectrum, map, product, filtered.")


def _draw(chosen: Examples) -> Canvas:
    image, mask = chosen.image[0], chosen.essential[0]
    before = spectrum(image).mean(axis=0)
    after = (mask * spectrum(image)).mean(axis=0)
    figure = new_figure(11.0, 2.9)
    panels = figure.subplots(1, 5, width_ratios=[1, 1.18, 1.18, 1.18, 1])
    limits = _log_limits(before)
    seen = chosen.classes[int(chosen.label[0])]
    picture(panels[0], image)
    _title(panels[0], "image  $x$", f"seen as {seen}")
    _spectrum(figure, panels[1], before, limits)
    _title(panels[1], "spectrum  $|\\mathcal{F}x|$", "")
    drawn = picture(panels[2], mask)
    frequency_axes(panels[2], *mask.shape[1:])
    if mask.shape[0] == 1:
        figure.colorbar(drawn, ax=panels[2], fraction=0.05, pad=0.03)
    _title(panels[2], "frequency map  $M$", f"{np.mean(mask <= 1e-8):.0%} of entries are 0")
    _spectrum(figure, panels[3], after, limits)
    _title(panels[3], "product  $|M \\odot \\mathcal{F}x|$", "")
    picture(panels[4], filter_image(image, mask))
    kept = "still seen as" if chosen.essential_kept[0] else "no longer seen as"
    _title(panels[4], "filtered image  $x_F$", f"{kept} {seen}")
    _operators(panels, ("$\\mathcal{F}$", "$\\odot$", "=", "$\\mathrm{Re}\\,\\mathcal{F}^{-1}$"))
    return figure


def _log_limits(magnitude: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of the logarithm, at most six decades: numerical zeros would eat the scale."""
    top = float(np.log10(max(float(magnitude.max()), 1e-12)))
    positive = magnitude[magnitude > 10 ** (top - 6)]
    return (float(np.log10(positive.min())) if positive.size else top - 1), top


def _spectrum(figure: Canvas, axes: Axes, magnitude: NDArray[np.float64], limits: tuple[float, float]) -> AxesImage:
    logarithm: Any = np.ma.log10(np.ma.masked_less_equal(magnitude, 10 ** (limits[0] - 2)))
    colours = colormaps[SPECTRUM_COLOURS].with_extremes(bad=EMPTY)
    drawn = axes.imshow(logarithm, cmap=colours, vmin=limits[0], vmax=limits[1])
    frequency_axes(axes, *magnitude.shape)
    bar = figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.03)
    bar.set_label("$\\log_{10}$ magnitude", color=MUTED, labelpad=2)
    bar.ax.tick_params(colors=MUTED)
    return drawn


def _title(axes: Axes, head: str, below: str) -> None:
    axes.set_title(head, color=INK, fontsize=9.5, pad=6)
    if below:
        axes.annotate(
            below, (0.5, -0.07 if not axes.get_xlabel() else -0.3), xycoords="axes fraction", ha="center", va="top",
            color=MUTED, fontsize=7.5,
        )  # fmt: skip


def _operators(panels: NDArray[Any], signs: tuple[str, ...]) -> None:
    """Write between neighbours what leads from one to the next."""
    for axes, sign in zip(panels[1:], signs, strict=True):
        labelled = bool(axes.get_ylabel())
        place = (-0.36 if labelled else -0.16, 0.5)
        axes.annotate(sign, place, xycoords="axes fraction", ha="center", va="bottom", fontsize=12, color=INK)
        if sign not in ("=", "$\\odot$"):
            axes.annotate(
                "", (place[0] + 0.1, 0.47), (place[0] - 0.1, 0.47), xycoords="axes fraction",
                arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2},
            )  # fmt: skip
