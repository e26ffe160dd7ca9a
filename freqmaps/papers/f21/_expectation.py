"""Mean spectra of perturbations and mean differences of log-spectra: figures 4, 8, 10 and 12 of F21."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from freqmaps.inference.verdicts import placed
from freqmaps.papers.f21._spectra import (
    METHODS,
    NORMS,
    Case,
    Kind,
    Values,
    attack_text,
    bar,
    cases,
    draw_plane,
    estimate,
    interval,
    label,
    logarithm,
    setting,
    shown,
    trend_in_norm,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.style import BLUE, GREEN, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import Inputs
from freqmaps.spectra.bands import band_energy, ring_edges, rings

Part = Literal["spectrum", "difference"]
#: Colours end here: where |F x| is almost 0, as at the highest frequencies of an axis, a few changes are far larger.
_TOP = 0.95
_COLOURS = (BLUE, VERMILION, GREEN, "#CC79A7")
_SECTION, _REPORTED = "4.1 and 4.2, figures 4, 8, 10 and 12", "so in the means over 1000 test images"


def expectation(
    inputs: Inputs,
    kind: Kind,
    *,
    method: str,
    norm: str,
    parts: Sequence[Part] = ("spectrum", "difference"),
    logs: bool = False,
) -> Figure:
    """Draw a row of panels per network: mean planes of one attack, and ring by ring of all attacks.

    Parameters
    ----------
    inputs, kind
        The study's results, and which of its networks: see :func:`freqmaps.papers.f21._spectra.cases`.
    method, norm
        The attack whose planes are drawn.
    parts
        Which means.
    logs
        Whether the mean spectrum is drawn on a logarithmic scale.
    """
    every = [case for case in cases(inputs, kind) if (method, norm) in case.attacks]
    with rc_context(STYLE):
        figure = new_figure(0.6 + 4.6 * len(parts), 0.4 + 2.2 * len(every))
        panels = figure.subplots(len(every), 2 * len(parts), squeeze=False)
        for row, case in zip(panels, every, strict=True):
            for number, part in enumerate(parts):
                axes, beside = row[2 * number], row[2 * number + 1]
                _plane(figure, axes, case, part, (method, norm), logs, plain(label(every, case)))
                _profile(beside, case, part)
    notes = []
    for case in every:
        start = f"{label(every, case)}: "
        notes.append(f"{start}{int(case.values('lfc_ratio')['n'].iloc[0])} images. {setting(case)}")
        for attack in case.attacks:
            notes += placed(label(every, case), (_finding(case, part, *attack) for part in parts))
    cut = " The colours of changes end at their 95th percentile." if "difference" in parts else ""
    notes.append(f"Planes: {METHODS[method, norm]} in {NORMS[norm]}. Curves: means over rings of frequencies.{cut}")
    return Figure(figure, notes, f"{len(every)} rows of frequency planes and of their means over rings.")


def _plane(figure: Canvas, axes: Axes, case: Case, part: Part, attack: tuple[str, str], logs: bool, name: str) -> None:
    planes = case.arrays.isel(step=-1).sel(attack=attack[0], norm=attack[1])
    if part == "spectrum":
        values = planes["spectrum"].values
        image = draw_plane(axes, logarithm(values) if logs else values, f"{name}: mean |F δ|")
        bar(figure, image, axes, "log10, of the largest" if logs else "|F δ|")
    else:
        values = planes["log_difference"].values
        image = draw_plane(
            axes, values, f"{name}: change of log-spectrum", low=0, high=float(np.quantile(values, _TOP))
        )
        bar(figure, image, axes, "dB", cut=True)


def _profile(axes: Axes, case: Case, part: Part) -> None:
    """Draw means over rings: of spectra relative to the largest, with that of the images; of differences in dB."""
    variable = "spectrum" if part == "spectrum" else "log_difference"
    last = case.arrays.isel(step=-1)
    for colour, (method, norm) in zip(_COLOURS, case.attacks, strict=False):
        _curve(axes, last[variable].sel(attack=method, norm=norm).values, part, colour,
               f"{METHODS[method, norm]}, {NORMS[norm]}")  # fmt: skip
    if part == "spectrum":
        _curve(axes, last["image_spectrum"].values, part, INK, "images", "--")
        axes.set_yscale("log")
    axes.set_xlabel("radius, cycles per image", color=MUTED)
    axes.set_title("by radius, of the largest" if part == "spectrum" else "by radius, dB", color=INK)
    axes.legend(frameon=False, fontsize=6, labelcolor=MUTED)
    quiet(axes)


def _curve(axes: Axes, plane: Values, part: Part, colour: str, text: str, line: str = "-") -> None:
    radius, means = ring_means(plane)
    values = means / means.max() if part == "spectrum" else means
    axes.plot(radius, values, color=colour, linewidth=1.1, linestyle=line, label=text)


def ring_means(plane: Values) -> tuple[Values, Values]:
    """Return the middle radius of each ring that holds frequencies, and the mean of a plane (h, w) over it."""
    height, width = plane.shape
    bands = max(2, int(np.hypot(height // 2, width // 2)))
    index = rings(height, width, bands)
    counts = np.bincount(index.ravel(), minlength=bands)
    edges = ring_edges(height, width, bands)
    kept = counts > 0
    means = band_energy(plane, index, bands)[kept] / counts[kept]
    return ((edges[1:] + edges[:-1]) / 2)[kept], means


def _finding(case: Case, part: Part, method: str, norm: str) -> str:
    """Say whether perturbations are of low frequency, or the change of the log-spectrum of high frequency."""
    text = attack_text(case, method, norm)
    if part == "spectrum":
        row = case.values("lfc_ratio", method, norm).to_dict("records")[0]
        area = float(row["area"])
        claim = "the spectrum of perturbations is concentrated at low frequencies"
        evidence = f"{text}: {shown(estimate(row))} of the energy in the {100 * area:.0f} % of lowest frequencies"
        return trend_in_norm(
            claim, [interval(estimate(row))], evidence, norm, region=(area, 1.0), section=_SECTION, reported=_REPORTED,
            n=int(row["n"]),
        )  # fmt: skip
    rows = [case.values(f"log_difference_{p}", method, norm).to_dict("records")[0] for p in ("low", "high", "rise")]
    low, high, rise = map(estimate, rows)
    claim = "the difference of log-spectra is concentrated at high frequencies"
    evidence = (
        f"{text}: {shown(high, '.2g')} dB at high and {shown(low, '.2g')} dB at low frequencies, image by image "
        f"{shown(rise, '+.2g')} dB more"
    )
    n = int(rows[-1]["n"])
    return trend_in_norm(claim, [interval(rise)], evidence, norm, section=_SECTION, reported=_REPORTED, n=n)
