"""Spectra and Jacobians as C22 draws them: the lowest frequency in the upper left corner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage

from freqmaps.papers.c22._networks import Values
from freqmaps.publish.style import INK, MUTED, SPECTRUM_COLOURS

#: ASSUME: smaller magnitudes are drawn as this share of the largest.
_FLOOR = 1e-4


def signed_picture(gradient: Values) -> Values:
    """Return a Jacobian (c, h, w) as a picture in [0, 1] where 0 is gray and its largest entries black or white."""
    top = float(np.abs(gradient).max()) or 1.0
    return 0.5 + 0.5 * np.asarray(gradient) / top


def logarithm(plane: Values) -> Values:
    """Return the decimal logarithm of magnitudes relative to the largest, not below the floor."""
    return np.asarray(np.log10(np.maximum(plane / (float(plane.max()) or 1.0), _FLOOR)))


def draw_quadrants(panels: Sequence[Axes], planes: Sequence[Values], titles: Sequence[str]) -> AxesImage:
    """Draw logarithms of magnitudes on one scale, the lowest frequency in the upper left corner; return the last."""
    shown = [logarithm(plane) for plane in planes]
    low = min(float(plane.min()) for plane in shown)
    for axes, plane, title in zip(panels, shown, titles, strict=True):
        image = axes.imshow(plane, cmap=SPECTRUM_COLOURS, vmin=low, vmax=0.0)
        axes.set_xticks([0, plane.shape[1] - 1])
        axes.set_yticks([0, plane.shape[0] - 1])
        axes.tick_params(colors=MUTED, pad=1.5)
        axes.set_title(title, color=INK)
    panels[0].set_xlabel("$k_x$, cycles per image", color=MUTED, labelpad=1)
    panels[0].set_ylabel("$k_y$", color=MUTED, labelpad=1)
    return image


def scale(figure: Canvas, image: AxesImage, within: Axes, *, upright: bool = True) -> None:
    """Draw the scale of quadrants in axes that are otherwise empty."""
    place = within.inset_axes((0.1, 0.1, 0.12, 0.8) if upright else (0.15, 0.1, 0.7, 0.16))
    bar = figure.colorbar(image, cax=place, orientation="vertical" if upright else "horizontal")
    bar.set_label("log10, of the largest", color=MUTED, fontsize=7)
    bar.ax.tick_params(colors=MUTED, labelsize=6.5)


def ring_means(plane: Values) -> tuple[Values, Values]:
    """Return whole radii, and the mean of a full plane over the frequencies that round to each."""
    height, width = plane.shape
    ky, kx = np.arange(height) - height // 2, np.arange(width) - width // 2
    ring = np.hypot(ky[:, None], kx).round().astype(int).ravel()
    counts = np.bincount(ring)
    means = np.bincount(ring, plane.ravel()) / np.maximum(counts, 1)
    return np.flatnonzero(counts), means[counts > 0]
