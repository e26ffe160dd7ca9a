"""A small network on the digits, and how the tests of attacks attack it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from freqmaps.attacks import attack_images

N = 60


@pytest.fixture(scope="module", name="digits")
def digit_images():
    images, labels = load_digits(return_X_y=True)
    return (images.reshape(-1, 1, 8, 8) / 16).astype(np.float32), labels.astype(np.int64)


@pytest.fixture(scope="module", name="net")
def trained_net(digits):
    """A small network with batch norm, dropout and its normalisation inside, about 97 % right."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(512, 10),
    )  # fmt: skip
    x, y = torch.from_numpy(digits[0][200:]), torch.from_numpy(digits[1][200:])
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model.eval()


def attack(net, digits, plan, rows=slice(0, N), **options):
    arguments = {"seed": 3, "positions": np.arange(len(digits[1]))[rows], "device": "cpu"} | options
    return attack_images(net, digits[0][rows], digits[1][rows], plan, **arguments)


def answers(net, images):
    """Predictions one image at a time."""
    with torch.no_grad():
        return np.array([int(net(torch.from_numpy(image[None])).argmax()) for image in images])


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor
