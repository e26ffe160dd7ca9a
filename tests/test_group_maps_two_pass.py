"""The classifier that looks twice, against a loop over images, and its gradients against finite differences."""

import numpy as np
import pytest
import torch

from freqmaps.core.errors import FreqmapsError
from freqmaps.group_maps import Pictures, class_maps, to_dataset
from freqmaps.group_maps.two_pass import SoftTwoPass, ThroughChoice, TwoPass
from freqmaps.maps import to_full
from freqmaps.models import predict
from tests.group_map_cases import accuracy_through, learned_net, make, pictures, settings, uniform
from tests.map_cases import corner_full, small_net, some_images


def noise_maps(classes=4, channels=2, size=(8, 7), seed=0):
    return np.stack([uniform((channels, *size), (seed, c)) for c in range(classes)])


def seen_through(images, half):
    full = np.fft.ifftshift(to_full(half, images.shape[-1]), axes=(-2, -1))
    return torch.from_numpy(np.fft.ifft2(full * np.fft.fft2(images)).real.astype(np.float32))


def test_the_second_look_is_through_the_map_of_the_first_answer():
    given, maps = pictures(30, 2, (8, 7)), noise_maps()
    net, images = learned_net(given), given.images
    first = net(torch.from_numpy(images)).argmax(1).numpy()
    assert len(set(first)) > 2
    expected = torch.cat([net(seen_through(images[i : i + 1], maps[first[i]])) for i in range(30)])
    found = TwoPass(net, maps)(torch.from_numpy(images))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found.argmax(1).numpy() != first).any()


def test_maps_of_one_change_nothing():
    net, images = small_net(2), torch.from_numpy(some_images(9, 2, (8, 7)))
    ones = np.ones((4, 2, 8, 4), np.float32)
    for wrapped in (TwoPass(net, ones), SoftTwoPass(net, ones)):
        torch.testing.assert_close(wrapped(images), net(images), rtol=1e-4, atol=1e-4)


def test_the_soft_choice_is_the_weighted_sum_over_all_maps():
    net, images, maps = small_net(2), some_images(6, 2, (8, 7)), noise_maps()
    x = torch.from_numpy(images)
    looks = torch.stack([net(seen_through(images, m)) for m in maps])
    for temperature in (0.3, 1.0, 10.0):
        weights = torch.softmax(net(x) / temperature, 1).T[:, :, None]
        torch.testing.assert_close(
            SoftTwoPass(net, maps, temperature=temperature)(x), (weights * looks).sum(0), rtol=1e-4, atol=1e-4
        )
    sharp = SoftTwoPass(net, maps, temperature=1e-4)(x)
    torch.testing.assert_close(sharp, TwoPass(net, maps)(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", [TwoPass, SoftTwoPass])
def test_gradients_are_those_of_finite_differences(kind):
    net, maps = small_net(2), noise_maps()
    wrapped = kind(net, maps).double()
    x = torch.from_numpy(some_images(3, 2, (8, 7))).double().requires_grad_()
    (gradient,) = torch.autograd.grad(wrapped(x)[:, 1].sum(), x)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        step = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            ahead, behind = (wrapped(x + s * 1e-5 * step)[:, 1].sum() for s in (1, -1))
        assert ((ahead - behind) / 2e-5).item() == pytest.approx((gradient * step).sum().item(), rel=1e-5)


def test_only_the_soft_gradient_goes_through_the_choice():
    net, maps = small_net(2), noise_maps()
    x = torch.from_numpy(some_images(3, 2, (8, 7))).requires_grad_()

    def towards(wrapped):
        (gradient,) = torch.autograd.grad(wrapped(x)[:, 1].sum(), x)
        return gradient

    first = net(x).argmax(1)
    fixed = sum(net(torch.fft.irfft2(torch.fft.rfft2(x[i]) * torch.from_numpy(maps[first[i]]), s=(8, 7))[None])[0, 1]
                for i in range(3))  # fmt: skip
    (expected,) = torch.autograd.grad(fixed, x)
    torch.testing.assert_close(towards(TwoPass(net, maps)), expected, rtol=1e-4, atol=1e-5)
    assert (towards(SoftTwoPass(net, maps)) - expected).abs().max() > 1e-2


def test_maps_from_a_store_give_adversarial_images_their_class_back():
    """On its own training images at least: the maps are made to revert them."""
    clean = pictures(60)
    net, x, t = learned_net(clean), torch.from_numpy(clean.images), torch.from_numpy(clean.targets)
    (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(net(x.requires_grad_()), t), x)
    attacked = (x + 0.1 * gradient.sign()).detach().clamp(0, 1)
    answers = net(attacked).argmax(1).numpy()
    rows = np.flatnonzero(answers != clean.targets)
    adversarial = Pictures(attacked.numpy()[rows], clean.targets[rows], answers[rows])
    made = make(
        net, clean, settings(groups="class", epochs=40, learning_rate=0.05), adversarial=adversarial,
        parameters={"penalty": 1e-4},
    )  # fmt: skip
    store = to_dataset(made, {"images": "adversarial", "objective": "cross_entropy", "parameters": "{}"})
    wrapped = TwoPass(net, class_maps(store))
    for given, figure, count in (
        (clean, made.filtered_accuracy, made.n_images),
        (adversarial, made.filtered_adversarial_accuracy, made.n_adversarial),
    ):
        # The network names the group of an adversarial image itself; that of a clean one is the true class.
        first = net(torch.from_numpy(given.images)).argmax(1).numpy()
        right = wrapped(torch.from_numpy(given.images)).argmax(1).numpy() == given.targets
        through = [accuracy_through(net, given, [i], corner_full(made.map[first[i]], 8)) for i in range(len(given))]
        assert right.tolist() == [bool(r) for r in through]
        if given is adversarial:
            assert right.mean() == pytest.approx(np.nansum(figure * count) / count.sum())
    assert not np.nansum(made.adversarial_accuracy)
    assert right.mean() > 0.2, "of images without structure, at least"


@pytest.mark.parametrize(
    ("maps", "images", "options", "message"),
    [
        (np.ones((4, 8, 5)), some_images(2), {}, r"maps of shape \(4, 8, 5\)"),
        (np.ones((3, 1, 8, 5)), some_images(2), {}, "4 classes and there are 3 maps"),
        (np.ones((4, 1, 8, 8)), some_images(2), {}, "do not fit"),
        (np.ones((4, 1, 8, 5)), some_images(2), {"temperature": 0.0}, "temperature is 0"),
    ],
)
def test_bad_input_is_one_clear_sentence(maps, images, options, message):
    with pytest.raises(FreqmapsError, match=message):
        SoftTwoPass(small_net(), maps, **options)(torch.from_numpy(images))


def test_through_the_choice_answers_hard_and_differentiates_soft():
    net, maps = learned_net(pictures(30, 2, (8, 7))), noise_maps()
    x = torch.from_numpy(some_images(20, 2, (8, 7))).requires_grad_()
    choice, hard, soft = ThroughChoice(net, maps), TwoPass(net, maps), SoftTwoPass(net, maps)
    torch.testing.assert_close(choice(x), hard(x), rtol=1e-5, atol=1e-5)
    assert (choice(x) - soft(x)).abs().max() > 1e-2
    weights = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    found, expected = (torch.autograd.grad((model(x) * weights).sum(), x)[0] for model in (choice, soft))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_asking_it_leaves_the_network_in_its_mode():
    net = small_net(2).eval()
    predict(TwoPass(net, noise_maps()), some_images(3, 2, (8, 7)))
    assert not any(module.training for module in net.modules())
