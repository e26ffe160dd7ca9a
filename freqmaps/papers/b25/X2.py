"""Matched and mismatched pairs as a figure: each metric with its interval, and the matched cosine in parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.inference.decomposition import Decomposition
from freqmaps.papers.b25._controls import conclusions, finding
from freqmaps.papers.b25._readings import READINGS
from freqmaps.publish.api import Figure
from freqmaps.publish.nothing import NothingToShow
from freqmaps.publish.numbers import number
from freqmaps.publish.pairings import LABELS, ORDER, Row, cases, rows
from freqmaps.publish.parts import SUMMED, decomposition, in_percent
from freqmaps.publish.style import BLUE, GREEN, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.publish.tables import NAMES, NAN
from freqmaps.results.reader import Inputs

TITLE = "What the correlation of frequency maps is made of (not in the paper)"
CAPTION = (
    "Top: each metric on matched pairs (an image's essential and adversarial map) and on the controls, with its 95 % "
    "interval over images. The dashed line continues the matched value; a grey cross is what unrelated maps would have "
    "(for SVCCA the root mean square of their correlations, which is above the mean); open marks are networks of other "
    "training seeds. IdCor of maps as made, of cleaned ones and with the constant of the authors' code share an axis. "
    "Same class, other class: beside another image's map. Random bands: beside its own map, shuffled "
    "within rings of frequency. Other network, noise: two maps of one image without an attack. Bottom: the matched "
    "cosine in parts. Image, class and any two images add up to it; the spectrum overlaps with them; the network and "
    "the attack are what the cosine of two maps of one image loses to another network, and to the attack, against "
    "noise as large."
)
KIND = "figure"
NEEDS = ("correlation", "matrices")
METRICS = ("cosine", "svcca", "linear_cka", "distance_correlation", "idcor", "idcor_cleaned", "idcor_released")
PAIRINGS = ("matched", "same_class", "other_class", "random_bands", "other_network", "noise")
RANGES = {"seed": "[0, 1e18)"}

_LOOKS = {"matched": (BLUE, "o"), "other_network": (GREEN, "^"), "noise": (GREEN, "^")}
_CONTROL = (VERMILION, "s")
_PARTS = {
    "image": "the image",
    "class": "the class",
    "common": "any two images",
    "spectrum": "spectrum alone",
    "network": "the network",
    "attack": "the attack",
}


def build(
    inputs: Inputs,
    *,
    dataset: str | None = None,
    model: str | None = None,
    training: str | None = None,
    seed: int | None = None,
    maps: str | None = None,
    attack: str | None = None,
) -> Figure:
    """Draw the metrics by pairing, and the parts of the matched cosine.

    Parameters
    ----------
    inputs
        The study's results.
    dataset, model, training, seed, maps, attack
        The setting to show; None takes the one with most pairings, and of those the study's first.
    """
    wanted = {"dataset": dataset, "model": model, "training": training, "maps": maps, "attack": attack}
    wanted |= {"seed": None if seed is None else str(seed)}
    beside = cases(rows(inputs, METRICS, None))
    fitting = [c for c in beside.values() if all(v in (None, c["matched"][k]) for k, v in wanted.items())]
    if not fitting:
        raise NothingToShow("There are no matched pairs of this setting to compare with.")
    chosen = max(fitting, key=len)
    others = [c for c in beside.values() if c is not chosen and _differ_by_seed(c["matched"], chosen["matched"])]
    parts = decomposition(inputs, chosen)
    figure = _draw(chosen, others, parts, _chances(inputs, chosen))
    setting = ", ".join(f"{k} {chosen['matched'][k]}" for k in NAMES)
    notes = [f"Shown: {setting}.", *conclusions(chosen, parts, METRICS, LABELS)]
    if others:
        notes.append(f"Open marks: seed {', '.join(c['matched']['seed'] for c in others)}.")
    kinds = [kind.replace("_", " ") for kind in ORDER if kind in chosen]
    alt = f"Values of each metric for pairs {', '.join(kinds)}; below, shares of the cosine."
    return Figure(figure, notes, alt, finding=finding([(chosen["matched"]["attack"], parts)]))


def _differ_by_seed(row: Row, other: Row) -> bool:
    return all(row[key] == other[key] for key in NAMES if key != "seed")


def _chances(inputs: Inputs, chosen: Mapping[str, Row]) -> dict[tuple[str, str], float]:
    """Return the value that unrelated maps would have, by kind of pairing and metric, of metrics that tell it."""
    chances = {}
    for kind, row in chosen.items():
        names = {key: row[key] for key in (*NAMES, "pairing")}
        for record in Inputs(inputs.select("correlation", **names)).correlations().to_dict("records"):
            chance = json.loads(record.get("extra") or "{}").get("chance")
            if chance is not None and record["metric"] == row.get(f"{record['kind']}_metric"):
                chances[kind, str(record["kind"])] = float(chance)
    return chances


def _draw(
    chosen: Mapping[str, Row],
    others: Sequence[Mapping[str, Row]],
    parts: Decomposition | None,
    chances: Mapping[tuple[str, str], float],
) -> Any:
    kinds = [kind for kind in ORDER if kind in chosen]
    # A metric that no control has shows nothing, unless there is no other.
    counts = {m: sum(isfinite(_number(row, m)) for row in chosen.values()) for m in METRICS}
    metrics = [m for m in METRICS if counts[m] >= min(2, max(counts.values()))]
    lines = [some for some in ([m for m in metrics if (m in READINGS) == r] for r in (False, True)) if some]
    with rc_context(STYLE):
        top = (0.55 + 0.2 * len(kinds)) * len(lines)
        below = 0.5 + 0.23 * len(parts.parts) if parts else 0
        figure = new_figure(7.0, top + below)
        grid = figure.add_gridspec(2 if parts else 1, 1, height_ratios=[top, below] if parts else None)
        panels = grid[0].subgridspec(len(lines), 1)
        for line, some in enumerate(lines):
            columns = panels[line].subgridspec(1, len(some))
            first: Axes | None = None
            for number, metric in enumerate(some):
                # Readings of IdCor are of one kind, so that they can be compared along the axis.
                axes = figure.add_subplot(columns[number], sharey=first, sharex=first if metric in READINGS else None)
                first = first or axes
                _metric(axes, metric, kinds, chosen, others, chances)
        if parts:
            _parts(figure.add_subplot(grid[1]), parts)
    return figure


def _metric(
    axes: Axes,
    metric: str,
    kinds: Sequence[str],
    chosen: Mapping[str, Row],
    others: Sequence[Mapping[str, Row]],
    chances: Mapping[tuple[str, str], float],
) -> None:
    axes.axvline(_number(chosen["matched"], metric), color=BLUE, linewidth=0.7, linestyle="--", alpha=0.7)
    for height, kind in enumerate(kinds):
        colour, mark = _LOOKS.get(kind, _CONTROL)
        chance = chances.get((kind, metric), NAN)
        axes.plot(chance, height, "x", color=MUTED, markersize=3.5, markeredgewidth=0.8)
        for other in others:
            there = _number(other.get(kind, {}), metric)
            axes.plot(there, height + 0.28, mark, color=colour, markersize=3, fillstyle="none", markeredgewidth=0.6)
        low, high = (_number(chosen[kind], metric, end) for end in ("low", "high"))
        axes.hlines(height, low, high, color=colour, linewidth=1.3)
        axes.plot(_number(chosen[kind], metric), height, mark, color=colour, markersize=4.5)
    axes.set_title(LABELS[metric], color=INK)
    axes.set_ylim(len(kinds) - 0.5, -0.6)
    axes.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
    first = axes.get_subplotspec().is_first_col()  # type: ignore[union-attr]
    quiet(axes)
    axes.tick_params(axis="y", left=first, labelleft=first)


def _parts(axes: Axes, decomposed: Decomposition) -> None:
    names = [name for name in _PARTS if name in decomposed.parts]
    percent = all(decomposed.parts[name].share.value == decomposed.parts[name].share.value for name in names)
    for height, name in enumerate(names):
        part = decomposed.parts[name]
        estimate = part.share if percent else part.value
        value, low, high = ((100 if percent else 1) * v for v in (estimate.value, estimate.low, estimate.high))
        colour = BLUE if name in SUMMED else VERMILION if name == "spectrum" else GREEN
        axes.barh(height, value, height=0.55, color=colour, alpha=0.35, linewidth=0)
        axes.hlines(height, low, high, color=colour, linewidth=1.6)
        axes.plot(value, height, "|", color=INK, markersize=7)
        bounds = f"{number(value, '.3f')} [{number(low, '.3f')}, {number(high, '.3f')}]"
        label = in_percent(part.share) if percent else bounds
        axes.annotate(
            label, (max(high, 0), height), (5, 0), textcoords="offset points", va="center", fontsize=6.5, color=INK
        )
    axes.axvline(0, color=INK, linewidth=0.7)
    axes.set_yticks(range(len(names)), [_PARTS[name] for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.18)
    unit = "% of the matched cosine" if percent else "cosine"
    axes.set_xlabel(plain(f"{unit} ({decomposed.whole.value:.3f}, {decomposed.n} images)"), color=MUTED)
    quiet(axes)


def _number(row: Row, metric: str, field: str = "value") -> float:
    """Return a number of a row; NaN, which is drawn as nothing, where there is none."""
    value = row.get(f"{metric}_{field}")
    return NAN if value is None else float(value)
