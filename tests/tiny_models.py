"""Tiny networks and images for the tests of models."""

import torch

from freqmaps.core import components
from freqmaps.models import build_classifier


def tiny(architecture="small_cnn", classes=10, channels=1, size=8, seed=0, **more):
    parameters = (
        {"width": 4} if architecture == "small_cnn" else dict(components.find("model", architecture).constants["TINY"])
    )
    return build_classifier(architecture, parameters, classes=classes, channels=channels, size=size, seed=seed, **more)


def images(n=4, channels=1, size=8, seed=0):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed))
