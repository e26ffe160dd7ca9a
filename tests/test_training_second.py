"""Cheap second derivatives: against finite differences, and against PyTorch's own in whole networks."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freqmaps.models import build_classifier
from freqmaps.training import Batch, CleanPass
from freqmaps.training.regularisers import _api, _second
from freqmaps.training.regularisers.jafr import build as jafr
from tests.short_training import first_step


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [(1, 0, 1, 1), (2, 1, 1, 1), (1, (1, 2), 2, 1), (1, 1, 1, 2)])
def test_first_and_second_derivatives_of_convolutions(options, bias):
    stride, padding, dilation, groups = options
    given = [drawn(2, 4, 6, 7), drawn(4, 4 // groups, 3, 3, seed=1), *([drawn(4, seed=2)] if bias else [])]

    def convolved(x, weight, shift=None):
        with _second.cheap():
            return torch.conv2d(x, weight, shift, stride, padding, dilation, groups)

    assert "_Convolution" in type(convolved(*given).grad_fn).__name__
    assert torch.equal(convolved(*given), torch.conv2d(*given, *([] if bias else [None]), *options))
    assert torch.autograd.gradcheck(convolved, given)
    assert torch.autograd.gradgradcheck(convolved, given)


def test_first_and_second_derivatives_of_batch_norm():
    given = [drawn(3, 2, 4, 5), drawn(2, seed=1), drawn(2, seed=2)]

    def normalised(x, weight, bias):
        with _second.cheap():
            return F.batch_norm(x, None, None, weight, bias, True, 0.1, 1e-3)

    assert "_BatchNorm" in type(normalised(*given).grad_fn).__name__
    assert torch.allclose(normalised(*given), F.batch_norm(given[0], None, None, *given[1:], True, 0.1, 1e-3))
    assert torch.autograd.gradcheck(normalised, given)
    assert torch.autograd.gradgradcheck(normalised, given)


def test_running_statistics_are_pytorchs():
    norms = [nn.BatchNorm2d(3), nn.BatchNorm2d(3)]
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    expected = norms[0](x)
    with _second.cheap():
        found = norms[1](x)
    assert torch.allclose(found, expected)
    for name, buffer in norms[0].named_buffers():
        assert torch.equal(buffer, dict(norms[1].named_buffers())[name]), name
    for norm in norms:
        norm.eval()
    with _second.cheap():
        assert torch.equal(norms[1](x), norms[0](x))


def unusual():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding="same"), nn.BatchNorm2d(4, affine=False), nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular", bias=False), nn.BatchNorm2d(4), nn.Tanh(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10), nn.BatchNorm1d(10),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["resnet_cifar", "preact_resnet18", "small_cnn", "unusual", "bfloat16"])
def test_whole_networks_have_pytorchs_gradients(name, monkeypatch):
    """Of the loss and JaFR's term together, in all weights, in one backward pass."""
    torch.manual_seed(0)
    given = {"resnet_cifar": {"depth": 20, "width": 4}, "small_cnn": {"width": 4}, "preact_resnet18": {"width": 4}}
    own = name in ("unusual", "bfloat16")
    model = unusual() if own else build_classifier(name, given[name], classes=10, channels=3, size=16, seed=0)
    images = torch.rand((6, 3, 16, 16), generator=torch.Generator().manual_seed(1))
    batch, context = Batch(images, torch.arange(6)), first_step()
    dtype = torch.bfloat16 if name == "bfloat16" else None
    found = []
    for cheap in (True, False):
        if not cheap:
            monkeypatch.setattr(_api, "cheap", torch.overrides.BaseTorchFunctionMode)
        model.train().zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
            clean = CleanPass(model, batch, context)
            term = jafr(weight=1.0)(model, clean, context)
            loss = clean.loss
        (loss + 0.1 * term).backward()
        found.append([(loss + 0.1 * term).detach(), *[p.grad.clone() for p in model.parameters()]])
    # A shift before batch norm has a gradient of 0 but for rounding, so the largest of all weights is the scale.
    scale = max(float(gradient.abs().max()) for gradient in found[1])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * scale)


def test_weight_gradients_are_left_out_of_image_gradients_alone():
    conv, x = nn.Conv2d(2, 3, 3), drawn(2, 2, 5, 5).float().detach().requires_grad_()
    with _second.cheap():
        y = conv(x).square().sum()
    with _second.of_images_alone():
        assert torch.autograd.grad(y, [x, conv.weight], retain_graph=True, allow_unused=True)[1] is None
    expected = torch.autograd.grad(conv(x).square().sum(), [x, conv.weight])
    for one, other in zip(torch.autograd.grad(y, [x, conv.weight]), expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)
