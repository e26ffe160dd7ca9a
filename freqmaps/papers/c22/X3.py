"""What the other papers measure of a network, against the low-frequency bias of its Jacobians; in no paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from textwrap import fill

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from freqmaps.inference.rank_correlation import spearman
from freqmaps.papers.c22._across import QUANTITIES, Network, networks
from freqmaps.publish.api import Figure
from freqmaps.publish.nothing import NothingToShow
from freqmaps.publish.numbers import with_interval
from freqmaps.publish.style import BLUE, GREEN, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import Inputs

TITLE = "What the papers measure of a network, against the low-frequency bias of its Jacobians"
CAPTION = (
    "One point per network: what C22-X2 lists, by log B_low (natural logarithm) of the network's mean Jacobian, low "
    "frequencies right. Bars: 95 % intervals over images. ρ: Spearman's rank correlation over the networks, with its "
    "95 % bootstrap interval."
)
KIND = "figure"
NEEDS = ("evaluation", "training", "datasets")
USES = ("maps", "group_maps", "correlation")
BASES = ("fourier",)
METRICS = ("cosine", "idcor", "idcor_cleaned", "idcor_released")
EVALUATIONS = ("jacobian_spectra", "perturbation_spectra", "robustness", "corruptions", "low_pass")

_X = "log_low_bias"
_COLUMNS = 3
_COLOURS = (INK, BLUE, VERMILION, "#56B4E9", GREEN, "#CC79A7", "#E69F00", "#999999")
#: ASSUME: of fewer networks no rank correlation is told.
_ENOUGH = 5
_RISES, _FALLS, _OPEN = "rises", "falls", "cannot be told to rise or fall"


def build(inputs: Inputs) -> Figure:
    """Draw a panel for each quantity that at least two networks have.

    Parameters
    ----------
    inputs
        The study's results.

    Raises
    ------
    FreqmapsError
        No network's Jacobians were measured.
    NothingToShow
        No two networks have one of the other quantities.
    """
    every = networks(inputs)
    names = [name for name in QUANTITIES if name != _X and len(_having(every, name)) > 1]
    if not names:
        raise NothingToShow("no two networks have one of the quantities that their Jacobians are compared with")
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    colours = _colours(every)
    found: dict[str, list[str]] = {}
    notes = []
    with rc_context(STYLE):
        figure = new_figure(0.4 + 2.4 * columns, 0.6 + 1.9 * rows)
        panels = figure.subplots(rows, columns, squeeze=False)
        for axes in panels.flat[len(names) :]:
            axes.set_visible(False)
        for axes, name in zip(panels.flat, names, strict=False):
            verdict, sentence = _panel(axes, _having(every, name), name, colours)
            notes.append(sentence)
            found.setdefault(verdict, []).append(QUANTITIES[name].label)
        handles, texts = _legend(panels[0, 0], every, colours)
        figure.legend(handles, texts, loc="outside lower center", ncols=3, frameon=False, fontsize=7)
    alt = f"{len(names)} panels with a point per network: a quantity over log B_low of its Jacobians."
    return Figure(figure, notes, alt, finding=_finding(found))


def _finding(found: Mapping[str, Sequence[str]]) -> str:
    """Say in one sentence which quantities rise and which fall with log B_low, and of how many that cannot be told."""
    parts = [f"{verdict} {', '.join(found[verdict])}" for verdict in (_RISES, _FALLS) if verdict in found]
    total = sum(map(len, found.values()))
    unknown = total - sum(len(found.get(verdict, ())) for verdict in (_RISES, _FALLS))
    parts += [f"of {unknown} of {total} quantities it cannot be told"] if unknown else []
    return f"With log B_low of the Jacobians {'; '.join(parts)}."


def _having(every: Sequence[Network], name: str) -> list[Network]:
    return [network for network in every if not isnan(network.values[name].value)]


def _colours(every: Sequence[Network]) -> dict[str, str]:
    called = dict.fromkeys(network.called for network in every)
    return {text: _COLOURS[number % len(_COLOURS)] for number, text in enumerate(called)}


def _panel(axes: Axes, having: Sequence[Network], name: str, colours: dict[str, str]) -> tuple[str, str]:
    """Draw one quantity; return whether it rises or falls with log B_low, and what is said of it."""
    quantity = QUANTITIES[name]
    for network in having:
        own = network.values[name]
        bars = np.nan_to_num([[own.value - own.low], [own.high - own.value]])
        axes.errorbar(
            [network.values[_X].value], [quantity.scale * own.value], quantity.scale * np.maximum(bars, 0),
            color=colours[network.called], marker="o", markersize=3.5, elinewidth=0.8,
        )  # fmt: skip
    axes.set_title(fill(quantity.label, 32), color=INK, fontsize=7)
    axes.set_xlabel("log B_low of the mean Jacobian", color=MUTED)
    axes.margins(0.12)
    quiet(axes)
    correlation = spearman([n.values[_X].value for n in having], [n.values[name].value for n in having])
    start = f"{quantity.label[:1].upper()}{quantity.label[1:]}"
    if len(having) < _ENOUGH or isnan(correlation.low):
        return _OPEN, f"{start}: of {len(having)} networks no rank correlation with log B_low can be told."
    shown = with_interval(correlation.value, correlation.low, correlation.high)
    axes.text(0.02, 1.0, f"ρ = {shown}", transform=axes.transAxes, fontsize=6, color=MUTED, va="top")
    clear = _RISES if correlation.low > 0 else _FALLS if correlation.high < 0 else _OPEN
    sentence = f"{start} {clear} with log B_low over {len(having)} networks: rank correlation {shown}."
    return clear, sentence


def _legend(axes: Axes, every: Sequence[Network], colours: dict[str, str]) -> tuple[list[Artist], list[str]]:
    handles: list[Artist] = [axes.plot([], [], marker="o", linestyle="", color=c)[0] for c in colours.values()]
    return handles, [plain(text) for text in colours]
