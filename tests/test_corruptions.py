"""Corruptions: each against a slow version of one image, and what all of them keep."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.corruptions._api import BENCHMARKS, Draws, benchmark_of, constant, corrupted
from freqmaps.corruptions._edges import edges, equalised
from tests import corruption_loops as loops
from tests.workflow import REPOSITORY

NAMES = components.names("corruption")
GROUPS = {
    "noise": {"gaussian_noise", "shot_noise", "impulse_noise"},
    "blur": {"defocus_blur", "glass_blur", "motion_blur", "zoom_blur"},
    "weather": {"snow", "frost", "fog", "brightness"},
    "digital": {"contrast", "elastic_transform", "pixelate", "jpeg_compression"},
    "extra": {"speckle_noise", "gaussian_blur", "spatter", "saturate"},
}
#: In pixels these are not ordered by severity, nor are their published constants.
UNORDERED = {"elastic_transform", "frost", "glass_blur", "saturate", "spatter"}


def pictures(n, channels, height, width, seed=0):
    """Smooth random images that reach from 0 to 1."""
    noise = np.random.default_rng(seed).random((n, channels, height, width))
    soft = ndimage.gaussian_filter(noise, (0, 0, height / 12, width / 12))
    low, high = soft.min(axis=(1, 2, 3), keepdims=True), soft.max(axis=(1, 2, 3), keepdims=True)
    return ((soft - low) / (high - low)).astype(np.float32)


def test_the_benchmarks_corruptions_are_there_in_their_groups():
    found = {name: components.find("corruption", name).constants["GROUP"] for name in NAMES}
    assert found == {name: group for group, names in GROUPS.items() for name in names} and len(found) == 19
    for name in NAMES:
        for benchmark in BENCHMARKS:
            assert all(constant(name, severity, benchmark) is not None for severity in range(1, 6))


@pytest.mark.parametrize("shape", [(3, 12, 10), (1, 13, 9)])
@pytest.mark.parametrize("name", NAMES)
def test_every_corruption_is_that_of_a_slow_loop(name, shape):
    image = pictures(1, *shape)
    severity, given = 4, loops.CIFAR[name]
    assert constant(name, severity, "cifar") == given
    found = corrupted(image, name, severity, seed=7, positions=[5])[0]
    slow = getattr(loops, name)(image[0].astype(np.float64), loops.stream(7, name, severity, 5), given)
    assert found.shape == slow.shape
    # JPEG's library rounds its cosines; all else is float32.
    assert np.abs(found - np.clip(slow, 0, 1)).max() < (1.01 / 255 if name == "jpeg_compression" else 1e-6)
    if name != "saturate" or shape[0] == 3:
        assert np.abs(found - image[0]).max() > 0.01


@pytest.mark.parametrize(
    ("name", "severity", "benchmark"),
    [("spatter", 3, "cifar"), ("spatter", 3, "imagenet"), ("spatter", 4, "imagenet"), ("defocus_blur", 5, "imagenet"),
     ("defocus_blur", 4, "tiny_imagenet"), ("glass_blur", 5, "imagenet"), ("elastic_transform", 2, "imagenet"),
     ("elastic_transform", 1, "cifar"), ("zoom_blur", 5, "imagenet"), ("saturate", 1, "imagenet")],
)  # fmt: skip
def test_other_ways_through_a_corruption_are_those_of_a_slow_loop(name, severity, benchmark):
    image = pictures(1, 3, 16, 18)
    found = corrupted(image, name, severity, seed=1, positions=[2], benchmark=benchmark)[0]
    draw, given = loops.stream(1, name, severity, 2), constant(name, severity, benchmark)
    slow = getattr(loops, name)(image[0].astype(np.float64), draw, given)
    assert np.abs(found - np.clip(slow, 0, 1)).max() < 1e-6
    assert np.abs(found - image[0]).max() > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_higher_severities_change_more(name):
    images = pictures(24, 3, 32, 32)
    changes = [
        np.abs(corrupted(images, name, severity, seed=0, positions=np.arange(24)) - images).mean()
        for severity in range(1, 6)
    ]
    if name in UNORDERED:
        assert min(changes) > 0 and len(set(changes)) == 5
    else:  # motion blurs 3 and 4 of small images differ in weights of 1e-4 only, and in the directions drawn
        assert all(a < (1.03 if name == "motion_blur" else 1) * b for a, b in pairwise(changes)), changes


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 7), (2, 9, 4), (1, 33, 33), (4, 3, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_any_size_and_number_of_channels_stays_in_range(name, shape):
    images = np.concatenate([pictures(2, *shape), np.zeros((1, *shape)), np.ones((1, *shape))]).astype(np.float32)
    given = images.copy()
    for severity in (1, 3, 5):
        found = corrupted(images, name, severity, seed=3, positions=[0, 1, 2, 3])
        assert found.dtype == np.float32 and found.shape == images.shape
        assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    assert np.array_equal(images, given), "the images given were changed"
    assert corrupted(images[:0], name, 1, seed=3, positions=[]).shape == (0, *shape)


@pytest.mark.parametrize("name", NAMES)
def test_random_numbers_belong_to_seed_and_position_not_to_the_batch(name):
    images = pictures(6, 3, 11, 11)
    positions = np.array([40, 3, 9, 11, 2, 700])
    together = corrupted(images, name, 4, seed=5, positions=positions)
    order = np.array([5, 0, 3])
    assert np.array_equal(corrupted(images[order], name, 4, seed=5, positions=positions[order]), together[order])
    one = [corrupted(images[i : i + 1], name, 4, seed=5, positions=positions[i : i + 1])[0] for i in range(6)]
    assert np.array_equal(np.stack(one), together)
    drawn = name not in (
        "brightness", "contrast", "defocus_blur", "gaussian_blur", "jpeg_compression", "pixelate", "saturate",
        "zoom_blur",
    )  # fmt: skip
    same = np.repeat(images[:1], 2, axis=0)
    first, second = corrupted(same, name, 4, seed=5, positions=[0, 1])
    assert np.array_equal(first, second) != drawn
    assert np.array_equal(corrupted(images, name, 4, seed=6, positions=positions), together) != drawn


def test_large_images_are_cut_into_blocks(monkeypatch):
    images = pictures(5, 1, 8, 8)
    whole = corrupted(images, "fog", 2, seed=0, positions=range(5))
    monkeypatch.setattr("freqmaps.corruptions._api._TOGETHER", 2 * 64)
    assert np.array_equal(corrupted(images, "fog", 2, seed=0, positions=range(5)), whole)


def test_constants_are_those_of_the_nearest_size():
    assert [benchmark_of(side) for side in (8, 45, 46, 119, 120)] == ["cifar"] * 2 + ["tiny_imagenet"] * 2 + [
        "imagenet"
    ]
    image = pictures(1, 1, 8, 8)
    strong = corrupted(image, "contrast", 1, seed=0, positions=[0], benchmark="imagenet")
    assert np.allclose(strong, 0.4 * image + 0.6 * image.mean(), atol=1e-6)
    assert np.allclose(corrupted(image, "contrast", 1, seed=0, positions=[0]), 0.75 * image + 0.25 * image.mean())


def test_draws_have_their_laws():
    draws = Draws(0, "laws", range(200))
    normal, uniform = draws.normal((50,), 1, 2), draws.uniform((50,), -3, 5)
    assert abs(normal.mean() - 1) < 0.08 and abs(normal.std() - 2) < 0.06
    assert uniform.min() >= -3 and uniform.max() < 5 and abs(uniform.mean() - 1) < 0.1
    assert set(np.unique(draws.integers((50,), -1, 2))) == {-1, 0, 1}
    assert abs(draws.poisson(np.full((200, 50), 4.0)).var() - 4) < 0.2


def test_edges_are_canny_s():
    generator = np.random.default_rng(0)
    for _ in range(4):
        grey = (ndimage.gaussian_filter(generator.random((14, 11)), 1.5) > 0.5).astype(np.uint8) * 180
        grey += generator.integers(0, 30, grey.shape, dtype=np.uint8)
        assert np.array_equal(edges(grey, 50, 150), loops.canny(grey.astype(int), 50, 150))
    assert not edges(np.full((5, 5), 9, np.uint8), 50, 150).any()


def test_a_picture_of_one_value_stays_when_equalised():
    assert np.array_equal(equalised(np.full((3, 3), 20, np.uint8)), np.full((3, 3), 20))
    assert np.array_equal(equalised(np.array([[1, 2], [3, 3]], np.uint8)), [[0, 85], [255, 255]])


def test_what_cannot_be_corrupted_is_refused(monkeypatch):
    image = pictures(1, 1, 8, 8)
    with pytest.raises(ConfigError, match=r"no corruption named 'fogg'; .*fog"):
        corrupted(image, "fogg", 1, seed=0, positions=[0])
    for severity, benchmark in ((6, "cifar"), (0, "cifar"), (1, "mnist")):
        with pytest.raises(FreqmapsError, match=f"'fog' has no constant of severity {severity} for '{benchmark}'"):
            corrupted(image, "fog", severity, seed=0, positions=[0], benchmark=benchmark)
    for wrong in (lambda images, draws, c: images[:, :, 1:], lambda images, draws, c: images * np.nan):
        monkeypatch.setattr(components, "load", lambda kind, name, wrong=wrong: wrong)
        with pytest.raises(FreqmapsError, match="'fog' must return finite images of shape"):
            corrupted(image, "fog", 1, seed=0, positions=[0])


def test_the_guides_example_is_a_corruption(tmp_path, monkeypatch):
    """The code of docs/add-a-corruption.md runs as it stands there."""
    text = (REPOSITORY / "docs" / "add-a-corruption.md").read_text()
    code = text.split("```python\n")[1].split("```")[0].replace("def corrupt(", "def stripes(")
    (tmp_path / "guide_of_stripes.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    images = pictures(2, 3, 8, 8)
    found = [corrupted(images, "guide_of_stripes:stripes", severity, seed=0, positions=[0, 1]) for severity in (1, 5)]
    assert 0 < np.abs(found[0] - images).mean() < np.abs(found[1] - images).mean()
