"""Figure 6 of Karantzas et al.: an image and its attacked twin through the mask of the image and its complement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import ESSENTIAL
from freqmaps.papers.k22._regimes import described
from freqmaps.papers.k22._single import (
    Evaluation,
    Keyed,
    as_made,
    draw_image,
    draw_map,
    evaluations,
    head,
    keyed,
    map_names,
    sample_rows,
    side,
    under,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.examples import first_per_class
from freqmaps.publish.style import MUTED, STYLE, frequency_axes, new_figure, plain
from freqmaps.results.reader import Inputs
from freqmaps.spectra.masks import complement_mask
from freqmaps.spectra.transforms import filter_image
from freqmaps.stores.selection import to_unit

TITLE = "An image, attacked, and what its mask keeps and removes"
CAPTION = (
    "(A) an image x, (B) the same attacked, x_A, (C) the mask of a network for x, or for x_A where the row says so, "
    "(D) x and (E) x_A filtered by it, (F) its complement, 1 where it is below 1e-8, (G) x filtered by that. Below a "
    "picture: the network's prediction and its probability; below a mask: its mean. The attack was made against the "
    "natural network (N) and is shown to the adversarially trained one (A) too. Filtered images are stretched to their "
    "own range."
)
KIND = "figure"
NEEDS = ("datasets", "attacks", "maps", "evaluation", "training")
EVALUATIONS = ("filtered_accuracy",)
MAPS_OF = ("essential", "transferred")
BASES = ("fourier", "fourier_normalised")
RANGES = {"images": "[1, 100)"}

_KIND = "filtered_accuracy"
_HEADS = ("(A) $x$", "(B) $x_A$", "(C) $M$", "(D) $M(x)$", "(E) $M(x_A)$", "(F) $M^c$", "(G) $M^c(x)$")
_KEYS = ("sample", "data", "filter")


def build(inputs: Inputs, *, images: int = 2) -> Figure:
    """Draw a row of seven pictures for each image and each network's masks.

    Parameters
    ----------
    inputs
        The study's results.
    images
        Number of images at most.
    """
    rows = _rows(inputs)
    ids, labels = _choose(rows, images)
    pictures = [_Pictures.read(inputs, row, ids) for row in rows]
    classes = [str(c) for c in inputs.dataset(rows[0].evaluation.names["dataset"], samples=ids).attrs["classes"]]
    count = len(ids) * len(rows)
    with rc_context(STYLE):
        figure = new_figure(7.2, 1.12 * count + 0.3)
        panels = figure.subplots(count, len(_HEADS), squeeze=False)
        for axes, title in zip(panels[0], _HEADS, strict=True):
            head(axes, title)
        for number, sample in enumerate(ids):
            for row, read in zip(rows, pictures, strict=True):
                place = number * len(rows) + rows.index(row)
                _draw(list(panels[place]), row, read, number, sample, classes)
                side(panels[place, 0], f"{plain(row.evaluation.label)}, {row.mask}")
    names = ", ".join(classes[label] for label in labels)
    alt = f"{count} rows of seven pictures: images of {names}, attacked, masks, and the images through them."
    return Figure(figure, _notes(rows), alt)


@dataclass(frozen=True)
class _Row:
    """The masks of one network, of one kind, under one attack, and the network's predictions."""

    evaluation: Evaluation
    attack: str
    against: str
    predictions: Keyed  # by sample, data and filter

    @property
    def maps(self) -> dict[str, str]:
        return map_names(self.evaluation, self.attack, self.against)

    @property
    def mask(self) -> str:
        return "mask of $x$" if self.maps["images"] == ESSENTIAL else "mask of $x_A$"


def _rows(inputs: Inputs) -> list[_Row]:
    """Return the first network's masks, then those of others of its kind that were shown the same attacked images."""
    rows: list[_Row] = []
    for e in as_made(evaluations(inputs, _KIND)):
        if not e.rows["n"].any():  # the attack succeeded on no image that its network has right
            continue
        records = sample_rows(inputs, _KIND, e)
        for place, part in records.groupby(["attack", "against"], sort=False):
            rows.append(_Row(e, str(place[0]), str(place[1]), keyed(part, *_KEYS)))
    if not rows:
        raise FreqmapsError("no network has an image with a mask on which the attack succeeded; attack more images")
    first = rows[0]
    alike = [
        row
        for row in rows
        if (row.attack, row.against) == (first.attack, first.against)
        and all(row.evaluation.names[k] == first.evaluation.names[k] for k in ("dataset", "model", "seed"))
    ]
    # Masks of x before masks of x_A.
    return sorted(alike, key=lambda row: (row.evaluation.regime.rank, row.maps["images"] != ESSENTIAL))


def _choose(rows: list[_Row], images: int) -> tuple[list[str], list[int]]:
    common = set.intersection(*({sample for sample, *_ in row.predictions} for row in rows))
    table = {sample: int(row["label"]) for (sample, *_), row in rows[0].predictions.items() if sample in common}
    if not table:
        raise FreqmapsError("no image has masks of all networks that K22-F6 shows; attack or map more images")
    ids = list(table)
    chosen = [ids[i] for i in first_per_class(np.array(list(table.values())), images)]
    return chosen, [table[sample] for sample in chosen]


@dataclass(frozen=True)
class _Pictures:
    """Images, attacked images and masks (n, c, h, w) of the samples shown."""

    images: NDArray[np.float32]
    attacked: NDArray[np.float32]
    masks: NDArray[np.float32]

    @staticmethod
    def read(inputs: Inputs, row: _Row, ids: Sequence[str]) -> _Pictures:
        place = row.evaluation.place
        clean = inputs.dataset(place["dataset"], samples=ids, variables=["image"])
        attack = inputs.adversarial(
            **{**place, "training": row.against}, attack=row.attack, samples=ids, variables=["adversarial"]
        )
        setting = str(row.evaluation.parameters["maps"])
        maps = inputs.maps(**place, maps=setting, **row.maps, samples=ids, variables=["map"], basis=None)
        return _Pictures(to_unit(clean["image"].values), attack["adversarial"].values, maps["map"].values)


def _draw(panels: list[Axes], row: _Row, read: _Pictures, number: int, sample: str, classes: Sequence[str]) -> None:
    image, attacked, mask = read.images[number], read.attacked[number], read.masks[number]
    complement = complement_mask(mask)
    shown: tuple[tuple[NDArray[Any], str, str], ...] = (
        (image, "x", "none"), (attacked, "x_A", "none"), (mask, "", ""), (filter_image(image, mask), "x", "map"),
        (filter_image(attacked, mask), "x_A", "map"), (complement, "", ""),
        (filter_image(image, complement), "x", "complement"),
    )  # fmt: skip
    for axes, (values, data, name) in zip(panels, shown, strict=True):
        if name:
            draw_image(axes, values, filtered=name != "none")
            under(axes, row.predictions[sample, data, name], classes)
        else:
            draw_map(axes, values)
            frequency_axes(axes, *values.shape[-2:], label=False)
            axes.tick_params(labelsize=5, pad=1, length=1.5)
            axes.set_xlabel(f"mean {values.mean():.2f}", fontsize=6, color=MUTED, labelpad=1.5)


def _notes(rows: list[_Row]) -> list[str]:
    first = rows[0].evaluation
    setting = ", ".join(f"{key} {first.names[key]}" for key in ("dataset", "model", "seed"))
    regimes = {row.evaluation.names["training"]: row.evaluation.regime for row in rows}
    return [
        f"Shown: {setting}, attack {rows[0].attack} against {rows[0].against}, maps {first.parameters['maps']}.",
        described(regimes),
        "Images: the first of each class, in label order, that have all the masks shown.",
        "Masks and complements lie over signed frequencies, in cycles per image: kx to the right, ky downwards.",
    ]
