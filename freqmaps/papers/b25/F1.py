"""Figure 1 of Basile et al.: images before and after filtering with their frequency maps."""

from __future__ import annotations

from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.publish.api import Figure
from freqmaps.publish.examples import Examples, examples
from freqmaps.publish.style import BLUE, INK, STYLE, VERMILION, new_figure, picture, plain
from freqmaps.results.reader import Inputs
from freqmaps.spectra.transforms import filter_image

TITLE = "Images before and after filtering with their frequency maps"
CAPTION = (
    "Each row is one image: as it is, attacked, filtered by its essential frequency map, and, attacked, filtered by "
    "its adversarial frequency map. Under each picture: the class that the classifier sees in it; a tick marks the "
    "true class, a cross another class."
)
KIND = "figure"
NEEDS = ("datasets", "attacks", "maps")
BASES = ("fourier",)
RANGES = {"images": "[1, 1000)", "seed": "[0, 1e18)"}

_HEADS = ("clean $x$", "adversarial $x_A$", "$x$ through $M_{EF}$", "$x_A$ through $M_{AF}$")


def build(
    inputs: Inputs,
    *,
    images: int = 6,
    dataset: str | None = None,
    model: str | None = None,
    training: str | None = None,
    seed: int | None = None,
    maps: str | None = None,
    attack: str | None = None,
) -> Figure:
    """Draw rows of images: clean, adversarial, and both filtered, ``x_F = Re F^-1(M * F x)`` (eq. 1).

    Parameters
    ----------
    inputs
        The study's results.
    images
        Number of rows at most.
    dataset, model, training, seed, maps
        The setting to show; None takes the study's first.
    attack
        The attack to show; None takes the one with most adversarial maps.
    """
    chosen = examples(
        inputs, images, dataset=dataset, model=model, training=training, seed=seed, maps=maps, attack=attack
    )
    rows = len(chosen.label)
    with rc_context(STYLE):
        figure = new_figure(5.4, 1.48 * rows + 0.25)
        for row, axes in enumerate(figure.subplots(rows, 4, squeeze=False)):
            _draw(list(axes), chosen, row)
            if row == 0:
                for panel, head in zip(axes, _HEADS, strict=True):
                    panel.set_title(head, color=INK, pad=6, fontsize=9)
    notes = [f"Shown: {chosen.setting}.", chosen.rule, "Filtered images are clipped to [0, 1] for display only."]
    classes = ", ".join(f"{chosen.classes[a]} attacked to {chosen.classes[b]}" for a, b in _pairs(chosen))
    return Figure(figure, notes, f"{rows} rows of four pictures, clean, adversarial and both filtered: {classes}.")


def _pairs(chosen: Examples) -> list[tuple[int, int]]:
    return list(zip(chosen.label.tolist(), chosen.fooled.tolist(), strict=True))


def _draw(axes: list[Axes], chosen: Examples, row: int) -> None:
    label, fooled = _pairs(chosen)[row]
    clean, adversarial = chosen.image[row], chosen.adversarial[row]
    panels = (
        (clean, label, True),
        (adversarial, fooled, True),
        (filter_image(clean, chosen.essential[row]), label, bool(chosen.essential_kept[row])),
        (filter_image(adversarial, chosen.attacking[row]), fooled, bool(chosen.attacking_kept[row])),
    )
    for panel, (image, seen, kept) in zip(axes, panels, strict=True):
        picture(panel, image)
        name = plain(chosen.classes[seen])
        text = f"{'✓' if seen == label else '✗'} {name}" if kept else f"no longer {name}"
        panel.set_xlabel(text, fontsize=8, color=BLUE if kept and seen == label else VERMILION, labelpad=2)
