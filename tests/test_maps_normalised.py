"""Maps of the image after the network's normalisation: against filtering the normalised image, step by step."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation._filtered import filtered, zero_point
from freqmaps.maps import compute_maps
from freqmaps.maps.settings import MapSettings
from freqmaps.models import Classifier
from freqmaps.models._classifier import Recipe
from freqmaps.optimise.problem import plan_for
from tests.map_cases import small_net, some_images, some_targets

MEAN, STD = [0.45, 0.2], [0.22, 0.5]
CPU = torch.device("cpu")


def normalising(mean=MEAN, std=STD):
    """A small network behind a normalisation, in double precision."""
    net = Classifier(small_net(2), Recipe("small_cnn", {}, 10, 2, 8), mean, std).double()
    return net.eval()


def full_plane(half, width):
    """The point-symmetric plane, origin in the middle, of a half plane (c, h, w // 2 + 1)."""
    height = half.shape[-2]
    plane = np.empty((*half.shape[:-1], width))
    for row in range(height):
        for column in range(width):
            mirrored = column > width // 2
            there = (-row % height, -column % width) if mirrored else (row, column)
            plane[..., row, column] = half[(..., *there)]
    return np.fft.fftshift(plane, axes=(-2, -1))


def test_the_map_filters_what_the_network_sees():
    net = normalising()
    images = torch.from_numpy(some_images(3, 2, (8, 7))).double()
    plan = plan_for(net, components.load("basis", "fourier_normalised")(), images, CPU)
    half = torch.rand(3, 2, 8, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    half[..., 0, 0] = 0
    plan.symmetrise_(half)
    seen = plan.synthesise(plan.coefficients(images), half)
    z = (images.numpy() - np.reshape(MEAN, (1, 2, 1, 1))) / np.reshape(STD, (1, 2, 1, 1))
    planes = np.stack([np.fft.ifftshift(full_plane(m.numpy(), 7), axes=(-2, -1)) for m in half])
    expected = np.fft.ifft2(planes * np.fft.fft2(z)).real
    assert np.allclose((seen.numpy() - np.reshape(MEAN, (1, 2, 1, 1))) / np.reshape(STD, (1, 2, 1, 1)), expected)
    assert torch.allclose(seen.mean(dim=(2, 3)), torch.tensor([MEAN] * 3).double()), "a removed origin is the mean"


def test_the_gradient_is_that_of_autograd():
    net = normalising()
    images = torch.from_numpy(some_images(2, 2, (6, 6))).double()
    plan = plan_for(net, components.load("basis", "fourier_normalised")(), images, CPU)
    m = torch.full((2, 2, 6, 4), 0.7, dtype=torch.float64, requires_grad=True)
    coefficients = plan.coefficients(images)
    loss = net(plan.synthesise(coefficients, m)).logsumexp(1).sum()
    (direct,) = torch.autograd.grad(loss, m)
    x = plan.synthesise(coefficients, m).detach().requires_grad_()
    (towards,) = torch.autograd.grad(net(x).logsumexp(1).sum(), x)
    own = plan.pull_back(towards, coefficients, m.detach())
    # An entry that speaks for two frequencies gets half of what moving both would give.
    assert torch.allclose(direct, own * plan.weight, atol=1e-12)


@pytest.mark.parametrize("net", [small_net(2), Classifier(small_net(2), Recipe("small_cnn", {}, 10, 2, 8))])
def test_without_normalisation_maps_are_those_of_fourier(net):
    images, targets = some_images(4, 2), some_targets(4)
    settings = MapSettings(min_steps=5, max_steps=20)
    found = [
        compute_maps(
            net, images, targets, "cross_entropy", {"penalty": 0.02}, settings, basis_name=name, device="cpu"
        ).map
        for name in ("fourier", "fourier_normalised")
    ]
    assert np.array_equal(*found)


def test_evaluations_filter_about_what_the_maps_were_made_for():
    net = normalising()
    images = some_images(3, 2)
    masks = np.zeros((3, 2, 8, 8), dtype=np.float32)
    plain, own = (xr.Dataset(attrs={"basis": basis}) for basis in ("fourier", "fourier_normalised"))
    assert zero_point(plain, net) is None and zero_point(xr.Dataset(), net) is None
    about = zero_point(own, net)
    assert np.allclose(filtered(images, masks, zero_point(plain, net)), 0), "black"
    assert np.allclose(filtered(images, masks, about), np.reshape(MEAN, (1, 2, 1, 1))), "the mean"
    assert np.allclose(filtered(images, masks + 1, about), images, atol=1e-6)
    assert zero_point(own, normalising(None, None)) is None
    with pytest.raises(FreqmapsError, match="maps of basis 'dct' filter no image by its amplitudes"):
        zero_point(xr.Dataset(attrs={"basis": "dct"}), net)


def test_an_origin_that_says_no_more_than_the_mean_is_not_kept():
    """A gray image of the data's mean: removing its origin leaves it as it is, or black where x itself is filtered."""

    class Bright(nn.Module):
        """Class 1 where the mean lies above the half of the data's mean."""

        def forward(self, x):
            bright = x.mean(dim=(1, 2, 3)) + 2.0
            return torch.stack([-bright, bright], dim=1) * 4

    net = Classifier(Bright(), Recipe("small_cnn", {}, 2, 1, 8), [0.6], [0.2])
    images = np.full((1, 1, 8, 8), 0.6, dtype=np.float32)
    settings = MapSettings(min_steps=200, max_steps=400)
    origin = [
        compute_maps(
            net, images, np.array([1]), "cross_entropy", {"penalty": 0.1}, settings, basis_name=name, device="cpu"
        ).map[0, 0, 0, 0]
        for name in ("fourier", "fourier_normalised")
    ]
    assert origin[0] > 0.1 and origin[1] == 0.0
