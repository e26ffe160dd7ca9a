"""Regimes that transform images, and the ranges of adversarial training; what all regimes owe is in test_training."""

import warnings

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.transforms import InterpolationMode, RandomAffine
from torchvision.transforms import functional as vision

from freqmaps.core.errors import FreqmapsError
from freqmaps.training import Batch
from freqmaps.training.regimes import rotate, scale, translate
from freqmaps.training.regimes._affine import warp
from freqmaps.training.regimes.adversarial import build as adversarial
from tests.short_training import digits, first_step, network, prepare

SIZES = [(9, 9), (8, 8), (7, 12)]


def pictures(n=5, channels=2, size=(9, 9), seed=0):
    return torch.rand((n, channels, *size), generator=torch.Generator().manual_seed(seed))


def drawing(seed=0):
    return torch.Generator().manual_seed(seed)


# --- one warp, by torchvision


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_warp_is_torchvisions(size, mode):
    images = pictures(size=size)
    shifts = torch.tensor([[0, 0], [2, -1], [-3, 0], [1, 4], [0, 0]])
    scales = torch.tensor([1.0, 0.6, 1.4, 1.0, 0.87])
    angles = torch.tensor([30.0, 0.0, -100.0, 180.0, 45.0])
    found = warp(images, shifts, scales, angles, mode)
    for i, image in enumerate(images):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's own, of its later releases
            expected = vision.affine(
                image[None], float(angles[i]), shifts[i].tolist(), float(scales[i]), [0.0, 0.0],
                interpolation=InterpolationMode(mode), fill=None,
            )[0]  # fmt: skip
        assert torch.allclose(found[i], expected, atol=2e-5), i


def test_warp_by_hand():
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 1, 3] = 1  # upper right
    still = torch.zeros(1, 2), torch.ones(1), torch.zeros(1)
    assert torch.allclose(warp(image, *still), image, atol=1e-6)
    shifted = warp(image, torch.tensor([[-2.0, 1.0]]), *still[1:])  # two to the left, one down
    assert shifted[0, 0, 2, 1] == pytest.approx(1, abs=1e-5) and float(shifted.sum()) == pytest.approx(1, abs=1e-4)
    turned = warp(image, still[0], still[1], torch.tensor([90.0]))  # clockwise: upper right to lower right
    assert turned[0, 0, 3, 3] == pytest.approx(1, abs=1e-5)
    assert torch.allclose(turned, torch.rot90(image, -1, (2, 3)), atol=1e-5)
    half = warp(torch.ones(1, 1, 8, 8), still[0], torch.tensor([0.5]), still[2])
    assert torch.allclose(half[..., 2:6, 2:6], torch.ones(1)) and float(half[..., 0, :].abs().max()) == 0


def test_warp_keeps_full_precision_where_training_does_not():
    images = pictures(size=(33, 33))
    amounts = torch.zeros(5, 2), torch.full((5,), 0.9), torch.full((5,), 33.0)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = warp(images, *amounts)
    assert torch.equal(reduced, warp(images, *amounts))
    half = warp(images.bfloat16(), *amounts)
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), reduced, atol=0.01)


# --- what is drawn

BUILT = {
    "scale": (scale.build(low=0.5, high=1.5), RandomAffine(degrees=0, scale=(0.5, 1.5))),
    "translate": (translate.build(fraction=0.4), RandomAffine(degrees=0, translate=(0.4, 0.4))),
    "rotate": (rotate.build(), RandomAffine(degrees=180)),
}


@pytest.mark.parametrize("name", BUILT)
def test_each_image_is_transformed_by_its_own_amount(name):
    regime, _ = BUILT[name]
    images = pictures(n=1, size=(16, 16)).expand(6, -1, -1, -1)
    found = regime.transform(images, drawing())
    assert found.shape == images.shape and found.dtype == images.dtype
    assert float(found.min()) >= 0 and float(found.max()) <= 1 + 1e-6
    assert not any(torch.allclose(found[i], found[j]) for i in range(6) for j in range(i))
    assert sum(torch.allclose(after, before) for after, before in zip(found, images, strict=True)) <= 1


@pytest.mark.parametrize("name", BUILT)
def test_draws_are_the_generators(name):
    regime, _ = BUILT[name]
    images = pictures()
    state = torch.get_rng_state()
    one, same = (regime.transform(images, drawing(3)) for _ in range(2))
    assert torch.equal(one, same)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(one, regime.transform(images, drawing(4)))
    generator = drawing(3)
    regime.transform(images, generator)
    assert not torch.equal(one, regime.transform(images, generator))  # anew in every step


@pytest.mark.parametrize("name", BUILT)
def test_amounts_are_distributed_like_torchvisions(name):
    """Mean and spread of a mass's brightness and centre over many draws, against torchvision one at a time."""
    regime, theirs = BUILT[name]
    image = torch.zeros(1, 1, 15, 15)
    image[0, 0, 6:9, 8:12] = 1  # off centre
    n = 1500
    ours = _moments(regime.transform(image.expand(n, -1, -1, -1), drawing()))
    theirs.interpolation = InterpolationMode.BILINEAR if name != "translate" else InterpolationMode.NEAREST
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expected = _moments(torch.cat([theirs(image) for _ in range(n)]))
    error = np.sqrt((ours.var(0) + expected.var(0)) / n)
    assert (np.abs(ours.mean(0) - expected.mean(0)) < 4.5 * error + 1e-6).all()
    assert np.allclose(ours.std(0), expected.std(0), rtol=0.12, atol=0.02)


def _moments(images):
    """Sum, and first moments about the centre, of each image."""
    middle = torch.arange(15.0) - 7
    image = images[:, 0]
    return torch.stack([image.sum((1, 2)), (image.sum(1) * middle).sum(1), (image.sum(2) * middle).sum(1)], 1).numpy()


def test_shifts_are_whole_pixels():
    images = pictures(n=40, channels=1, size=(10, 6))
    found = translate.build(fraction=0.4).transform(images, drawing())
    offsets = set()
    for before, after in zip(images[:, 0], found[:, 0], strict=True):
        rows, columns = torch.nonzero(after, as_tuple=True)
        top, bottom, left, right = (int(v) for v in (rows.min(), rows.max(), columns.min(), columns.max()))
        down, across = (top if top else bottom - 9), (left if left else right - 5)
        moved = torch.zeros_like(before)
        moved[max(down, 0) : 10 + min(down, 0), max(across, 0) : 6 + min(across, 0)] = before[
            max(-down, 0) : 10 - max(down, 0), max(-across, 0) : 6 - max(across, 0)
        ]
        assert torch.equal(after, moved)
        offsets.add((down, across))
    downs, acrosses = zip(*offsets, strict=True)
    assert (min(downs), max(downs)) == (-4, 4) and (min(acrosses), max(acrosses)) == (-2, 2)


def test_a_range_may_be_one_value():
    images = pictures()
    assert torch.allclose(scale.build(low=1.0, high=1.0).transform(images, drawing()), images, atol=1e-5)
    quarter = rotate.build(low=90.0, high=90.0).transform(images, drawing())
    assert torch.allclose(quarter, torch.rot90(images, -1, (2, 3)), atol=1e-5)


@pytest.mark.parametrize("module", [scale, rotate])
def test_a_range_upside_down_is_refused(module):
    with pytest.raises(FreqmapsError, match=r"low 1\.5 lies above high 0\.5"):
        module.build(low=1.5, high=0.5)


def test_the_loss_is_of_the_transformed_images():
    classifier = network().eval()
    images, labels, *_ = map(torch.as_tensor, digits(16))
    regime = rotate.build()
    given = Batch(images, labels), first_step(drawing())
    loss = regime.loss(classifier, regime.prepare(classifier, *given), *given)
    expected = F.cross_entropy(classifier(regime.transform(images, drawing())), labels)
    assert loss.item() == pytest.approx(expected.item())


# --- adversarial


@pytest.mark.parametrize("random_start", [True, False])
def test_adversarial_pixels_stay_in_the_batchs_range(random_start):
    classifier = network().eval()
    images, labels, *_ = map(torch.as_tensor, digits(32))
    images = 0.3 + 0.4 * images  # neither 0 nor 1 in it
    given = {"epsilon": 0.2, "step": 0.1, "steps": 4, "random_start": random_start}
    low, high = float(images.min()), float(images.max())
    attacked = {
        clamp: prepare(adversarial(**given, clamp=clamp), classifier, images, labels, drawing())
        for clamp in ("unit", "batch")
    }
    assert float(attacked["batch"].min()) == low and float(attacked["batch"].max()) == high
    assert float(attacked["unit"].min()) < low and float(attacked["unit"].max()) > high
    for found in attacked.values():
        assert float((found - images).abs().max()) <= 0.2 + 1e-6


def test_the_attack_of_normalised_images_is_the_same_in_pixels():
    """PGD of Karantzas et al. written out in normalised units, against the regime in pixels of [0, 1]."""
    mean, std, epsilon, steps = 0.449, 0.226, 0.06, 10
    classifier = network().eval()
    images, labels, *_ = map(torch.as_tensor, digits(24))
    given = (images - mean) / std
    low, high, attacked = given.min(), given.max(), given.clone()
    for _ in range(steps):
        attacked.requires_grad_()
        gradient = torch.autograd.grad(F.cross_entropy(classifier(attacked * std + mean), labels), attacked)[0]
        moved = attacked.detach() + epsilon / 8 * gradient.sign()
        attacked = torch.clamp(given + torch.clamp(moved - given, -epsilon, epsilon), low, high).detach()
    regime = adversarial(
        epsilon=epsilon * std, step=epsilon * std / 8, steps=steps, random_start=False, clamp="batch"
    )  # fmt: skip
    found = prepare(regime, classifier, images, labels, drawing())
    # Rounding may turn the sign of a gradient that is almost 0, at single pixels.
    assert float(((found - (attacked * std + mean)).abs() < 1e-5).float().mean()) > 0.99
    assert float((found - images).abs().max()) == pytest.approx(epsilon * std, rel=1e-3)


# --- GPU


@pytest.mark.gpu
@pytest.mark.parametrize("name", BUILT)
def test_transforms_on_the_gpu_equal_those_on_the_cpu(name):
    images = pictures(size=(32, 32))
    shifts, scales = torch.tensor([[3, -2]]).repeat(5, 1), torch.linspace(0.6, 1.4, 5)
    angles = torch.linspace(-170, 100, 5)
    found = warp(*(t.cuda() for t in (images, shifts, scales, angles)))
    assert torch.allclose(found.cpu(), warp(images, shifts, scales, angles), atol=1e-4)
    regime, _ = BUILT[name]
    one, same = (regime.transform(images.cuda(), torch.Generator("cuda").manual_seed(3)) for _ in range(2))
    assert one.is_cuda and torch.equal(one, same)
