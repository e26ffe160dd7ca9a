"""Single images with their perturbations and spectra: figures 1, 3, 5, 7 and 9 of F21."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.f21._spectra import (
    Case,
    Kind,
    Values,
    attack_text,
    cases,
    label,
    logarithm,
    setting,
    with_examples,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.style import INK, MUTED, SPECTRUM_COLOURS, STYLE, frequency_axes, new_figure, picture, plain
from freqmaps.results.reader import Inputs
from freqmaps.spectra.perturbations import log_spectrum_difference
from freqmaps.spectra.transforms import spectrum


def gallery(inputs: Inputs, kind: Kind, *, method: str, norm: str, images: int) -> Figure:
    """Draw images above the spectra of their perturbations."""
    every = cases(inputs, kind)
    case = with_examples(every)
    chosen, deltas, _ = _examples(case, method, norm, images)
    with rc_context(STYLE):
        figure = new_figure(0.75 * len(chosen) + 0.5, 2.0)
        panels = figure.subplots(2, len(chosen), squeeze=False)
        for column, (image, delta) in enumerate(zip(chosen, deltas, strict=True)):
            picture(panels[0, column], image)
            _magnitudes(panels[1, column], spectrum(delta).mean(axis=0))
        panels[0, 0].set_ylabel("image", color=MUTED)
        panels[1, 0].set_xlabel("$k_x$, cycles", color=MUTED, labelpad=1)
        panels[1, 0].set_ylabel("|F δ|\n$k_y$", color=MUTED)
    notes = [
        f"Shown: {label(every, case)}, {attack_text(case, method, norm)}; images drawn at random from those evaluated. "
        f"Each spectrum is the mean over channels on a logarithmic scale of its own. {setting(case)}"
    ]
    return Figure(figure, notes, f"{len(chosen)} images, and below each the spectrum of its perturbation.")


def worked(inputs: Inputs, kind: Kind, *, method: str, norm: str, images: int) -> Figure:
    """Draw for each image: it, its perturbed copy, the perturbation, both log-spectra and their difference."""
    every = cases(inputs, kind)
    case = with_examples(every)
    chosen, deltas, names = _examples(case, method, norm, images)
    with rc_context(STYLE):
        figure = new_figure(7.2, 0.3 + 1.25 * len(chosen))
        panels = figure.subplots(len(chosen), 6, squeeze=False)
        heads = ("x", "x + δ", "δ, stretched", "log |F x|", "log |F(x + δ)|", "difference, dB")
        for axes, head in zip(panels[0], heads, strict=True):
            axes.set_title(head, color=INK)
        for row, image, delta, name in zip(panels, chosen, deltas, names, strict=True):
            changed = image.astype(np.float64) + delta
            picture(row[0], image)
            picture(row[1], changed)
            picture(row[2], stretched(delta))
            _magnitudes(row[3], spectrum(image).mean(axis=0), labelled=row[3] is panels[-1, 3])
            _magnitudes(row[4], spectrum(changed).mean(axis=0))
            _plane(row[5], log_spectrum_difference(image, changed).mean(axis=0))
            row[0].set_ylabel(plain(name), color=MUTED)
    notes = [
        f"Shown: {label(every, case)}, {attack_text(case, method, norm)}; images drawn at random from those evaluated. "
        f"Spectra are means over channels, at signed frequencies with zero in the middle. {setting(case)}"
    ]
    return Figure(figure, notes, f"{len(chosen)} rows: an image, its perturbed copy, the perturbation and log-spectra.")


def measures(inputs: Inputs, kind: Kind, *, method: str, norm: str, example: int) -> Figure:
    """Draw the two measures from one image: the spectrum of its perturbation, and the change of its log-spectrum."""
    every = cases(inputs, kind)
    case = with_examples(every)
    chosen, deltas, _ = _examples(case, method, norm, example + 1)
    image, delta = chosen[-1], deltas[-1]
    changed = image.astype(np.float64) + delta
    with rc_context(STYLE):
        figure = new_figure(4.6, 4.4)
        panels = figure.subplots(3, 3, squeeze=False)
        for axes, shown, title in zip(
            panels[0], (image, stretched(delta), changed), ("x", "δ, stretched", "x + δ"), strict=True
        ):
            picture(axes, shown)
            axes.set_title(title, color=INK)
        for axes, values, title in zip(panels[1], (image, delta, changed), ("x", "δ", "x + δ"), strict=True):
            _plane(axes, np.sqrt(spectrum(values).mean(axis=0)))
            axes.set_title(f"|F({title})|", color=INK)
        _magnitudes(panels[2, 0], spectrum(image).mean(axis=0), labelled=True)
        _plane(panels[2, 1], log_spectrum_difference(image, changed).mean(axis=0))
        _magnitudes(panels[2, 2], spectrum(changed).mean(axis=0))
        for axes, title in zip(panels[2], ("log |F x|", "their difference", "log |F(x + δ)|"), strict=True):
            axes.set_title(title, color=INK)
    notes = [
        f"Shown: {label(every, case)}, {attack_text(case, method, norm)}. Spectra are means over channels; those of "
        f"the second row are drawn as square roots, so that more than their largest values can be seen. {setting(case)}"
    ]
    return Figure(figure, notes, "Nine panels: x, δ and x + δ, their spectra, and their log-spectra.")


def stretched(delta: Values) -> Values:
    """Return a perturbation scaled to [0, 1] with 0 in the middle."""
    top = float(np.abs(delta).max())
    return 0.5 + delta / (2 * top) if top else np.full_like(delta, 0.5)


def _examples(case: Case, method: str, norm: str, count: int) -> tuple[Values, Values, list[str]]:
    """Return images, perturbations and class names of the first examples."""
    arrays = case.arrays
    if (method, norm) not in case.attacks:
        raise FreqmapsError(f"evaluation '{case.result.names['evaluation']}' has no {method} in {norm}; name another")
    if arrays.sizes["example"] < count:
        raise FreqmapsError(
            f"evaluation '{case.result.names['evaluation']}' keeps {arrays.sizes['example']} images and {count} are to "
            "be drawn; raise its 'examples'"
        )
    delta = arrays["example_perturbation"].sel(attack=method, norm=norm).values[:count]
    labels = [f"class {int(v)}" for v in arrays["example_label"].values[:count]]
    return arrays["example_image"].values[:count], delta, labels


def _magnitudes(axes: Axes, plane: Values, *, labelled: bool = False) -> None:
    _plane(axes, logarithm(plane), labelled=labelled)


def _plane(axes: Axes, plane: Values, *, labelled: bool = False) -> None:
    axes.imshow(plane, cmap=SPECTRUM_COLOURS)
    frequency_axes(axes, *plane.shape, label=labelled)
