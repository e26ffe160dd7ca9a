"""A stand-in for a dataset that is not on this machine: its number and size of images, to plan a study with.

``kind: freqmaps.plan.assumed:describe`` in an overlay, or ``freqmaps plan --assume NAME=train:9469,test:3925``.
"""

from __future__ import annotations

from freqmaps.datasets._api import Description

DECIDES_NUMBERS = False

RANGES = {"train": "[0, 1e9)", "test": "[0, 1e9)", "size": "[1, 100000)", "classes": "[1, 1e6)"}


def describe(*, train: int = 0, test: int = 0, size: int = 224, channels: int = 3, classes: int = 10) -> Description:
    """Describe the assumed dataset, which cannot be read.

    Parameters
    ----------
    train, test
        Images in each split.
    size, channels
        Of the square images.
    classes
        How many.
    """
    identity = {"assumed": True, "train": train, "test": test, "size": size, "channels": channels, "classes": classes}
    names = tuple(f"class {number}" for number in range(classes))
    return Description(identity, {"train": train, "test": test}, names, channels, size, "assumed", "none")
