"""The look of all figures: one font, one size of type, colours that the colour-blind tell apart."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from freqmaps.publish.numbers import number
from freqmaps.spectra.transforms import frequencies

RESOLUTION = 200
STYLE: Any = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs, and bytes, everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "image.interpolation": "nearest",
    "image.composite_image": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "freqmaps",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # whole glyphs of TrueType: journals refuse Type 3
}
# Okabe and Ito's palette.
INK, MUTED = "#1b1f24", "#5b6470"
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
SPECTRUM_COLOURS = "cividis"
EMPTY = "#ffffff"  # what a map removed: no value on a logarithmic scale


def picture(axes: Axes, image: NDArray[Any]) -> AxesImage:
    """Draw an image or a map of shape (c, h, w) as gray (c = 1) or RGB (c = 3), clipped to [0, 1] for display only."""
    shown = np.clip(np.asarray(image, dtype=np.float64), 0, 1)
    axes.set_xticks([])
    axes.set_yticks([])
    if shown.shape[0] == 3:
        return axes.imshow(np.moveaxis(shown, 0, -1))
    return axes.imshow(shown.mean(axis=0), cmap="gray", vmin=0, vmax=1)


def frequency_axes(axes: Axes, height: int, width: int, *, label: bool = True) -> None:
    """Tick an image of a frequency plane with its signed frequencies in cycles per image."""
    for size, set_ticks in ((width, axes.set_xticks), (height, axes.set_yticks)):
        signed = frequencies(size)
        places = sorted({0, size // 4, size // 2, 3 * size // 4, size - 1} if size > 16 else {0, size // 2, size - 1})
        set_ticks(places, [number(signed[i], "d") for i in places])
    if label:
        axes.set_xlabel("$k_x$, cycles per image", color=MUTED, labelpad=1)
        axes.set_ylabel("$k_y$", color=MUTED, labelpad=-1)
    axes.tick_params(colors=MUTED, pad=1.5)


def quiet(axes: Axes) -> None:
    """Take the frame away above and to the right, and mute the ticks."""
    axes.tick_params(colors=MUTED, pad=1.5)
    axes.spines[["top", "right"]].set_visible(False)


def plain(name: str) -> str:
    """Return a user's name so that matplotlib prints it as it stands: a dollar sign would start a formula."""
    return name.replace("$", r"\$")


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return an empty figure of this size in inches; call it, and draw, within ``rc_context(STYLE)``."""
    return Figure(figsize=(width, height), layout=layout)
