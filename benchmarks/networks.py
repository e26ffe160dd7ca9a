"""A ResNet-20 trained in seconds on real images: scikit-learn's digits, enlarged to 3x32x32 and tinted.

Speed does not depend on what a network has learned, but the sparsity of maps and the agreement of two ways to compute
them do; random weights would show neither.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from freqmaps.core import components


@cache
def trained_resnet20(n: int = 64, steps: int = 120) -> tuple[torch.nn.Module, NDArray[np.float32], NDArray[np.int64]]:
    """Return a network in eval mode, and n (3, 32, 32) images of the test half with their labels."""
    from sklearn.datasets import load_digits

    digits, labels = load_digits(return_X_y=True)
    generator = torch.Generator().manual_seed(0)
    images = torch.tensor(digits.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)
    images = torch.nn.functional.interpolate(images, size=(32, 32), mode="bilinear")
    images = images * (0.5 + 0.5 * torch.rand(len(images), 3, 1, 1, generator=generator))
    targets = torch.tensor(labels)
    torch.manual_seed(0)
    network = components.load("model", "resnet_cifar")(classes=10, channels=3, size=32, depth=20)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        rows = torch.randint(0, 900, (64,), generator=generator)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images[rows]), targets[rows]).backward()
        optimizer.step()
    network.eval().requires_grad_(False)
    return network, images[900 : 900 + n].numpy(), labels[900 : 900 + n].astype(np.int64)
