"""What JaFR changes under each corruption, against the corruption's own low-frequency bias; in no paper."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.inference.estimates import Estimate
from freqmaps.inference.rank_correlation import spearman
from freqmaps.inference.verdicts import Claim, trend
from freqmaps.papers.c22._corruption_claims import JAFR
from freqmaps.papers.c22._corruptions import Setting, change, settings
from freqmaps.papers.c22._evaluated import Trained
from freqmaps.papers.c22._networks import FGSM_AT, STANDARD
from freqmaps.publish.api import Figure
from freqmaps.publish.nothing import NothingToShow
from freqmaps.publish.numbers import with_interval
from freqmaps.publish.style import BLUE, GREEN, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import Inputs

TITLE = "What JaFR changes under a corruption, against the corruption's low-frequency bias"
CAPTION = (
    "Change of the accuracy, in percentage points, from a training without JaFR to the same with it, by log B_low "
    "(natural logarithm) of what the corruption changes in an image: high frequencies left, low ones right. Means over "
    "severities. Bars: 95 % intervals, paired over images where there is one network each, over networks where there "
    "are several. ρ: Spearman's rank correlation over the corruptions, with its 95 % bootstrap interval."
)
KIND = "figure"
NEEDS = ("evaluation", "training", "datasets")
EVALUATIONS = ("corruptions",)

#: With a term for low, or for high, frequencies, and without one.
_PAIRS = ((JAFR, STANDARD), (f"{FGSM_AT} + {JAFR}", FGSM_AT), (f"{FGSM_AT} + {JAFR}(-)", FGSM_AT))
_COLOURS = {"noise": VERMILION, "blur": BLUE, "weather": GREEN, "digital": "#CC79A7", "extra": "#E69F00"}
_COLUMNS = 3
Case = tuple[Setting, Trained, Trained]


def build(inputs: Inputs) -> Figure:
    """Draw a panel for each pair of trainings.

    Parameters
    ----------
    inputs
        The study's results.

    Raises
    ------
    FreqmapsError
        There is no evaluation of corruptions.
    NothingToShow
        No two trainings differ by JaFR alone, or it is not known what the corruptions change.
    """
    every = settings(inputs)
    cases = [case for setting in every for case in _cases(setting)]
    if not cases:
        raise NothingToShow("no two trainings differ by JaFR alone, or what corruptions change is not known")
    columns = min(_COLUMNS, len(cases))
    rows = -(-len(cases) // columns)
    notes: list[str] = []
    with rc_context(STYLE):
        figure = new_figure(0.4 + 2.9 * columns, 0.5 + 2.7 * rows)
        panels = figure.subplots(rows, columns, squeeze=False)
        for axes in panels.flat[len(cases) :]:
            axes.set_visible(False)
        for axes, (setting, first, second) in zip(panels.flat, cases, strict=False):
            place = ", ".join(setting.names.values()) if len(every) > 1 else ""
            changes = {name: change(first, second, [name]) for name in setting.compared}
            correlation = spearman([setting.low_bias[n] for n in changes], [c.value for c in changes.values()])
            _panel(axes, setting, changes, correlation)
            axes.set_title(plain(f"{first.called} − {second.called}"), color=INK)
            notes.append(_sentence(first, second, correlation, len(changes)).at(place))
        for axes in panels[:, 0]:
            axes.set_ylabel("change of accuracy, points", color=MUTED)
        handles = [h for axes in panels.flat for h in zip(*axes.get_legend_handles_labels(), strict=True)]
        shown = {text: handle for handle, text in handles}
        figure.legend(
            shown.values(), shown.keys(), loc="outside lower center", ncols=5, frameon=False, labelcolor=MUTED
        )
    notes.append("The largest changes are named; C22-T1 and T8 have those of all corruptions.")
    alt = "Points, one per corruption: what JaFR changes in the accuracy over the corruption's log B_low."
    return Figure(figure, notes, alt)


def _cases(setting: Setting) -> Iterator[Case]:
    if not np.isfinite([setting.low_bias[name] for name in setting.compared]).all() or not setting.compared:
        return
    for name, without in _PAIRS:
        first, second = setting.of(name), setting.of(without)
        if first is not None and second is not None:
            yield setting, first, second


def _panel(axes: Axes, setting: Setting, changes: dict[str, Estimate], correlation: Estimate) -> None:
    axes.axhline(0, color=MUTED, linewidth=0.6)
    for group, colour in _COLOURS.items():
        names = [name for name in changes if setting.groups[name] == group]
        if not names:
            continue
        values = 100 * np.array([[changes[n].value, changes[n].low, changes[n].high] for n in names]).T
        bars = np.nan_to_num(np.stack([values[0] - values[1], values[2] - values[0]]))
        axes.errorbar(
            [setting.low_bias[n] for n in names], values[0], np.maximum(bars, 0), color=colour, linestyle="",
            marker="o", markersize=3, elinewidth=0.7, label=group,
        )  # fmt: skip
    _name(axes, setting, changes)
    axes.set_xlabel("log B_low of the corruption", color=MUTED)
    axes.text(0.02, 0.02, f"ρ = {_rho(correlation)}", transform=axes.transAxes, color=INK, fontsize=6.5)
    quiet(axes)


def _name(axes: Axes, setting: Setting, changes: dict[str, Estimate]) -> None:
    """Write corruptions' names beside their points, the largest changes first, as long as there is room."""
    biases = [setting.low_bias[name] for name in changes]
    middle = np.mean([min(biases), max(biases)])
    axes.margins(x=0.12, y=0.14)
    (left, right_end), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    taken: list[tuple[float, float]] = []
    for name in sorted(changes, key=lambda one: -abs(changes[one].value)):
        bias, height = setting.low_bias[name], 100 * changes[name].value
        right = bias <= middle
        # Where the name begins and its height, in points of a panel of about 165 by 150.
        start = 165 * (bias - left) / (right_end - left) - (0 if right else 2.6 * len(name))
        place = (start, 150 * (height - bottom) / (top - bottom))
        if any(abs(place[1] - y) < 6 and place[0] < x + 40 and x < place[0] + 40 for x, y in taken):
            continue
        taken.append(place)
        axes.annotate(
            name.replace("_", " "), (bias, height), xytext=(3 if right else -3, 2),
            textcoords="offset points", ha="left" if right else "right", fontsize=4.5, color=MUTED,
        )  # fmt: skip


def _rho(correlation: Estimate) -> str:
    return with_interval(correlation.value, correlation.low, correlation.high)


def _sentence(first: Trained, second: Trained, correlation: Estimate, corruptions: int) -> Claim:
    """Say whether the rank correlation has the sign that the paper's trade-off gives it."""
    upward = first.row.endswith("(-)")
    which = "more" if upward else "less"
    claim = f"the larger a corruption's log B_low, the {which} {first.called} gains on {second.called}"
    region = (0.0, inf) if upward else (-inf, 0.0)
    return trend(
        claim, [(correlation.low, correlation.high)], f"rank correlation {_rho(correlation)}", region=region,
        section="4.1, table 1", reported="a trade-off between corruptions of high and of low frequencies",
        n=corruptions,
    )  # fmt: skip
