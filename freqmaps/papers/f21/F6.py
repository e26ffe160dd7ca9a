"""Figure 6 of F21: accuracy through a low-pass filter by its cut-off, for attackers who do not and who do know it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.papers.f21._low_pass import (
    CLEAN,
    NO_FILTER,
    SHAPES,
    WORST,
    Filtered,
    attack_label,
    budget,
    cut,
    evaluations,
    label,
    nothing_cut,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.style import BLUE, GREEN, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import Inputs

TITLE = "Accuracy through a low-pass filter, by its cut-off"
CAPTION = (
    "Accuracy of networks that see images through a low-pass filter: frequencies outside of the square |ky|, |kx| ≤ "
    "cut-off (or of a disc) are set to 0. Without attack, and under attacks that were made against the same network "
    "without the filter, as in the paper. Not in the paper: under the strongest of several attacks on each image by "
    "an attacker who knows the filter. Right of the dots, without a filter. Bands and bars are Wilson's 95 % "
    "intervals."
)
KIND = "figure"
NEEDS = ("evaluation", "attacks", "training")
EVALUATIONS = ("low_pass",)

_COLOURS = (BLUE, GREEN, "#CC79A7", "#56B4E9", "#E69F00")
_COLUMNS = 3


def build(inputs: Inputs) -> Figure:
    """Draw a panel per network.

    Parameters
    ----------
    inputs
        The study's results.

    Raises
    ------
    FreqmapsError
        There is no evaluation ``low_pass``.
    """
    every = evaluations(inputs)
    columns = min(_COLUMNS, len(every))
    rows = -(-len(every) // columns)
    with rc_context(STYLE):
        figure = new_figure(0.8 + 2.7 * columns, 0.6 + 2.3 * rows)
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes, network in zip(panels.flat, every, strict=False):
            _panel(axes, inputs, network)
            axes.set_title(plain(label(every, network)))
        for axes in panels.flat[len(every) :]:
            axes.set_visible(False)
        for axes in panels[:, 0]:
            axes.set_ylabel("accuracy, %", color=MUTED)
        handles = [pair for axes in panels.flat for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
        shown = {text: handle for handle, text in reversed(handles)}
        texts = list(dict.fromkeys(text for _, text in handles))
        figure.legend([shown[t] for t in texts], texts, loc="outside lower center", ncols=1, frameon=False, fontsize=7)
    alt = "Curves of accuracy over the cut-off, one per attack, and a dashed one for an attacker who knows the filter."
    return Figure(figure, _notes(every), alt)


def _panel(axes: Axes, inputs: Inputs, network: Filtered) -> None:
    known = sorted(set(network.rows["cutoff"]) - {NO_FILTER}) or [0.0]
    # Where the points without a filter stand: right of the largest cut-off.
    edge = known[-1] + max(0.12 * (known[-1] - known[0]), 0.5)
    _curve(axes, network.curve(CLEAN), INK, "no attack", edge)
    for number, attack in enumerate(network.attacks):
        text = f"{plain(attack_label(inputs, network, attack))}, filter not known"
        _curve(axes, network.curve(attack), _COLOURS[number % len(_COLOURS)], text, edge)
    if len(network.curve(WORST, "aware")):
        text = f"strongest of several attacks ({budget(network.parameters)}), filter known"
        _joined(axes, network.curve(WORST, "aware"), VERMILION, text, edge, aside=0.02 * (edge - known[0]))
    ticks = known if len(known) <= 12 else [c for c in known if c % 4 == 0]
    axes.set_xticks([*ticks, edge], [*map(cut, ticks), "no filter"])
    axes.set_ylim(0, 103)
    axes.set_xlabel("cut-off, cycles per image", color=MUTED)
    quiet(axes)


def _curve(axes: Axes, rows: pd.DataFrame, colour: str, text: str, edge: float) -> None:
    """Draw a line with its band, and the value without a filter beside it."""
    through = rows[rows["cutoff"] != NO_FILTER]
    axes.plot(
        through["cutoff"], 100 * through["value"], color=colour, linewidth=1.2, label=text,
        marker="o", markersize=2.5 if len(through) < 20 else 0,
    )  # fmt: skip
    axes.fill_between(
        through["cutoff"], 100 * through["low"], 100 * through["high"], color=colour, alpha=0.18, linewidth=0
    )
    _points(axes, rows[rows["cutoff"] == NO_FILTER], colour, None, edge)


def _joined(axes: Axes, rows: pd.DataFrame, colour: str, text: str, edge: float, aside: float) -> None:
    """Draw a line through the cut-offs at which an attacker knows the filter, and all values with their bars."""
    through = rows[rows["cutoff"] != NO_FILTER]
    axes.plot(through["cutoff"] + aside, 100 * through["value"], color=colour, linewidth=1.2, linestyle="--")
    _points(axes, rows, colour, text, edge, aside)


def _points(axes: Axes, rows: pd.DataFrame, colour: str, text: str | None, edge: float, aside: float = 0.0) -> None:
    """Draw points with bars; without a filter at ``edge``. All of them ``aside`` of others at the same cut-offs."""
    places = rows["cutoff"].where(rows["cutoff"] != NO_FILTER, edge) + aside
    bars = 100 * np.stack([rows["value"] - rows["low"], rows["high"] - rows["value"]])
    axes.errorbar(
        places, 100 * rows["value"], np.maximum(bars, 0), color=colour, linestyle="", marker="s", markersize=2.8,
        elinewidth=0.9, capsize=1.5, label=text,
    )  # fmt: skip


def _notes(every: Sequence[Filtered]) -> list[str]:
    notes = []
    for network in every:
        start = f"{label(every, network)}: " if len(every) > 1 else ""
        clean, known = network.curve(CLEAN), network.curve(WORST, "aware")
        texts = [f"{int(clean['n'].iloc[0])} images, a {SHAPES[str(network.parameters['shape'])]}"]
        if len(known):
            texts.append(f"attacks that know the filter on the first {int(known['n'].iloc[0])}")
        notes.append(f"{start}{', '.join(texts)}.")
        notes += [start + sentence for sentence in nothing_cut(network)]
    return notes
