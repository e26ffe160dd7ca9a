"""Single images with their perturbations and spectra: figures 1, 3, 5, 7 and 9 of F21."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.proportions import wilson
from freqmaps.inference.verdicts import Interval
from freqmaps.papers.f21._spectra import (
    RISES,
    Case,
    Kind,
    Values,
    attack_text,
    cases,
    label,
    logarithm,
    setting,
    trend_in_norm,
    with_examples,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.style import INK, MUTED, SPECTRUM_COLOURS, STYLE, frequency_axes, new_figure, picture, plain
from freqmaps.results.reader import Inputs
from freqmaps.spectra.perturbations import lfc_ratio, log_difference_parts, log_spectrum_difference
from freqmaps.spectra.transforms import spectrum


def gallery(inputs: Inputs, kind: Kind, *, method: str, norm: str, images: int, section: str) -> Figure:
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
        f"Each spectrum is the mean over channels on a logarithmic scale of its own. {setting(case)}",
        _concentrated(_Shown(case, chosen, deltas, method, norm, section)),
    ]
    return Figure(figure, notes, f"{len(chosen)} images, and below each the spectrum of its perturbation.")


def worked(inputs: Inputs, kind: Kind, *, method: str, norm: str, images: int, section: str) -> Figure:
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
        f"Spectra are means over channels, at signed frequencies with zero in the middle. {setting(case)}",
        *_both(_Shown(case, chosen, deltas, method, norm, section)),
    ]
    return Figure(figure, notes, f"{len(chosen)} rows: an image, its perturbed copy, the perturbation and log-spectra.")


def measures(inputs: Inputs, kind: Kind, *, method: str, norm: str, example: int, section: str) -> Figure:
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
        "the second row are drawn as square roots, so that more than their largest values can be seen. "
        + setting(case),
        *_both(_Shown(case, chosen[-1:], deltas[-1:], method, norm, section)),
    ]
    return Figure(figure, notes, "Nine panels: x, δ and x + δ, their spectra, and their log-spectra.")


@dataclass(frozen=True)
class _Shown:
    """Images (n, c, h, w) in [0, 1] with perturbations of one network by one attack; where the paper shows its own."""

    case: Case
    images: Values
    deltas: Values
    method: str
    norm: str
    section: str

    @property
    def attacked(self) -> _Shown:
        """Those whose perturbation is not 0 throughout."""
        kept = self.deltas.any(axis=(1, 2, 3))
        return _Shown(self.case, self.images[kept], self.deltas[kept], self.method, self.norm, self.section)


def _both(pictures: _Shown) -> list[str]:
    return [_concentrated(pictures), _rising(pictures)]


def _concentrated(pictures: _Shown) -> str:
    """Say whether the perturbations that are shown have a larger share of low frequencies than a flat spectrum."""
    kept, row = pictures.attacked, pictures.case.rows.iloc[0]
    shares, area = lfc_ratio(kept.deltas, row["cutoff"], pictures.case.parameters["shape"]), float(row["area"])
    one = f"the share of low frequencies is {_mean(shares, '.3f')}, of a flat spectrum {area:.3f}"
    several = f"the share of low frequencies, {_mean(shares, '.3f')} on average, exceeds that of a flat spectrum"
    return _verdict(
        kept, shares - area, "the spectrum of the perturbation is concentrated at low frequencies",
        one, f"{several}, {area:.3f}",
    )  # fmt: skip


def _rising(pictures: _Shown) -> str:
    """Say whether the log-spectra of the images that are shown change more at high frequencies than at low ones."""
    kept = pictures.attacked
    changed = kept.images.astype(np.float64) + kept.deltas
    cutoff, shape = pictures.case.rows["cutoff"].iloc[0], pictures.case.parameters["shape"]
    low, high = log_difference_parts(kept.images, changed, cutoff, shape)
    numbers = f"{_mean(high, '.2g')} dB at high and {_mean(low, '.2g')} dB at low frequencies"
    return _verdict(
        kept, high - low, "the difference of log-spectra is concentrated at high frequencies",
        f"the log-spectrum changes by {numbers}",
        f"the log-spectrum changes more at high frequencies ({numbers} on average)",
    )  # fmt: skip


def _verdict(kept: _Shown, excess: Values, claim: str, one: str, several: str) -> str:
    """Hold what the paper reads off its pictures against ours.

    Of one image the number is what it is, and says nothing of others. Of several it is counted in how many ``excess``
    is above 0: the trend is that of most images, so Wilson's interval must lie above one half.
    """
    attack, n = attack_text(kept.case, kept.method, kept.norm), len(excess)
    intervals: list[Interval] = []
    region = RISES
    if n == 0:
        evidence = f"{attack}: the perturbations shown are 0 throughout"
    elif float(kept.case.rows["area"].iloc[0]) == 1:
        evidence = f"{attack}: the cut-off keeps every frequency"
    elif n == 1:
        evidence, intervals = f"{attack}: in the one image shown {one}", [(float(excess[0]), float(excess[0]))]
    else:
        hits = int((excess > 0).sum())
        low, high = wilson(hits, n)
        evidence = (
            f"{attack}: in {hits} of the {n} images shown (95 %: {100 * low:.0f} to {100 * high:.0f} %) {several}"
        )
        intervals, region = [(low, high)], (0.5, 1.0)
    where = "in the image shown" if n == 1 else "in most of the images shown"
    return trend_in_norm(
        f"{where} {claim}", intervals, evidence, kept.norm, region=region, section=kept.section,
        reported="so in the figure", n=n,
    )  # fmt: skip


def _mean(values: Values, form: str) -> str:
    return format(float(values.mean()), form) if len(values) else "unknown"


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
