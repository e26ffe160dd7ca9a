"""Settings of the group maps: what the config may set beside the objective's own parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from freqmaps.core import limits

RANGES = {
    "starts": "[1, 10000)",
    "batch": "[1, 1e9)",
    "epochs": "[1, 1e6)",
    "learning_rate": "(0, 10)",
    "warmup": "[0, 1]",
    "accuracy_ratio": "(0, 10)",
    "patience": "[1, 1e6)",
    "tolerance": "[0, 1)",
}


@dataclass(frozen=True, kw_only=True)
class GroupMapSettings:
    """How the maps of groups of images are optimised; the defaults are Karantzas et al.'s for a whole validation set.

    Attributes
    ----------
    groups
        ``all``: one group of all images; ``class``: one per class (of an adversarial image, the class that it is taken
        for).
    only_correct
        Leave out the images that the network does not classify correctly (adversarial ones: whose clean image it does
        not).
    alternate
        With adversarial images: a step on clean and a step on adversarial images in turn (Basile et al., section
        IV-G); without, adversarial ones alone. Nothing where there are no adversarial images.
    initial
        The first map that each group starts from: ``ones``, the map that changes nothing, or noise that is ``uniform``
        in the range of its entries, [0, 1], for complex factors the unit disc.
    starts
        Maps per group: the first starts from ``initial``, all others from uniform noise of their own. They see the same
        images in the same order, so that they differ by where they started alone.
    batch
        Images per step and group. The authors of Karantzas et al. take 1.
    epochs
        Passes over a group's images, at most.
    learning_rate
        Adam's, or the largest that the schedule reaches.
    schedule
        ``one_cycle``: per step, along cosines, the rate up from 1/25 and down to 1/250000, and Adam's first beta from
        0.95 to 0.85 and back: what torch's OneCycleLR does unless told not to. ``constant``: neither moves.
    warmup
        Share of the steps in which ``one_cycle`` rises, from 0 to 1. The papers do not say; both papers' authors
        take 0.1.
    stop
        ``none``: after ``epochs``. ``k22``: after ``patience`` epochs that keep the accuracy and leave the sparsity be
        (see :mod:`freqmaps.group_maps._stop`); the map is then that of the last epoch that kept the accuracy.
    accuracy_ratio
        The accuracy is kept: that of the filtered images is at least this share of that of the unfiltered ones.
    patience, tolerance
        The sparsity is left be: the mean of the map differs by at most ``tolerance`` from that of the epoch before.
    """

    groups: Literal["all", "class"] = "all"
    only_correct: bool = False
    alternate: bool = True
    initial: Literal["ones", "uniform"] = "ones"
    starts: int = 1
    batch: int = 64
    epochs: int = 100
    learning_rate: float = 1e-3
    schedule: Literal["constant", "one_cycle"] = "one_cycle"
    warmup: float = 0.1
    stop: Literal["none", "k22"] = "k22"
    accuracy_ratio: float = 0.99
    patience: int = 7
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        limits.check(vars(self), RANGES, "group_maps")
