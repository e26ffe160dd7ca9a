"""Figure 5 of Karantzas et al.: masks of classes and of single images, and images through mask and complement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import ESSENTIAL
from freqmaps.papers.k22._regimes import TRAINED
from freqmaps.papers.k22._single import (
    Evaluation,
    Keyed,
    as_made,
    draw_image,
    draw_map,
    drawn,
    evaluations,
    head,
    keyed,
    sample_rows,
    shortened,
    side,
    under,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.style import MUTED, STYLE, frequency_axes, new_figure, plain
from freqmaps.results.reader import Inputs
from freqmaps.spectra.masks import complement_mask
from freqmaps.spectra.transforms import filter_image
from freqmaps.stores.selection import to_unit

TITLE = "Masks of classes and of single images"
CAPTION = (
    "Top: in the first column the mask learned for all images of a class, then masks of single images of that class, "
    "drawn at random; from 0 (frequency removed, dark) to 1 (kept), zero frequency in the middle. Bottom: one image of "
    "each class (A), filtered by the complement of its mask, 1 where that is below 1e-8 (B), and by its mask (C), with "
    "the network's prediction and its probability. Filtered images are stretched to their own range."
)
KIND = "figure"
NEEDS = ("datasets", "maps", "group_maps", "evaluation", "training")
EVALUATIONS = ("filtered_accuracy",)
MAPS_OF = ("essential",)
BASES = ("fourier", "fourier_normalised")
RANGES = {"masks": "[1, 100)", "classes": "[1, 100)", "draw": "[0, 2147483648)"}

_KIND = "filtered_accuracy"
#: Inches of a panel and its gap, and above the first.
_CELL, _TOP = 0.8, 0.25
_ROWS = (("(A) image", "none"), ("(B) complement", "complement"), ("(C) mask", "map"))


def build(inputs: Inputs, *, masks: int = 8, classes: int = 10, draw: int = 0) -> Figure:
    """Draw masks and filtered images of the naturally trained network; of another if there is none.

    Parameters
    ----------
    inputs
        The study's results.
    masks
        Masks of single images per class, at most.
    classes
        Classes shown, the first in label order.
    draw
        Seed of the choice of images.
    """
    shown = _read(inputs, masks, classes, draw)
    with rc_context(STYLE):
        # Placed by hand: of so many panels a solver of layouts takes seconds, and not the same bytes twice.
        rows, columns = len(shown.labels), max(masks + 1, len(shown.labels))
        figure = new_figure(_CELL * columns + 1.0, _CELL * rows + 3.55, layout=None)
        _masks(figure, shown, masks)
        _images(figure, shown)
    names = ", ".join(shown.classes[c] for c in shown.labels)
    alt = f"Masks of the classes {names} and of their images; below, what an image's mask removes and keeps."
    return Figure(figure, _notes(shown, draw), alt)


@dataclass(frozen=True)
class _Shown:
    evaluation: Evaluation
    classes: Sequence[str]
    labels: list[int]
    ids: dict[int, list[str]]  # by class
    masks: dict[str, NDArray[np.float32]]  # by sample
    images: dict[str, NDArray[np.float32]]  # by sample, one per class
    predictions: Keyed  # by sample and filter
    attack: str
    of_class: dict[int, NDArray[np.float32]]


def _read(inputs: Inputs, masks: int, classes: int, draw: int) -> _Shown:
    essential = [e for e in as_made(evaluations(inputs, _KIND)) if e.parameters.get("images", ESSENTIAL) == ESSENTIAL]
    essential = [e for e in essential if e.rows["n"].any()]
    if not essential:
        raise FreqmapsError(
            f"no evaluation '{_KIND}' of essential maps has an image; add one to a run whose attack succeeds"
        )
    e = essential[0]
    rows = sample_rows(inputs, _KIND, e)
    rows = rows[(rows["attack"] == rows["attack"].iloc[0]) & (rows["data"] == "x")]
    labels = sorted({int(c) for c in rows["label"]})[:classes]
    ids = {c: drawn(sorted(set(rows.loc[rows["label"] == c, "sample"])), masks, draw) for c in labels}
    wanted = [s for c in labels for s in ids[c]]
    store = inputs.maps(
        **e.place, maps=str(e.parameters["maps"]), images=ESSENTIAL, samples=wanted, variables=["map"], basis=None
    )
    first = [ids[c][0] for c in labels]
    data = inputs.dataset(e.names["dataset"], samples=first)
    return _Shown(
        evaluation=e,
        classes=[str(name) for name in data.attrs["classes"]],
        labels=labels,
        ids=ids,
        masks=dict(zip(wanted, store["map"].values, strict=True)),
        images=dict(zip(first, to_unit(data["image"].values), strict=True)),
        predictions=keyed(rows, "sample", "filter"),
        attack=str(rows["attack"].iloc[0]),
        of_class=_class_masks(inputs, e),
    )


def _class_masks(inputs: Inputs, e: Evaluation) -> dict[int, NDArray[np.float32]]:
    """Return the masks of classes of the same network, each class's first; none if it has none."""
    for result in inputs.select("group_maps", **e.place, images=ESSENTIAL):
        store = inputs.group_maps(**result.names, basis=None)
        masks: dict[int, NDArray[np.float32]] = {}
        for label, values in zip(store["label"].values.tolist(), store["map"].values, strict=True):
            if label >= 0:
                masks.setdefault(label, values)
        if masks:
            return masks
    return {}


def _panels(figure: Canvas, rows: int, columns: int, top: float, height: float, gap: float) -> NDArray[np.object_]:
    """Return panels that begin ``top`` inches below the upper edge and take ``height`` inches."""
    width, whole = figure.get_size_inches()
    place = {
        "left": 0.4 / width,
        "right": 1 - 0.6 / width,
        "top": 1 - top / whole,
        "bottom": 1 - (top + height) / whole,
    }
    return figure.subplots(rows, columns, squeeze=False, gridspec_kw=place | {"wspace": 0.1, "hspace": gap})


def _masks(figure: Canvas, shown: _Shown, masks: int) -> None:
    height = _CELL * len(shown.labels)
    panels = _panels(figure, len(shown.labels), masks + 1, _TOP, height, 0.1)
    for row, label in zip(panels, shown.labels, strict=True):
        values = [shown.of_class.get(label), *(shown.masks[s] for s in shown.ids[label])]
        for axes, mask in zip(row, values + [None] * (masks + 1 - len(values)), strict=True):
            if mask is None:
                axes.set_frame_on(False)
                axes.set_xticks([])
                axes.set_yticks([])
            else:
                draw_map(axes, mask)
        side(row[0], plain(shortened(shown.classes[label])))
    head(panels[0, 0], "class mask")
    head(panels[0, 1], "masks of single images")
    panels[0, 1].title.set_horizontalalignment("left")
    panels[0, 1].title.set_x(0.0)
    _scale(panels)
    _bar(figure, panels[0, 1].images[0], height)


def _scale(panels: NDArray[np.object_]) -> None:
    """Tick one mask with its frequencies: the last one of the last row, which has room on two sides."""
    last = [axes for axes in panels[-1] if axes.images][-1]
    frequency_axes(last, *last.images[0].get_array().shape, label=False)
    last.yaxis.tick_right()
    last.yaxis.set_label_position("right")
    last.tick_params(labelsize=5, pad=1)
    last.set_xlabel("$k_x$, cycles/image", color=MUTED, fontsize=6, labelpad=1)
    last.set_ylabel("$k_y$", color=MUTED, fontsize=6, labelpad=1)


def _bar(figure: Canvas, image: AxesImage, height: float) -> None:
    width, whole = figure.get_size_inches()
    tall = min(height, 2.0)
    place = (1 - 0.5 / width, 1 - (_TOP + tall) / whole, 0.1 / width, tall / whole)
    bar = figure.colorbar(image, cax=figure.add_axes(place))
    bar.set_label("mask", color=MUTED)
    bar.ax.tick_params(colors=MUTED, pad=1.5)


def _images(figure: Canvas, shown: _Shown) -> None:
    top = _TOP + _CELL * len(shown.labels) + 0.45
    panels = _panels(figure, len(_ROWS), len(shown.labels), top, 2.75, 0.3)
    for column, label in enumerate(shown.labels):
        sample = shown.ids[label][0]
        image, mask = shown.images[sample], shown.masks[sample]
        pictures: tuple[NDArray[Any], ...] = (
            image, filter_image(image, complement_mask(mask)), filter_image(image, mask),
        )  # fmt: skip
        for axes, (_, name), picture in zip(panels[:, column], _ROWS, pictures, strict=True):
            draw_image(axes, picture, filtered=name != "none")
            under(axes, shown.predictions[sample, name], shown.classes)
    for axes, (title, _) in zip(panels[:, 0], _ROWS, strict=True):
        side(axes, title)


def _notes(shown: _Shown, draw: int) -> list[str]:
    e = shown.evaluation
    trained = f"{e.label}" + (f", {TRAINED[e.regime.letter]}" if e.regime.letter else "")
    names = ", ".join(f"{key} {name}" for key, name in e.place.items())
    notes = [
        f"Shown: {names} ({trained}), maps {e.parameters['maps']}.",
        f"Images: drawn with seed {draw} from those that the network has right and on which {shown.attack} "
        "succeeded; the images below are the first drawn of each class.",
    ]
    if not shown.of_class:
        notes.append("This network has no masks of classes; add a group map with 'groups: class' to its run.")
    kept = np.array([float((m >= 1e-8).mean()) for m in shown.masks.values()])
    notes.append(
        f"Of the {len(kept)} masks of single images shown the median one has entries of 1e-8 or more at "
        f"{100 * np.median(kept):.0f} % of the frequencies."
    )
    some = next(iter(shown.masks.values()))
    notes.append("Masks lie over signed frequencies, in cycles per image, 0 in the middle, as the ticks of one say.")
    return [*notes, "Masks are shown as means over the channels."] if len(some) > 1 else notes
