"""Figure 8 of Karantzas et al.: single-image masks, and a linear classifier's responses to them, as points by UMAP."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import ESSENTIAL, called
from freqmaps.inference.verdicts import trend
from freqmaps.papers.k22._regimes import described
from freqmaps.papers.k22._single import (
    Evaluation,
    Keyed,
    by_images,
    evaluations,
    keyed,
    network_of,
    of_one,
    sample_rows,
    shortened,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.numbers import number
from freqmaps.publish.style import INK, MUTED, STYLE, new_figure, plain
from freqmaps.results.reader import Inputs

TITLE = "Single-image masks, and linear responses to them, in the plane"
CAPTION = (
    "Each point is the mask of one image (left) or the responses of a linear classifier of masks to it (right), in the "
    "plane by UMAP; colour and sign are the image's class. Responses are to masks that the classifier was not fitted "
    "to. Axes have no unit: only who lies beside whom means something. Purity: the share of a point's nearest "
    "neighbours of its class; silhouette: from −1 to 1, above 0 where points lie nearer to their own class than to the "
    "next."
)
KIND = "figure"
NEEDS = ("datasets", "evaluation", "training")
EVALUATIONS = ("embedding",)

_KIND = "embedding"
_HEADS = {"maps": "masks", "responses": "linear responses"}
#: Okabe and Ito's colours, dark ones first, each with two signs: sixteen classes can be told apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#1b1f24", "#9a8f00")
_SIGNS = ("o", "x")
_LEVEL = 0.05


def build(inputs: Inputs) -> Figure:
    """Draw two panels for each network whose masks were embedded.

    Parameters
    ----------
    inputs
        The study's results.
    """
    every = evaluations(inputs, _KIND)
    cases = [(e, images, rows) for e in every for images, rows in by_images(e.rows)]
    drawn = [(e, images, rows) for e, images, rows in cases if rows["n"].max() > 0]
    if not drawn:
        raise FreqmapsError(f"no masks were embedded: {cases[0][2]['reason'].iloc[0]}")
    with rc_context(STYLE):
        figure = new_figure(7.2, 3.0 * len(drawn) + 0.2)
        panels = figure.subplots(len(drawn), 2, squeeze=False)
        for row, (e, images, _) in zip(panels, drawn, strict=True):
            points = next(some for names, some in by_images(sample_rows(inputs, _KIND, e)) if names == images)
            _panels(list(row), points, _classes(inputs, e), network_of(e, every))
    notes = [described({e.names["training"]: e.regime for e, _, _ in drawn})]
    for e, images, rows in cases:
        of = "x" if images["images"] == ESSENTIAL else called(images)
        notes += _notes(f"{network_of(e, every)}, masks of {of}", rows)
    alt = f"Clouds of points in {len(drawn) * 2} panels, coloured by class; the notes give scores of how they cluster."
    return Figure(figure, notes, alt)


def _classes(inputs: Inputs, e: Evaluation) -> list[str]:
    data = inputs.dataset(e.names["dataset"], samples=[], variables=["label"])
    return [str(name) for name in data.attrs["classes"]]


def _panels(row: list[Axes], points: pd.DataFrame, classes: Sequence[str], label: str) -> None:
    for axes, (what, title) in zip(row, _HEADS.items(), strict=True):
        for place, name in enumerate(sorted(set(points["label"]))):
            mine = points[points["label"] == name]
            sign = _SIGNS[place // len(_COLOURS) % len(_SIGNS)]
            axes.scatter(
                mine[f"{what}_x"], mine[f"{what}_y"], s=9, marker=sign, color=_COLOURS[place % len(_COLOURS)],
                linewidths=0.8 if sign == "x" else 0, alpha=0.85, label=plain(shortened(classes[int(name)], 18)),
            )  # fmt: skip
        axes.set_title(f"{plain(label)}: {title}", color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
    row[1].legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=7, handletextpad=0.2, labelcolor=MUTED
    )


def _notes(start: str, rows: pd.DataFrame) -> list[str]:
    if not rows["n"].max() > 0:
        return [f"{start}: not embedded ({rows['reason'].iloc[0]})."]
    by = keyed(rows, "what", "space", "measure")
    left_out = int(rows["left_out"].iloc[0])
    notes = [
        f"{start}: {int(rows['n'].max())} masks"
        + (f", {left_out} left out, alone in their class." if left_out else ".")
    ]
    for what, title in _HEADS.items():
        chance = 100 * by[what, "rows", "purity"]["chance"]
        notes.append(
            f"{start}, {title}: {_scores(by, what, 'plane')} in the plane; before the embedding "
            f"{_scores(by, what, 'rows')}, chance {chance:.1f} %."
        )
    purity, silhouette = (by["responses", "plane", measure] for measure in ("purity", "silhouette"))
    told_apart = purity["p_value"] <= _LEVEL
    value = float(silhouette["value"]) if told_apart else nan
    sentence = trend(
        "the responses of a linear classifier to masks cluster by class", [(value, value)],
        of_one(f"silhouette {number(silhouette['value'])} in the plane, which is to be above 0; purity "
               f"{100 * purity['value']:.1f} % against {100 * purity['chance']:.1f} % by shuffled labels (p = "
               f"{purity['p_value']:.2g})"),
        region=(0, inf), section="3.2, figure 8", reported="clusters by class to the eye", n=int(rows["n"].max()),
        networks=1,
    )  # fmt: skip
    return [*notes, sentence.at(start)]


def _scores(by: Keyed, what: str, space: str) -> str:
    purity, silhouette = (float(by[what, space, m]["value"]) for m in ("purity", "silhouette"))
    return f"purity {100 * purity:.1f} %, silhouette {number(silhouette)}"
