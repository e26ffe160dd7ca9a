"""Figure 2 of Basile et al.: the method, drawn from one real image."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from freqmaps.inference.proportions import ZERO
from freqmaps.publish.api import Figure
from freqmaps.publish.examples import Examples, examples
from freqmaps.publish.style import (
    EMPTY,
    INK,
    MUTED,
    SPECTRUM_COLOURS,
    STYLE,
    frequency_axes,
    new_figure,
    picture,
    plain,
)
from freqmaps.results.reader import Inputs
from freqmaps.spectra.transforms import filter_image, spectrum

TITLE = "How a frequency map filters an image"
CAPTION = (
    "Top: an image x, the magnitude of its Fourier transform, and the map M, one entry in [0, 1] for each frequency "
    "and channel, learned so that the classifier still sees the same class while the sum of M is small. Bottom: their "
    "product, and its inverse transform, the filtered image. Frequencies are signed, in cycles per image, with zero in "
    "the middle."
)
KIND = "figure"
NEEDS = ("datasets", "attacks", "maps")
BASES = ("fourier",)
RANGES = {"seed": "[0, 1e18)"}


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
        "White in the product: frequencies removed by the map. Filtered images clipped to [0, 1] for display only."
    )
    name = chosen.classes[int(chosen.label[0])]
    return Figure(figure, notes, f"Five panels for an image of class {name}: image, spectrum, map, product, filtered.")


def _draw(chosen: Examples) -> Canvas:
    image, mask = chosen.image[0], chosen.essential[0]
    before, after = spectrum(image).mean(axis=0), (mask * spectrum(image)).mean(axis=0)
    limits = _log_limits(before)
    seen = plain(chosen.classes[int(chosen.label[0])])
    kept = "still seen as" if chosen.essential_kept[0] else "no longer seen as"
    figure = new_figure(*_SIZE, layout=None)
    picture(_panel(figure, 0, 1, "image $x$", f"seen as {seen}"), image)
    _spectrum(figure, _panel(figure, 1, 1, "spectrum $|\\mathcal{F}x|$"), before, limits)
    _map(figure, _panel(figure, 2, 1, "frequency map $M$"), mask)
    _spectrum(figure, _panel(figure, 1, 0, "product $|M \\odot \\mathcal{F}x|$"), after, limits)
    picture(_panel(figure, 0, 0, "filtered image $x_F$", f"{kept} {seen}"), filter_image(image, mask))
    _operators(figure)
    _write(figure, 5.45, 1.72, _EQUATION, align="left")
    zeros = float(np.mean(mask <= ZERO))
    _write(figure, 5.45, 1.35, f"{100 * zeros:.0f} % of the entries of $M$ are 0", size=8, align="left")
    return figure


_EQUATION = "$x_F = \\mathrm{Re}\\,\\mathcal{F}^{-1}(M \\odot \\mathcal{F}x)$"
# Places in inches: the arrows between the panels need them, so no layout engine moves anything.
_SIZE, _SIDE = (7.75, 4.85), 1.75
_LEFT, _BOTTOM = (0.1, 2.75, 5.6), (0.42, 2.82)


def _panel(figure: Canvas, column: int, row: int, title: str, below: str = "") -> Axes:
    axes = _axes(figure, _LEFT[column], _BOTTOM[row], _SIDE)
    axes.set_title(title, color=INK, fontsize=8.5, pad=5)
    axes.set_xlabel(below, color=MUTED, fontsize=7.5)
    return axes


def _axes(figure: Canvas, left: float, bottom: float, width: float) -> Axes:
    return figure.add_axes((left / _SIZE[0], bottom / _SIZE[1], width / _SIZE[0], _SIDE / _SIZE[1]))


def _bar(figure: Canvas, axes: Axes, drawn: AxesImage, label: str) -> None:
    place = axes.get_position()
    beside = _axes(figure, place.x1 * _SIZE[0] + 0.06, place.y0 * _SIZE[1], 0.09)
    bar = figure.colorbar(drawn, cax=beside)
    bar.set_label(label, color=MUTED, labelpad=2)
    beside.tick_params(colors=MUTED)


def _map(figure: Canvas, axes: Axes, mask: NDArray[np.float64]) -> None:
    drawn = picture(axes, mask)
    frequency_axes(axes, *mask.shape[1:])
    if mask.shape[0] == 1:
        _bar(figure, axes, drawn, "")


def _log_limits(magnitude: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of the logarithm, at most six decades: numerical zeros would eat the scale."""
    top = float(np.log10(max(float(magnitude.max()), 1e-12)))
    positive = magnitude[magnitude > 10 ** (top - 6)]
    return (float(np.log10(positive.min())) if positive.size else top - 1), top


def _spectrum(figure: Canvas, axes: Axes, magnitude: NDArray[np.float64], limits: tuple[float, float]) -> None:
    # Two decades below the smallest shown magnitude, an entry counts as removed.
    logarithm: Any = np.ma.log10(np.ma.masked_less_equal(magnitude, 10 ** (limits[0] - 2)))
    colours = colormaps[SPECTRUM_COLOURS].with_extremes(bad=EMPTY)
    drawn = axes.imshow(logarithm, cmap=colours, vmin=limits[0], vmax=limits[1])
    frequency_axes(axes, *magnitude.shape)
    _bar(figure, axes, drawn, "$\\log_{10}$ magnitude")


def _operators(figure: Canvas) -> None:
    """Draw what leads from one panel to the next."""
    top, bottom = (b + _SIDE / 2 for b in _BOTTOM[::-1])
    _arrow(figure, (1.95, top), (2.3, top))
    _write(figure, 2.12, top + 0.14, "$\\mathcal{F}$")
    _write(figure, 5.12, top + 0.62, "$\\odot$", size=14)
    _arrow(figure, (5.12, top - 0.62), (5.12, _BOTTOM[0] + _SIDE + 0.02), bend=-0.35)
    _arrow(figure, (2.3, bottom), (1.95, bottom))
    _write(figure, 2.14, bottom + 0.15, "$\\mathrm{Re}\\,\\mathcal{F}^{-1}$", size=9)


def _arrow(figure: Canvas, start: tuple[float, float], end: tuple[float, float], bend: float = 0) -> None:
    points = [(x / _SIZE[0], y / _SIZE[1]) for x, y in (start, end)]
    arrow = FancyArrowPatch(
        points[0], points[1], transform=figure.transFigure, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>",
        mutation_scale=11, color=INK, linewidth=1.3,
    )  # fmt: skip
    figure.add_artist(arrow)


def _write(figure: Canvas, x: float, y: float, text: str, *, size: float = 11, align: str = "center") -> None:
    figure.text(x / _SIZE[0], y / _SIZE[1], text, ha=align, va="center", fontsize=size, color=INK)
