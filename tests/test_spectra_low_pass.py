"""The low-pass filter against NumPy's transform with a mask that a loop writes, for arrays and tensors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.low_pass import keeps_all, low_pass, low_pass_mask

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
SHAPES = st.sampled_from(["square", "radial"])


def loop(h, w, cutoff, shape):
    """Which frequencies are kept, in the order of ``fft2``: one at a time, from NumPy's own frequencies."""
    kept = np.zeros((h, w))
    for i, ky in enumerate(np.fft.fftfreq(h) * h):
        for j, kx in enumerate(np.fft.fftfreq(w) * w):
            inside = abs(ky) <= cutoff + 1e-9 and abs(kx) <= cutoff + 1e-9
            kept[i, j] = inside if shape == "square" else np.hypot(ky, kx) <= cutoff + 1e-9
    return kept


@given(SIZES, SHAPES, st.integers(0, 14), st.integers(0, 10_000))
def test_it_is_numpys_transform_with_a_mask_of_a_loop(size, shape, half_units, seed):
    cutoff = half_units / 2
    kept = loop(*size, cutoff, shape)
    mask = low_pass_mask(*size, cutoff, shape)
    assert mask.dtype == bool and np.array_equal(mask, np.fft.fftshift(kept))
    assert np.array_equal(kept, np.roll(kept[::-1, ::-1], 1, (0, 1))), "point symmetric: k and −k are both kept or not"
    images = np.random.default_rng(seed).normal(size=(2, 3, *size))
    full = np.fft.ifft2(kept * np.fft.fft2(images))
    assert np.abs(full.imag).max() < 1e-12, "so the filtered image is real"
    np.testing.assert_allclose(low_pass(images, cutoff, shape), full.real, atol=1e-12)


@given(SIZES, SHAPES)
def test_from_the_smallest_cut_off_that_keeps_all_images_stay_as_they_are(size, shape):
    images = np.random.default_rng(0).random((2, *size)).astype(np.float32)
    all_of = keeps_all(*size, shape)
    for cutoff in (all_of, all_of + 0.5, 1e9, float("inf")):
        assert np.array_equal(low_pass(images, cutoff, shape), images)
    assert all_of == 0 or not low_pass_mask(*size, all_of - 1, shape).all()


@pytest.mark.parametrize(("size", "cutoff", "kept"), [(8, 4, True), (8, 3, False), (7, 3, True), (7, 2, False)])
def test_the_highest_frequency_of_even_and_odd_axes(size, cutoff, kept):
    """The Nyquist wave of 8 pixels has 4 cycles and stays from cut-off 4 on; the highest one of 7 pixels has 3."""
    wave = np.tile(np.cos(2 * np.pi * (size // 2) * np.arange(size) / size), (size, 1))
    np.testing.assert_allclose(low_pass(wave, cutoff), wave if kept else 0 * wave, atol=1e-13)


def test_values_are_not_clipped():
    step = np.zeros((8, 8))
    step[:, :4] = 1
    assert low_pass(step, 1).max() > 1.05 and low_pass(step, 1).min() < -0.05


@pytest.mark.parametrize("shape", ["square", "radial"])
@pytest.mark.parametrize("size", [(6, 5), (5, 8)])
def test_tensors_give_the_same_numbers_and_the_filtered_gradient(size, shape):
    rng = np.random.default_rng(1)
    images, weights = rng.normal(size=(2, 2, 3, *size))
    tensor = torch.tensor(images, requires_grad=True)
    found = low_pass(tensor, 2, shape)
    np.testing.assert_allclose(found.detach().numpy(), low_pass(images, 2, shape), atol=1e-13)
    (found * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(tensor.grad.numpy(), low_pass(weights, 2, shape), atol=1e-13)


def test_tensors_keep_their_float_dtype_and_whole_numbers_are_counted_in_double_precision():
    images = np.random.default_rng(2).integers(0, 9, (2, 6, 6))
    single = low_pass(torch.tensor(images, dtype=torch.float32), 1)
    assert single.dtype == torch.float32 and low_pass(torch.tensor(images), 1).dtype == torch.float64
    assert low_pass(images.astype(np.float32), 1).dtype == np.float64
    np.testing.assert_allclose(single.numpy(), low_pass(images, 1), atol=1e-5)


@pytest.mark.parametrize("cutoff", [-1, float("nan")])
def test_a_cut_off_that_is_none_is_refused(cutoff):
    with pytest.raises(FreqmapsError, match="at least 0"):
        low_pass_mask(4, 4, cutoff)


def test_images_without_height_are_refused():
    with pytest.raises(FreqmapsError, match="1 axes"):
        low_pass(np.ones(4), 1)
