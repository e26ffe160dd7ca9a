"""CIFAR-100: 60 000 colour photographs of 32x32 pixels in a hundred (fine) classes, from its original archive."""

from __future__ import annotations

from collections.abc import Iterator

from freqmaps.datasets import _cifar
from freqmaps.datasets._api import Block, Description
from freqmaps.datasets._originals import Original

UNKEYED = ("root",)

ORIGINAL = Original(
    "cifar-100-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "eb9058c3a382ffc7106e4002c42a8d85",
)
_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""
_CIFAR = _cifar.Cifar(
    original=ORIGINAL,
    batches={"train": ("cifar-100-python/train",), "test": ("cifar-100-python/test",)},
    meta="cifar-100-python/meta",
    names="fine_label_names",
    labels="fine_labels",
    splits={"train": 50_000, "test": 10_000},
    classes=tuple(_CLASSES.split()),
)


def describe(*, root: str = "data") -> Description:
    """Describe CIFAR-100.

    Parameters
    ----------
    root
        Folder that holds ``cifar-100-python.tar.gz``, or to which it is downloaded.

    Raises
    ------
    ConfigError
        ``root`` is no folder, or the archive there is not of CIFAR-100's format.
    """
    return _cifar.describe(_CIFAR, root)


def read(*, root: str = "data") -> Iterator[Block]:
    """Yield the images (uint8) in their original order; parameters and errors as :func:`describe`."""
    yield from _cifar.read(_CIFAR, root)
