"""Table 2 of C22 as pictures: the mean spectrum of the Jacobians and a Jacobian, by how the network was trained."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import rc_context

from freqmaps.papers.c22._drawing import draw_quadrants, scale, signed_picture
from freqmaps.papers.c22._networks import Case, cases, grouped, label
from freqmaps.publish.api import Figure
from freqmaps.publish.nothing import NothingToShow
from freqmaps.publish.numbers import number
from freqmaps.publish.style import INK, MUTED, STYLE, new_figure, picture, plain
from freqmaps.results.reader import Inputs
from freqmaps.spectra.low_bias import first_quadrant

TITLE = "Spectra of Jacobians, and a Jacobian, by training"
CAPTION = (
    "Upper row: mean magnitude of the Jacobians' spectra over test images and channels, logarithm relative to the "
    "largest, frequency rising from 0 in the upper left corner, with log B_low of the mean gradient. Lower row: the "
    "Jacobian of one test image, gray where it is 0, each scaled by its largest entry; last, the image."
)
KIND = "figure"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("jacobian_spectra",)
RANGES = {"example": "[0, 10000)"}

#: Networks in one row.
_MOST = 8


def build(inputs: Inputs, *, example: int = 0) -> Figure:
    """Draw a column per training, of the first seed; the study's first dataset and model.

    Parameters
    ----------
    inputs
        The study's results.
    example
        Which of the kept images is shown, from 0.

    Raises
    ------
    NothingToShow
        No evaluation has kept as many images.
    """
    first = [group[0] for group in grouped(cases(inputs))]
    every = [case for case in first if case.group[:2] == first[0].group[:2]][:_MOST]
    if any(case.arrays.sizes.get("example", 0) <= example for case in every):
        raise NothingToShow(f"the evaluations have not kept {example + 1} images; raise their 'examples'")
    with rc_context(STYLE):
        figure = new_figure(0.4 + 1.15 * (len(every) + 1), 2.9)
        panels = figure.subplots(2, len(every) + 1, squeeze=False)
        planes = [first_quadrant(case.arrays["spectrum"].isel(step=-1).values) for case in every]
        drawn = draw_quadrants(list(panels[0, :-1]), planes, [_title(every, case) for case in every])
        panels[0, -1].axis("off")
        scale(figure, drawn, panels[0, -1])
        for axes, case in zip(panels[1], every, strict=False):
            picture(axes, signed_picture(case.arrays["example_gradient"].values[example]))
        picture(panels[1, -1], every[0].arrays["example_image"].values[example])
        panels[1, -1].set_title("image", color=INK)
        panels[0, 0].set_ylabel("mean |F J|", color=MUTED)
        panels[1, 0].set_ylabel("J", color=MUTED)
    sample = str(every[0].arrays["example"].values[example])
    called = ", ".join(f"{label(every, case)} = '{case.names['training']}'" for case in every)
    notes = [f"The image is '{sample}'.", f"Trainings: {called}; seed {every[0].names['seed']}."]
    return Figure(figure, notes, f"{len(every)} columns, each a spectrum above a Jacobian; an image at the end.")


def _title(every: Sequence[Case], case: Case) -> str:
    bias = number(case.row("gradients")["value"])
    return f"{plain(label(every, case))}\n{bias}".replace(" + ", "\n+ ")
