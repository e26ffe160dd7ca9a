"""Fourier heat maps as in Yin et al., section 2: the error rate under each Fourier basis vector, network by network."""

from __future__ import annotations

from matplotlib import rc_context

from freqmaps.papers.y19._heat_maps import comparable, described, heat_maps, label, sensitive, shifted
from freqmaps.publish.api import Figure
from freqmaps.publish.style import INK, MUTED, SPECTRUM_COLOURS, STYLE, frequency_axes, new_figure, plain
from freqmaps.results.reader import Inputs

TITLE = "Fourier heat maps: the error rate under noise of a single frequency"
CAPTION = (
    "Each pixel is the error rate on images to which the Fourier basis vector of that frequency was added, with the ℓ2 "
    "norm v in each channel and a random sign for each image and channel. Signed frequencies in cycles per image, zero "
    "in the middle; a frequency and its opposite have the same basis vector. All panels have the same colour scale. "
    "Networks that differ by their training seed alone share a panel, which shows their mean."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("fourier_heat_map",)

_COLUMNS = 4


def build(inputs: Inputs) -> Figure:
    """Draw one panel per dataset, model, training and heat map.

    Returns
    -------
    Figure
        The notes give each network's error rates without noise, at low and at high frequencies with their intervals,
        and say whether the paper's two trends hold.
    """
    every = heat_maps(inputs)
    columns = min(_COLUMNS, len(every))
    lines = -(-len(every) // columns)
    top = max(float(heat_map.error.max()) for heat_map in every) or 1.0
    with rc_context(STYLE):
        figure = new_figure(0.9 + 1.75 * columns, 0.15 + 2.05 * lines)
        panels = figure.subplots(lines, columns, squeeze=False)
        for axes in panels.flat[len(every) :]:
            axes.set_axis_off()
        for number, (axes, heat_map) in enumerate(zip(panels.flat, every, strict=False)):
            image = axes.imshow(heat_map.error, cmap=SPECTRUM_COLOURS, vmin=0, vmax=top)
            frequency_axes(axes, *heat_map.error.shape, label=number % columns == 0)
            axes.set_title(f"{plain(label(every, heat_map))}, v = {heat_map.parameters['norm']:g}", color=INK)
        bar = figure.colorbar(image, ax=panels, shrink=0.85, aspect=25)
        bar.set_label("error rate", color=MUTED)
        bar.ax.tick_params(colors=MUTED, pad=1.5)
    notes = [described(every, heat_map) for heat_map in every]
    notes += [sensitive(every, heat_map) for heat_map in every if heat_map.regime == "standard"]
    notes += [shifted(every, heat_map, other) for heat_map in every for other in every if comparable(heat_map, other)]
    return Figure(figure, notes, f"{len(every)} frequency planes coloured by error rate, on the same scale.")
