"""Figure 3 of Basile et al.: a gallery of essential and adversarial frequency maps."""

from __future__ import annotations

from matplotlib import rc_context

from freqmaps.publish.api import Figure
from freqmaps.publish.examples import examples
from freqmaps.publish.style import INK, STYLE, frequency_axes, new_figure, picture, plain
from freqmaps.results.reader import Inputs

TITLE = "Essential and adversarial frequency maps"
CAPTION = (
    "Top: maps of the frequencies that the classifier needs for clean images; bottom: maps of the frequencies that the "
    "attack needs for the same images, attacked. Columns are labelled with the class of the clean image. Black is 0 "
    "(frequency removed), white 1 (kept); the colours of an RGB map are its channels. Zero frequency is in the middle."
)
KIND = "figure"
NEEDS = ("datasets", "attacks", "maps")
BASES = ("fourier",)
RANGES = {"images": "[1, 1000)", "seed": "[0, 1e18)"}


def build(
    inputs: Inputs,
    *,
    images: int = 8,
    dataset: str | None = None,
    model: str | None = None,
    training: str | None = None,
    seed: int | None = None,
    maps: str | None = None,
    attack: str | None = None,
) -> Figure:
    """Draw pairs of maps as pictures.

    Parameters
    ----------
    inputs
        The study's results.
    images
        Number of columns at most.
    dataset, model, training, seed, maps
        The setting to show; None takes the study's first.
    attack
        The attack to show; None takes the one with most adversarial maps.
    """
    chosen = examples(
        inputs, images, dataset=dataset, model=model, training=training, seed=seed, maps=maps, attack=attack
    )
    count = len(chosen.label)
    names = [chosen.classes[label] for label in chosen.label]
    with rc_context(STYLE):
        figure = new_figure(1.12 * count + 0.5, 2.75)
        axes = figure.subplots(2, count, squeeze=False)
        for column in range(count):
            picture(axes[0, column], chosen.essential[column])
            picture(axes[1, column], chosen.attacking[column])
            axes[0, column].set_title(plain(names[column]), color=INK)
        frequency_axes(axes[1, 0], *chosen.essential.shape[2:])
        axes[0, 0].set_ylabel("essential $M_{EF}$", color=INK, fontsize=8)
        axes[1, 0].set_ylabel("adversarial $M_{AF}$\n$k_y$", color=INK, fontsize=8)
        axes[1, 0].set_xlabel("$k_x$, cycles/image")
    alt = f"Two rows of {count} maps, essential above adversarial, for images of {', '.join(names)}."
    return Figure(figure, [f"Shown: {chosen.setting}.", chosen.rule], alt)
