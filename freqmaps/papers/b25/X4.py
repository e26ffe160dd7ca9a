"""IdCor against the number of images: what it approaches, what it sees, and what decides its sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot, inf, log
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter, ScalarFormatter

from freqmaps.inference.estimates import Z95, Estimate
from freqmaps.inference.verdicts import Finding, finding
from freqmaps.papers.b25._readings import signed
from freqmaps.publish.api import Figure
from freqmaps.publish.published import published
from freqmaps.publish.style import BLUE, GREEN, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import Inputs

TITLE = "IdCor and its dimensions by the number of images (not in the paper)"
CAPTION = (
    "IdCor of essential and adversarial maps on disjoint parts of the images by their size, as made (solid) and with "
    "entries below the cut set to 0 (dashed). Left: pairs of one image, pairs of two images of a class, frequency zero "
    "alone, and all but it. Middle: pairs of one image, by the estimator of the dimension: from two neighbours "
    "(TwoNN, the paper's), and maximum likelihood from k. Right: the three dimensions by TwoNN. Bars: the standard "
    "deviation over parts; the largest size has one part. Dotted: the range of the paper's values."
)
KIND = "figure"
NEEDS = ("evaluation",)
EVALUATIONS = ("idcor_by_size",)
DATA = ("published.yaml",)

_ITEM = "B25-X4"
_PLACE = ("dataset", "model", "training", "seed", "evaluation", "attack", "against")
_READINGS = {"made": ("as made", "-"), "cleaned": ("cleaned", "--")}
#: What is compared, by pairs, use and entries, with its colour.
_CASES = {
    ("matched", "all", "all"): ("one image", BLUE),
    ("same_class", "all", "all"): ("two images of a class", VERMILION),
    ("matched", "all", "origin"): ("origin alone", MUTED),
    ("matched", "all", "no_origin"): ("without origin", GREEN),
}
_DIMENSIONS = {"id_x": ("essential", BLUE), "id_y": ("adversarial", VERMILION), "id_xy": ("both together", INK)}
_COLOURS = (BLUE, VERMILION, GREEN, INK)
Row = dict[str, Any]


def build(inputs: Inputs) -> Figure:
    """Draw a row of panels per evaluation and attack.

    Parameters
    ----------
    inputs
        The study's results.

    Raises
    ------
    FreqmapsError
        There is no evaluation ``idcor_by_size``.
    """
    rows = inputs.evaluations("idcor_by_size")
    cases = [(place, own) for place, own in rows.groupby(list(_PLACE), sort=False, dropna=False) if own["size"].max()]
    frames = [own for _, own in cases]
    varying = [k for k in _PLACE if rows[k].nunique() > 1]
    notes: list[str] = []
    found: list[str] = []
    with rc_context(STYLE):
        figure = new_figure(7.2, 0.5 + 2.3 * max(len(frames), 1))
        panels = figure.subplots(max(len(frames), 1), 3, squeeze=False)
        for (left, middle, right), own in zip(panels, frames, strict=False):
            place = ", ".join(str(own[k].iloc[0]) for k in varying)
            _by_case(left, own)
            _by_estimator(middle, own)
            _dimensions(right, own)
            left.set_title(plain(place or "what is compared"), color=INK)
            notes += [f"{place}: {said}" if place else said for said in _sentences(own)]
            found += [f"{place}: {text}" if place else text for text in _in_short(own)]
    if not frames:
        notes.append("No adversarial maps: there is nothing to compare.")
    notes.append(f"Published values: {published(_ITEM)['source']}.")
    sentence = f"{'; '.join(found)}." if found else "There are too few adversarial maps for an IdCor."
    return Figure(figure, notes, f"{len(frames)} rows of curves over the number of images.", finding=sentence)


def _curve(axes: Axes, rows: pd.DataFrame, column: str, colour: str, line: str, label: str | None) -> None:
    rows = rows.sort_values("size")
    bars = rows["sd"].fillna(0) if column == "value" else 0.0
    axes.errorbar(
        rows["size"], rows[column], yerr=bars, color=colour, linestyle=line, linewidth=1.1, marker="o", markersize=2.5,
        elinewidth=0.7, label=label,
    )  # fmt: skip


def _by_case(axes: Axes, own: pd.DataFrame) -> None:
    for (pairs, used, entries), (text, colour) in _CASES.items():
        for reading, (_, line) in _READINGS.items():
            rows = _of(own, pairs=pairs, used=used, entries=entries, reading=reading, estimator="twonn")
            _curve(axes, rows, "value", colour, line, text if reading == "made" else None)
    _frame(axes, "IdCor", _sizes(own))


def _by_estimator(axes: Axes, own: pd.DataFrame) -> None:
    for estimator, colour in zip(own["estimator"].unique(), _COLOURS, strict=False):
        for reading, (_, line) in _READINGS.items():
            rows = _matched(own, reading=reading, estimator=estimator)
            _curve(axes, rows, "value", colour, line, _called(estimator) if reading == "made" else None)
    axes.set_title("by estimator", color=INK)
    _frame(axes, "IdCor", _sizes(own))


def _dimensions(axes: Axes, own: pd.DataFrame) -> None:
    for column, (text, colour) in _DIMENSIONS.items():
        for reading, (_, line) in _READINGS.items():
            rows = _matched(own, reading=reading, estimator="twonn")
            _curve(axes, rows, column, colour, line, text if reading == "made" else None)
    axes.set_title("dimensions", color=INK)
    _frame(axes, "dimension", _sizes(own), published_range=False)


def _sizes(own: pd.DataFrame) -> list[int]:
    """Return the numbers of images of the pairs of all maps."""
    return [int(n) for n in _matched(own, reading="made", estimator="twonn")["size"]]


def _labelled(sizes: Sequence[int]) -> list[int]:
    """Return the sizes whose labels have room on a logarithmic axis: the largest, then each that is far from the next.

    >>> _labelled([200, 400, 800, 896])
    [200, 400, 896]
    """
    descending = sorted(sizes, reverse=True)
    room = 0.15 * log(descending[0] / descending[-1])
    shown: list[int] = []
    for size in descending:
        if not shown or log(shown[-1] / size) > room:
            shown.append(size)
    return shown[::-1]


def _frame(axes: Axes, label: str, sizes: Sequence[int], *, published_range: bool = True) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(FixedLocator(_labelled(sizes)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("images", color=MUTED)
    axes.set_ylabel(label, color=MUTED)
    if published_range:
        axes.axhline(0, color=MUTED, linewidth=0.6)
        for value in published(_ITEM)["idcor"]:
            axes.axhline(value, color=MUTED, linewidth=0.7, linestyle=":")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False, fontsize=5.5, labelcolor=MUTED)
    quiet(axes)


def _sentences(own: pd.DataFrame) -> Iterator[str]:
    """Yield what IdCor approaches, what it sees, and what decides its sign."""
    for reading, (text, _) in _READINGS.items():
        sizes = _matched(own, reading=reading, estimator="twonn").sort_values("size")
        rows = [{str(k): v for k, v in row.items()} for row in sizes.to_dict("records")]
        if rows and rows[-1]["n"]:
            yield _approach(text, rows)
            yield _sees(text, own, reading)
    yield from _sign(own)


def _approach(text: str, rows: Sequence[Row]) -> str:
    low, high = published(_ITEM)["idcor"]
    first, last = rows[0], rows[-1]
    spread = f" ± {first['sd']:.2f} over {first['parts']} parts" if first["sd"] == first["sd"] else ""
    distances = [max(low - row["value"], row["value"] - high, 0.0) for row in (first, last)]
    if len(rows) == 1:
        way = "one size only, which says nothing of the way it takes"
    elif distances[1] == 0:
        way = "which lies within the published values"
    else:
        nearer = "nearer to" if distances[1] < distances[0] else "farther from"
        way = f"{nearer} the published {low:g} to {high:g}, by {abs(distances[1] - distances[0]):.2f}"
    return (
        f"IdCor {text} is {signed(first['value'])}{spread} on {first['size']} images and {signed(last['value'])} (p "
        f"{last['p_value']:.2g}) on all {last['size']}: {way}."
    )


def _in_short(own: pd.DataFrame) -> Iterator[str]:
    """Yield for each reading IdCor on all images, and whether it sees the image beside its class."""
    for reading, (text, _) in _READINGS.items():
        rows = _matched(own, reading=reading, estimator="twonn").sort_values("size")
        if len(rows) and rows["n"].iloc[-1]:
            found = _beyond_class(own, reading)
            verdict = "cannot be told here" if found is None else found.verdict
            value, size = signed(float(rows["value"].iloc[-1])), int(rows["size"].iloc[-1])
            yield f"IdCor {text} is {value} on {size} images, and that it sees the image beside its class {verdict}"


@dataclass(frozen=True)
class _Beyond:
    """IdCor of maps of one image and of two images of a class, on parts of one size, and what the first is more."""

    one: float
    two: float
    gap: Estimate
    size: int

    @property
    def verdict(self) -> Finding:
        return finding([(self.gap.low, self.gap.high)], (0.0, inf))


def _beyond_class(own: pd.DataFrame, reading: str) -> _Beyond | None:
    """Compare pairs of one image with pairs of two images of its class over the same parts; None without three."""
    matched, other = (
        _of(own, pairs=pairs, used="all", entries="all", reading=reading, estimator="twonn").set_index("size")
        for pairs in ("matched", "same_class")
    )
    sizes = [n for n in matched.index if n in other.index and min(matched["parts"][n], other["parts"][n]) > 2]
    if not sizes:
        return None
    one, two = matched.loc[max(sizes)], other.loc[max(sizes)]
    gap = float(one["value"] - two["value"])
    half = Z95 * hypot(one["sd"] / one["parts"] ** 0.5, two["sd"] / two["parts"] ** 0.5)
    return _Beyond(float(one["value"]), float(two["value"]), Estimate(gap, gap - half, gap + half), int(max(sizes)))


def _sees(text: str, own: pd.DataFrame, reading: str) -> str:
    """Say whether pairs of one image have a larger IdCor than pairs of two images of its class."""
    found = _beyond_class(own, reading)
    if found is None:
        return f"What IdCor {text} sees beside the class cannot be told here: no size has three parts."
    gap = found.gap
    return (
        f"That IdCor {text} sees the image beside its class {found.verdict}: {signed(found.one)} for maps of one "
        f"image and {signed(found.two)} for those of two images of a class, a difference of {signed(gap.value)} "
        f"({signed(gap.low)} to {signed(gap.high)}), on parts of {found.size} images."
    )


def _sign(own: pd.DataFrame) -> Iterator[str]:
    """Name the choices of which one alone turns the sign of IdCor on all images."""
    whole = own[(own["size"] == own.groupby(["pairs", "used", "entries"])["size"].transform("max")) & (own["n"] > 0)]
    base = _matched(whole, reading="made", estimator="twonn")
    if base.empty:
        return
    value = float(base["value"].iloc[0])
    changed = {
        "cleaning": _matched(whole, reading="cleaned", estimator="twonn"),
        "leaving out the origin": _of(
            whole, pairs="matched", used="all", entries="no_origin", reading="made", estimator="twonn"
        ),
        "keeping only images whose prediction both maps keep": _of(
            whole, pairs="matched", used="kept", entries="all", reading="made", estimator="twonn"
        ),
    }
    for estimator in own["estimator"].unique():
        if estimator != "twonn":
            changed[f"estimating by {_called(estimator)}"] = _matched(whole, reading="made", estimator=estimator)
    told = {what: float(rows["value"].iloc[0]) for what, rows in changed.items() if len(rows)}
    turned = [f"{what} ({signed(v)})" for what, v in told.items() if np.sign(v) != np.sign(value)]
    kept = [f"{what} ({signed(v)})" for what, v in told.items() if np.sign(v) == np.sign(value)]
    ways = f"turned by {', '.join(turned)}" if turned else "turned by none of these choices"
    rest = f"; not by {', '.join(kept)}" if turned and kept else f": {', '.join(kept)}" if kept else ""
    yield f"The sign of IdCor as made on all images ({signed(value)}) is {ways}{rest}."


def _of(own: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    chosen = np.logical_and.reduce([own[key] == value for key, value in wanted.items()])
    return own[chosen]


def _matched(own: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    return _of(own, pairs="matched", used="all", entries="all", **wanted)


def _called(estimator: str) -> str:
    return "TwoNN" if estimator == "twonn" else f"maximum likelihood, k = {estimator.removeprefix('mle_')}"
