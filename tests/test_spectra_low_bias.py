"""B_low: against a slow direct product, its invariances, its gradient, and spectra of which it is known."""

import math

import numpy as np
import pytest
import torch

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.low_bias import exponents, image_low_bias, log_low_bias, log_products, low_quadrant
from freqmaps.spectra.transforms import spectrum

SIZES = [(8, 8), (7, 7), (6, 9), (2, 2), (5, 4)]
BARE = {"magnitude_epsilon": 0.0, "exponent_epsilon": 0.0}


def random(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.2, 3.0, shape)


def direct(magnitudes, magnitude_epsilon=1e-5, exponent_epsilon=1e-5):
    """Equation 10 as it is printed: products, then their sums, one matrix at a time."""
    rows, columns = magnitudes.shape
    down = [1 - 2 * i / (rows - 1) + exponent_epsilon for i in range(rows)]
    across = [1 - 2 * j / (columns - 1) + exponent_epsilon for j in range(columns)]
    total = 0.0
    for j in range(columns):
        total += math.prod((magnitudes[i, j] + magnitude_epsilon) ** down[i] for i in range(rows))
    for i in range(rows):
        total += math.prod((magnitudes[i, j] + magnitude_epsilon) ** across[j] for j in range(columns))
    return math.log(total)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("epsilons", [{}, BARE, {"magnitude_epsilon": 0.1, "exponent_epsilon": 0.03}])
def test_the_logarithm_is_that_of_the_products(shape, epsilons):
    magnitudes = random(3, *shape)
    expected = [direct(m, **epsilons) for m in magnitudes]
    assert np.allclose(log_low_bias(magnitudes, **epsilons), expected, rtol=1e-12)
    assert np.allclose(log_low_bias(torch.from_numpy(magnitudes), **epsilons).numpy(), expected, rtol=1e-12)


def test_single_products_are_those_of_columns_and_rows():
    m = random(4, 6)
    columns, rows = log_products(m, **BARE)
    assert columns.shape == (6,) and rows.shape == (4,)
    alpha = [1, 1 / 3, -1 / 3, -1]
    assert columns[2] == pytest.approx(math.log(math.prod(m[i, 2] ** alpha[i] for i in range(4))))
    assert np.allclose(rows, log_products(m.T, **BARE)[0])


@pytest.mark.parametrize("n", [2, 3, 17, 16])
def test_exponents_are_even_and_antisymmetric(n):
    alpha = exponents(n, epsilon=0.0)
    assert alpha[0] == 1 and alpha[-1] == -1
    assert np.allclose(alpha, -alpha[::-1]) and np.allclose(np.diff(alpha), -2 / (n - 1))
    assert np.allclose(exponents(n), alpha + 1e-5)
    with pytest.raises(FreqmapsError, match="at least 2 frequencies"):
        exponents(1)


@pytest.mark.parametrize("factor", [1e-12, 0.3, 1e9])
def test_a_factor_in_all_magnitudes_changes_nothing(factor):
    m = random(2, 17, 17)
    assert np.allclose(log_low_bias(factor * m, **BARE), log_low_bias(m, **BARE), atol=1e-9)
    # With the epsilon of exponents every product moves by the same known amount.
    moved = log_low_bias(factor * m, magnitude_epsilon=0.0) - log_low_bias(m, magnitude_epsilon=0.0)
    assert np.allclose(moved, 17 * 1e-5 * math.log(factor), atol=1e-9)


def test_reversing_all_frequencies_inverts_each_product():
    m = random(9, 9)
    forward, backward = log_products(m, **BARE), log_products(m[::-1, ::-1], **BARE)
    assert np.allclose(forward[0], -backward[0][::-1]) and np.allclose(forward[1], -backward[1][::-1])


def test_flat_and_one_sided_spectra():
    assert log_low_bias(np.ones((5, 7)), **BARE) == pytest.approx(math.log(12))
    low, high = np.zeros((9, 9)), np.zeros((9, 9))
    low[0, 0], high[-1, -1] = 1.0, 1.0
    flat = log_low_bias(np.ones((9, 9)))
    assert log_low_bias(low) > flat
    # Of one frequency alone, two products are not those of an empty spectrum: 1e-5 to the power of the other exponents.
    empty = 9 * 1e-5 * math.log(1e-5)
    sum_of = lambda change: np.logaddexp.reduce([empty + change] * 2 + [empty] * 16)  # noqa: E731
    step = math.log((1 + 1e-5) / 1e-5)
    assert log_low_bias(low) == pytest.approx(sum_of((1 + 1e-5) * step))
    assert log_low_bias(high) == pytest.approx(sum_of((-1 + 1e-5) * step))
    assert np.isfinite(log_low_bias(np.zeros((9, 9))))


def test_products_beyond_the_range_of_floats_have_finite_logarithms():
    falling = np.full((113, 113), 1e-30)
    falling[:56, :56] = 1e30
    found = log_low_bias(falling, **BARE)
    assert np.isfinite(found) and found > 800
    assert np.isfinite(log_low_bias(1 / falling, **BARE))


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("quadrant", ["first", "second", "mean"])
def test_quadrants_are_parts_of_the_full_plane(shape, quadrant):
    h, w = shape
    x = np.random.default_rng(1).normal(size=(2, *shape))
    plane = np.fft.ifftshift(spectrum(x), (-2, -1))
    expected = np.zeros((2, h // 2 + 1, w // 2 + 1))
    for ky in range(h // 2 + 1):
        for kx in range(w // 2 + 1):
            one, other = plane[:, ky, kx], plane[:, ky, -kx % w]
            expected[:, ky, kx] = {"first": one, "second": other, "mean": (one + other) / 2}[quadrant]
    assert np.allclose(low_quadrant(x, quadrant), expected)
    assert np.allclose(low_quadrant(torch.from_numpy(x), quadrant).numpy(), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_averaged_over_channels_then_over_the_batch_or_not(channels):
    x = np.random.default_rng(2).normal(size=(4, channels, 7, 8)).astype(np.float32)
    magnitudes = np.abs(np.fft.fft2(x.astype(np.float64)))[..., :4, :5].mean(axis=1)
    assert image_low_bias(x) == pytest.approx(direct(magnitudes.mean(axis=0)))
    assert np.allclose(image_low_bias(x, batch="each"), [direct(m) for m in magnitudes])
    tensor = torch.from_numpy(x)
    assert image_low_bias(tensor).item() == pytest.approx(direct(magnitudes.mean(axis=0)))
    assert image_low_bias(tensor, batch="each").shape == (4,)


def test_smooth_images_are_of_low_and_checkerboards_of_high_frequency():
    y, x = np.mgrid[:16, :16]
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 1, 16, 16))
    smooth = np.exp(-((y - 8) ** 2 + (x - 8) ** 2) / 8)[None, None] + noise
    board = ((y + x) % 2 - 0.5)[None, None] + noise
    assert image_low_bias(smooth) > image_low_bias(noise) > image_low_bias(board)


@pytest.mark.parametrize("batch", ["mean", "each"])
@pytest.mark.parametrize("quadrant", ["first", "mean"])
def test_the_gradient_is_that_of_finite_differences(batch, quadrant):
    x = torch.randn((2, 2, 5, 6), generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: image_low_bias(given, batch=batch, quadrant=quadrant), (x,))
    assert torch.autograd.gradgradcheck(lambda given: image_low_bias(given, batch=batch, quadrant=quadrant), (x,))


def test_arrays_without_the_axes_are_refused():
    with pytest.raises(FreqmapsError, match="at least height and width"):
        low_quadrant(np.ones(4))
    with pytest.raises(FreqmapsError, match="give samples, channels, height and width"):
        image_low_bias(np.ones((4, 4)))
    with pytest.raises(FreqmapsError, match="at least 2 frequencies"):
        image_low_bias(np.ones((1, 1, 1, 4)))
