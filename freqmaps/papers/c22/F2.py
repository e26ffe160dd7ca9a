"""Figure 2 of C22: one training step of JaFR drawn from a real batch, from image to B_low by row and column."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.papers.c22._drawing import draw_quadrants, scale, signed_picture
from freqmaps.papers.c22._networks import cases, label
from freqmaps.publish.api import Figure
from freqmaps.publish.nothing import NothingToShow
from freqmaps.publish.numbers import number
from freqmaps.publish.style import BLUE, INK, MUTED, STYLE, VERMILION, new_figure, picture, plain, quiet
from freqmaps.results.reader import Inputs
from freqmaps.spectra.low_bias import exponents, log_low_bias, log_products, low_quadrant

TITLE = "How JaFR measures the low-frequency bias of a batch"
CAPTION = (
    "From left to right: an image x; its Jacobian J, the gradient of the cross-entropy in its pixels; |F J| averaged "
    "over channels; M, the mean of |F J| over the batch, logarithms relative to the largest, frequency rising from 0 "
    "in the upper left corner. Below and beside M: the logarithm of the product along each column and each row, with "
    "exponents falling from 1 at the lowest to −1 at the highest frequency. B_low is the sum of all these products."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("jacobian_spectra",)
RANGES = {"example": "[0, 10000)"}


def build(inputs: Inputs, *, training: str | None = None, example: int = 0) -> Figure:
    """Draw the images that an evaluation has kept as one batch.

    Parameters
    ----------
    inputs
        The study's results.
    training
        Whose network; None: the first with JaFR, else the first.
    example
        Which of the kept images is shown, from 0.

    Raises
    ------
    NothingToShow
        No evaluation of such a network has kept as many images.
    """
    every = [c for c in cases(inputs) if c.arrays.sizes.get("example", 0) > example]
    every = [c for c in every if training in (None, c.names["training"])]
    if not every:
        raise NothingToShow(f"no evaluation of Jacobians has kept {example + 1} images; raise its 'examples'")
    case = next((c for c in every if any(kind == "jafr" for kind, _ in c.regularisers)), every[0])
    jacobians = case.arrays["example_gradient"].values
    parameters = case.parameters
    each = low_quadrant(jacobians, parameters["quadrant"]).mean(axis=1)
    mean = each.mean(axis=0)
    epsilons = {key: parameters[key] for key in ("magnitude_epsilon", "exponent_epsilon")}
    columns, rows = log_products(mean, **epsilons)
    bias = float(log_low_bias(mean, **epsilons))
    with rc_context(STYLE):
        figure = new_figure(7.2, 2.6)
        grid = figure.add_gridspec(2, 5, width_ratios=(1, 1, 1, 1, 0.6), height_ratios=(1, 0.55))
        axes = [figure.add_subplot(grid[0, i]) for i in range(4)]
        picture(axes[0], case.arrays["example_image"].values[example])
        picture(axes[1], signed_picture(jacobians[example]))
        axes[0].set_title("image x", color=INK)
        axes[1].set_title("Jacobian J", color=INK)
        drawn = draw_quadrants(axes[2:], [each[example], mean], ["|F J|", f"M, mean of {len(each)}"])
        _bars(figure.add_subplot(grid[1, 3]), columns, "columns", upright=True)
        _bars(figure.add_subplot(grid[0, 4]), rows, "rows", upright=False)
        _exponents(figure.add_subplot(grid[1, 0]), mean.shape[1], parameters["exponent_epsilon"])
        text = figure.add_subplot(grid[1, 1:3])
        text.axis("off")
        signed = number(bias)
        scale(figure, drawn, text, upright=False)
        text.text(0.5, 0.65, f"log B_low = {signed}", ha="center", va="center", color=INK, fontsize=9)
    notes = [
        f"The batch: {len(each)} test images, the first shown is '{case.arrays['example'].values[example]}', of the "
        f"network {label([case], case)} ('{case.names['training']}', seed {case.names['seed']}). In training a batch "
        "is one of training images.",
        f"JaFR adds λ · ({number(-bias)}) to the loss of such a batch.",
    ]
    return Figure(
        figure, notes, "An image, its Jacobian, its spectrum, the batch's mean spectrum, sums along its axes."
    )


def _bars(axes: Axes, values: Any, text: str, *, upright: bool) -> None:
    """Draw log products: of columns as bars that stand below M, of rows as bars that lie beside it."""
    places = np.arange(len(values))
    colours = [BLUE if value >= 0 else VERMILION for value in values]
    if upright:
        axes.bar(places, values, color=colours, width=0.8)
        axes.set_xlim(-0.5, len(values) - 0.5)
        axes.set_xlabel("kx", color=MUTED)
        axes.axhline(0, color=MUTED, linewidth=0.6)
    else:
        axes.barh(places, values, color=colours, height=0.8)
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_ylabel("ky", color=MUTED)
        axes.axvline(0, color=MUTED, linewidth=0.6)
    axes.set_title(f"log product, {plain(text)}", color=INK)
    quiet(axes)


def _exponents(axes: Axes, n: int, epsilon: float) -> None:
    axes.plot(np.arange(n), exponents(n, epsilon), color=BLUE, marker="o", markersize=2, linewidth=1)
    axes.axhline(0, color=MUTED, linewidth=0.6)
    axes.set_xlabel("frequency, cycles per image", color=MUTED)
    axes.set_title("exponents α", color=INK)
    quiet(axes)
