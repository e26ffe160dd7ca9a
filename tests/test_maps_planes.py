"""Half and full planes, the selection of samples, and the map store."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqmaps.core.errors import FreqmapsError
from freqmaps.maps import select_adversarial, select_essential, to_dataset, to_full, to_half
from freqmaps.spectra.planes import multiplicity
from freqmaps.stores import MAPS
from tests.map_cases import converging_maps, corner_full, run, small_net, some_images, some_targets  # noqa: F401


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_half_and_full_planes_hold_the_same(h, w, seed):
    image = np.random.default_rng(seed).random((2, 3, h, w))
    magnitude = np.abs(np.fft.fft2(image))
    half = magnitude[..., : w // 2 + 1]
    full = to_full(half, w)
    np.testing.assert_allclose(full, np.fft.fftshift(magnitude, axes=(-2, -1)), atol=1e-12)
    np.testing.assert_array_equal(to_half(full), half)
    spectrum = np.fft.fft2(image)
    whole = to_full(spectrum[..., : w // 2 + 1], w)
    np.testing.assert_allclose(whole, np.fft.fftshift(spectrum, axes=(-2, -1)), atol=1e-12)
    ky, kx = np.arange(h) - h // 2, np.arange(w) - w // 2
    np.testing.assert_allclose(full[0, 0, ky == 0, kx == 0], image[0, 0].sum())
    assert (multiplicity(h, w) * half[0, 0]).sum() == pytest.approx(magnitude[0, 0].sum())
    assert multiplicity(h, w).sum() == h * w


@pytest.mark.parametrize("width", [6, 7])
def test_maps_are_point_symmetric_to_the_last_bit(width):
    maps = run(small_net(3), some_images(4, 3, (7, width)), some_targets(4), penalty=0.05)
    full = corner_full(maps.map, width)
    np.testing.assert_array_equal(full, np.roll(full[..., ::-1, ::-1], (1, 1), (-2, -1)))
    assert 0 < full.mean() < 1


def test_planes_refuse_another_width():
    with pytest.raises(FreqmapsError, match="width 9"):
        to_full(np.zeros((2, 8, 4)), 9)


def test_selection():
    labels, predictions = np.array([0, 1, 2, 3]), np.array([0, 1, 0, 3])
    assert select_essential(labels, predictions).tolist() == [0, 1, 3]
    assert select_adversarial(labels, predictions, np.array([True, False, True, True])).tolist() == [0, 3]


def test_dataset_keeps_the_contract(converging):
    _, _, targets, _, maps = converging
    attrs = {"images": "essential", "objective": "cross_entropy", "parameters": {"penalty": 0.1}}
    store = to_dataset(maps, [f"test/{i}" for i in range(12)], targets, targets, attrs)
    MAPS.validate(store, "test")
    assert store["map"].sel(ky=0, kx=0).shape == (12, 1)
    np.testing.assert_array_equal(store["map"].sel(ky=0, kx=0).values, maps.map[..., 0, 0])
    np.testing.assert_array_equal(store["map"].sel(ky=-2, kx=3).values, maps.map[..., -2, 3])
    np.testing.assert_array_equal(store["map"].sel(ky=2, kx=-3).values, maps.map[..., -2, 3])
    with pytest.raises(FreqmapsError, match="12 maps, 1 ids"):
        to_dataset(maps, ["a"], targets, targets, attrs)


def test_importing_the_package_imports_no_torch():
    import subprocess
    import sys

    code = "import freqmaps.maps, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
