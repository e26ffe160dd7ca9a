"""Single-image maps (Karantzas et al., section 3.2) for the items: networks by regime, predictions, drawings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from freqmaps.core.images import ESSENTIAL, IMAGES, TRANSFERRED, images_of
from freqmaps.papers.k22._regimes import Regime, labels, regime
from freqmaps.publish.style import BLUE, INK, MUTED, SPECTRUM_COLOURS, VERMILION, picture, plain
from freqmaps.results.reader import Inputs, Result

PLACE = ("dataset", "model", "training", "seed")
Values = NDArray[Any]
Row = Mapping[str, Any]
Keyed = Mapping[tuple[str, ...], Row]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one network.

    Attributes
    ----------
    names
        Its ``dataset``, ``model``, ``training``, ``seed`` and ``evaluation``.
    parameters
        Of the evaluation: ``maps`` and ``images`` among them.
    regime, label
        How the network was trained, and what to call it: ``N``, ``A``, or with its name where that is ambiguous.
    rows
        The rows of its ``evaluation.csv``.
    """

    names: Mapping[str, str]
    parameters: Mapping[str, Any]
    regime: Regime
    label: str
    rows: pd.DataFrame

    @property
    def place(self) -> dict[str, str]:
        """The network's names."""
        return {key: self.names[key] for key in PLACE}


def evaluations(inputs: Inputs, kind: str) -> list[Evaluation]:
    """Return all evaluations of a kind, natural networks first, then in the paper's order.

    Raises
    ------
    FreqmapsError
        There is none.
    """
    frame = inputs.evaluations(kind)
    results = [r for r in inputs.select("evaluation") if (r.component("evaluation") or ("",))[0] == kind]
    regimes = {r.names["training"]: regime(inputs, r.names) for r in results}
    shown = labels(regimes)
    every = []
    for result in results:
        mine = (frame[list(result.names)] == pd.Series(dict(result.names))).all(axis=1)
        training = result.names["training"]
        _, parameters = result.component("evaluation") or ("", {})
        every.append(Evaluation(result.names, parameters, regimes[training], shown[training], frame[mine]))
    return sorted(every, key=lambda e: e.regime.rank)


def as_made(every: Sequence[Evaluation]) -> list[Evaluation]:
    """Return the evaluations whose maps are as they were made, not binary ones: those that figures show."""
    return [e for e in every if e.parameters.get("reading", "made") == "made"]


def sample_rows(inputs: Inputs, kind: str, evaluation: Evaluation) -> pd.DataFrame:
    """Return an evaluation's rows about single samples."""
    return Inputs(inputs.select("evaluation", **evaluation.names)).evaluations(kind, "samples.csv")


def by_images(rows: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Yield rows by the names (``images``, ``attack``, ``against``) of what their maps were made of, as they appear."""
    for names, some in rows.groupby(list(IMAGES), sort=False):
        yield dict(zip(IMAGES, map(str, names), strict=True)), some


def network_of(e: Evaluation, every: Sequence[Evaluation]) -> str:
    """Return what to call a network among others: its label, and the names that tell several of one label apart."""
    alike = [other.names for other in every if other.label == e.label]
    more = [key for key in ("dataset", "model", "seed") if len({names[key] for names in alike}) > 1]
    return ", ".join([e.label, *(f"{key} {e.names[key]}" for key in more)])


def of_one(evidence: str) -> str:
    """Return evidence from one network with words that say so: its interval says nothing of another training seed.

    >>> of_one("52.1 % (47.0 to 57.2)")
    '52.1 % (47.0 to 57.2); of this network alone'
    """
    return f"{evidence}; of this network alone"


def keyed(rows: pd.DataFrame, *columns: str) -> Keyed:
    """Return rows by what some columns say, which is different in each."""
    records: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
    return {tuple(str(row[column]) for column in columns): row for row in records}


def map_names(evaluation: Evaluation, attack: str, against: str) -> dict[str, str]:
    """Return the names of the maps that filter: of clean images, or of those attacked on this or another network."""
    kind = str(evaluation.parameters.get("images", ESSENTIAL))
    if kind == ESSENTIAL:
        return images_of(ESSENTIAL)
    return images_of(kind, attack, against if kind == TRANSFERRED else None)


def naming(rows: Sequence[Mapping[str, Any]], also: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """Return which names tell rows apart, and a note with those that all rows share."""
    keys = [*PLACE, *also]
    values = {key: list(dict.fromkeys(str(row[key]) for row in rows)) for key in keys}
    shared = [f"{key} {values[key][0]}" for key in keys if len(values[key]) == 1]
    return [k for k in keys if len(values[k]) > 1], [f"All rows: {', '.join(shared)}."] if shared else []


def maps_of(result: Result) -> str:
    """Return the kind of a result's maps: ``essential``, ``adversarial``, ``transferred``, …."""
    return result.names["images"]


def drawn(ids: Sequence[str], wanted: int, draw: int) -> list[str]:
    """Return some ids, drawn without replacement by a seed; all, in drawn order, if there are fewer.

    >>> drawn(["a", "b", "c"], 2, 0) == drawn(["a", "b", "c"], 3, 0)[:2]
    True
    """
    order = np.random.default_rng(draw).permutation(len(ids))
    return [ids[i] for i in order[:wanted]]


def stretched(image: Values) -> Values:
    """Return an image scaled to [0, 1] by its own smallest and largest value; a constant one is 0.5 all over."""
    low, high = float(image.min()), float(image.max())
    return np.full_like(image, 0.5, dtype=np.float64) if high - low < 1e-12 else (image - low) / (high - low)


def draw_map(axes: Axes, values: Values) -> None:
    """Draw a map (c, h, w), its mean over the channels, on the scale from 0 to 1."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.imshow(values.mean(axis=0), cmap=SPECTRUM_COLOURS, vmin=0, vmax=1)


def draw_image(axes: Axes, image: Values, *, filtered: bool = False) -> None:
    """Draw an image as it is, or a filtered one, which leaves [0, 1], stretched to its own range."""
    picture(axes, stretched(image) if filtered else image)


def under(axes: Axes, row: Row, classes: Sequence[str]) -> None:
    """Write a network's prediction below a picture: tick or cross, the class, its probability."""
    right = row["prediction"] == row["label"]
    name = plain(shortened(classes[int(row["prediction"])]))
    text = f"{'✓' if right else '✗'} {name} {row['probability']:.2f}"
    axes.set_xlabel(text, fontsize=6, color=BLUE if right else VERMILION, labelpad=1.5)


def head(axes: Axes, text: str) -> None:
    """Write a column's head."""
    axes.set_title(text, color=INK, fontsize=8, pad=4)


def side(axes: Axes, text: str, *, size: float = 7) -> None:
    """Write a row's name."""
    axes.set_ylabel(text, color=MUTED, fontsize=size, labelpad=2)


def shortened(name: str, length: int = 12) -> str:
    """Return a class's name as far as it fits.

    >>> shortened("English springer")
    'English spr…'
    """
    return name if len(name) <= length else name[: length - 1] + "…"
