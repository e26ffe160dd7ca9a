"""Figure 3 of Karantzas et al.: the masks of the five regimes, and how they differ from the natural network's."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from freqmaps.papers.k22._masks import Masks, global_masks
from freqmaps.publish.api import Figure
from freqmaps.publish.numbers import number
from freqmaps.publish.style import INK, MUTED, SPECTRUM_COLOURS, STYLE, frequency_axes, new_figure, plain
from freqmaps.results.reader import Inputs
from freqmaps.spectra.masks import mask_differences

TITLE = "Masks of networks trained in five ways, and their differences"
CAPTION = (
    "Top: the mask of the frequencies that a network needs for all images (N: natural, A: adversarial, S: random "
    "scales, T: random shifts, R: random rotations), mean over training seeds. Bottom: the same less the natural "
    "network's. Axes: signed frequencies in cycles per image, zero in the middle. One colour scale per row: a mask's "
    "entries from 0 (removed) up; differences with 0 in the middle."
)
KIND = "figure"
NEEDS = ("group_maps", "training")
BASES = ("fourier", "fourier_normalised")

_DIFFERENCES = "RdBu_r"
_CENTRES = {
    "mean": "Differences are less the mean over all entries of all differences shown ({}), which centres the set.",
    "range": "Differences are scaled so that the least of the set is −1/2 and the largest 1/2, without a unit.",
    "none": "Differences are not centred: 0 is no change.",
}


def build(
    inputs: Inputs,
    *,
    dataset: str | None = None,
    model: str | None = None,
    group_maps: str | None = None,
    center: Literal["mean", "range", "none"] = "mean",
) -> Figure:
    """Draw masks and differences.

    Parameters
    ----------
    inputs
        The study's results.
    dataset, model, group_maps
        The setting; None takes the study's first.
    center
        How the differences are centred: see :func:`freqmaps.analysis.mask_differences`.
    """
    masks = global_masks(inputs, dataset=dataset, model=model, group_maps=group_maps)
    planes = means(masks)
    natural = masks.natural
    others = [name for name in planes if name != natural] if natural else []
    notes = [*masks.notes(), *_notes(masks, planes, natural, others, center)]
    with rc_context(STYLE):
        figure = new_figure(1.45 * len(planes) + 0.9, 3.2 if others else 1.9)
        panels = figure.subplots(2 if others else 1, len(planes), squeeze=False)
        images = [_plane(panels[0, i], planes[name], high=_most(planes)) for i, name in enumerate(planes)]
        for i, name in enumerate(planes):
            panels[0, i].set_title(plain(masks.title(name)), color=INK)
        _bar(figure, images[-1], panels[0], "mask")
        if natural and others:
            _differences(figure, panels[1], masks, planes, natural, others, center)
        labelled = next(axes for axes in panels[-1] if axes.axison)
        frequency_axes(labelled, *planes[next(iter(planes))].shape)
    alt = f"The masks of {len(planes)} networks ({', '.join(masks.labels.values())}) above their differences from N."
    return Figure(figure, notes, alt)


def means(masks: Masks) -> dict[str, NDArray[np.float64]]:
    """Return the mean mask (ky, kx) of each training, over its seeds and the channels."""
    return {name: np.mean([m.values for m in masks.of(name)], axis=(0, 1)) for name in masks.regimes}


def _differences(
    figure: Canvas, row: NDArray[np.object_], masks: Masks, planes: dict[str, NDArray[np.float64]],
    natural: str, others: list[str], center: Literal["mean", "range", "none"],
) -> None:  # fmt: skip
    delta = mask_differences([planes[name] for name in others], planes[natural], center)
    limit = float(np.abs(delta).max()) or 1.0
    shown: AxesImage | None = None
    for axes, name in zip(row, planes, strict=True):
        if name == natural:
            axes.set_axis_off()
            continue
        values = delta[others.index(name)]
        shown = axes.imshow(values, cmap=_DIFFERENCES, vmin=-limit, vmax=limit)
        frequency_axes(axes, *values.shape, label=False)
        axes.set_title(plain(f"{masks.labels[name]} − {masks.labels[natural]}"), color=INK)
    if shown is not None:
        _bar(figure, shown, row, "difference")


def _notes(
    masks: Masks, planes: dict[str, NDArray[np.float64]], natural: str | None, others: list[str], center: str
) -> list[str]:
    some = next(m.values for m in masks.every)
    notes = ["Shown are means over the channels."] if len(some) > 1 else []
    if natural is None:
        return [*notes, "No network was trained naturally, so there is nothing to take differences from."]
    if not others:
        return [*notes, "No network but the natural one: no differences."]
    shift = float(np.mean([planes[name] - planes[natural] for name in others]))
    return [*notes, _CENTRES[center].format(number(shift, "+.4f"))]


def _most(planes: dict[str, NDArray[np.float64]]) -> float:
    return max(float(p.max()) for p in planes.values()) or 1.0


def _plane(axes: Axes, values: NDArray[np.float64], *, high: float) -> AxesImage:
    image = axes.imshow(values, cmap=SPECTRUM_COLOURS, vmin=0, vmax=high)
    frequency_axes(axes, *values.shape, label=False)
    return image


def _bar(figure: Canvas, image: AxesImage, row: NDArray[np.object_], label: str) -> None:
    bar = figure.colorbar(image, ax=list(row), fraction=0.025, pad=0.01)
    bar.set_label(label, color=MUTED)
    bar.ax.tick_params(colors=MUTED, pad=1.5)
