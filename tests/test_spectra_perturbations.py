"""Spectral measures of perturbations against closed forms, SciPy and slow loops; arrays and tensors alike."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.perturbations import (
    FLOOR,
    cosines,
    lfc_ratio,
    log_difference_parts,
    log_spectrum_difference,
    middle_cutoff,
    relative_change,
    relative_dct_change,
)

SIZES = [(8, 8), (7, 7), (9, 6), (5, 8)]


def wave(height, width, ky, kx):
    y, x = np.mgrid[:height, :width]
    return np.cos(2 * np.pi * (ky * y / height + kx * x / width))


@pytest.mark.parametrize("frequency", [(0, 0), (1, 0), (0, 2), (2, 2), (3, 1), (1, 3)])
def test_a_perturbation_of_one_frequency_is_low_or_not(frequency):
    one = wave(9, 9, *frequency)[None]
    assert lfc_ratio(one, 2) == pytest.approx(float(max(frequency) <= 2))
    assert lfc_ratio(one, 2, "radial") == pytest.approx(float(np.hypot(*frequency) <= 2))


def test_energies_of_frequencies_and_channels_add_up():
    low, high = wave(16, 16, 1, 2), wave(16, 16, 6, 7)
    two = np.stack([3 * low, 1 * low + 2 * high, high])
    assert lfc_ratio(two, 4) == pytest.approx((9 + 1) / (9 + 1 + 4 + 1))


@pytest.mark.parametrize("size", SIZES)
def test_the_ratio_is_that_of_a_slow_loop(size):
    x = np.random.default_rng(1).normal(size=(2, 3, *size))
    for image, found in zip(x, lfc_ratio(x, 2), strict=True):
        low = whole = 0.0
        for channel in image:
            f = np.fft.fft2(channel)
            for i in range(size[0]):
                for j in range(size[1]):
                    ky, kx = min(i, size[0] - i), min(j, size[1] - j)
                    whole += abs(f[i, j]) ** 2
                    low += abs(f[i, j]) ** 2 * (ky <= 2 and kx <= 2)
        assert found == pytest.approx(low / whole, rel=1e-12)
        assert whole == pytest.approx(size[0] * size[1] * (image**2).sum())  # Parseval


def test_no_perturbation_has_no_ratio():
    assert np.isnan(lfc_ratio(np.zeros((1, 4, 4)), 1))
    with pytest.raises(FreqmapsError, match="give channels, height and width"):
        lfc_ratio(np.zeros((4, 4)), 1)


def test_the_difference_of_log_spectra_is_one_sided_and_in_decibels():
    x = np.random.default_rng(2).uniform(size=(8, 8))
    assert np.allclose(log_spectrum_difference(x, 10 * x), 20)
    assert np.allclose(log_spectrum_difference(10 * x, x), 20)
    assert (log_spectrum_difference(x, x) == 0).all()


def test_it_is_the_relative_change_to_first_order():
    generator = np.random.default_rng(3)
    x, direction = generator.uniform(size=(2, 8, 8))
    for small in (1e-4, 1e-5):
        # In phase with the image the bound is reached: scale the spectrum itself.
        assert log_spectrum_difference(x, x * (1 + small)) == pytest.approx(20 / np.log(10) * small, rel=1e-3)
        found = log_spectrum_difference(x, x + small * direction)
        assert (found <= 20 / np.log(10) * relative_change(x, x + small * direction) * (1 + 1e-2)).all()


@pytest.mark.parametrize("size", SIZES)
def test_the_cosine_transform_is_scipys(size):
    x, delta = np.random.default_rng(4).normal(size=(2, 3, *size))
    expected = abs(dctn(delta, axes=(1, 2), norm="ortho")) / abs(dctn(x, axes=(1, 2), norm="ortho"))
    assert np.allclose(relative_dct_change(x, x + delta), expected, rtol=1e-9)
    assert np.allclose(cosines(size[0]) @ cosines(size[0]).T, np.eye(size[0]))


def test_absent_frequencies_do_not_divide_by_noise():
    x = wave(8, 8, 1, 0)
    changed = x + 1e-3 * wave(8, 8, 0, 3)
    assert relative_change(x, changed)[4, 7] == pytest.approx(1e-3 * 32 / FLOOR)
    assert relative_change(x, changed)[5, 4] == pytest.approx(0, abs=1e-12)


def test_parts_of_the_log_difference_are_a_slow_loop_s():
    x, delta = np.random.default_rng(6).uniform(size=(2, 4, 3, 7, 8))
    low, high = log_difference_parts(x, x + 0.1 * delta, 2.0)
    planes = log_spectrum_difference(x, x + 0.1 * delta)
    for image, plane in enumerate(planes):
        near, far = [], []
        for ky in range(-3, 4):
            for kx in range(-4, 4):
                chosen = near if max(abs(ky), abs(kx)) <= 2 else far
                chosen.extend(plane[:, ky + 3, kx + 4])
        assert (low[image], high[image]) == pytest.approx((np.mean(near), np.mean(far)))
    whole, nothing = log_difference_parts(x, x + 0.1 * delta, 4.0)
    assert whole == pytest.approx(planes.mean(axis=(1, 2, 3))) and np.isnan(nothing).all()


@pytest.mark.parametrize("size", SIZES)
def test_tensors_give_the_same_with_gradients(size):
    generator = np.random.default_rng(5)
    x, other = (generator.uniform(size=(2, 3, *size)) for _ in range(2))
    for measure in (relative_change, relative_dct_change, log_spectrum_difference):
        given = torch.from_numpy(other).requires_grad_()
        found = measure(torch.from_numpy(x), given)
        assert np.allclose(found.detach().numpy(), measure(x, other), rtol=1e-8)
        assert torch.autograd.grad(found.sum(), given)[0].isfinite().all()
    given = torch.from_numpy(x[:1]).requires_grad_()
    ratio = lfc_ratio(given, 2)
    assert ratio.item() == pytest.approx(lfc_ratio(x[:1], 2)[0], rel=1e-12)
    step = torch.from_numpy(other[:1]) * 1e-6
    slope = (torch.autograd.grad(ratio.sum(), given)[0] * step).sum()
    difference = (lfc_ratio(given + step, 2) - lfc_ratio(given - step, 2)).item() / 2
    assert slope.item() == pytest.approx(difference, rel=1e-4)


def test_the_cut_off_that_is_taken_where_none_is_given():
    assert [middle_cutoff(n, n) for n in (32, 28, 8, 5, 3)] == [8, 7, 2, 1, 1]
