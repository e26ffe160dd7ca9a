import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra import transforms as spectra


@given(st.integers(1, 40))
def test_frequencies_are_those_of_numpy_shifted(n):
    assert np.array_equal(spectra.frequencies(n), np.round(np.fft.fftshift(np.fft.fftfreq(n)) * n))


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 10_000))
def test_filtering_is_linear_and_the_map_of_ones_changes_nothing(h, w, seed):
    rng = np.random.default_rng(seed)
    x, y, m = rng.normal(size=(3, 2, h, w))
    assert np.allclose(spectra.filter_image(x, np.ones_like(x)), x)
    together = spectra.filter_image(2 * x - 3 * y, m)
    assert np.allclose(together, 2 * spectra.filter_image(x, m) - 3 * spectra.filter_image(y, m))
    assert np.isclose((spectra.spectrum(x) ** 2).sum(), h * w * (x**2).sum())  # Parseval


def test_a_map_keeps_exactly_its_frequency():
    n, k = 8, 2
    x = np.arange(n)
    wave = np.tile(np.cos(2 * np.pi * k * x / n), (n, 1))
    other = np.tile(np.cos(2 * np.pi * 3 * x / n), (n, 1))
    m = np.zeros((n, n))
    m[n // 2, n // 2 + k] = m[n // 2, n // 2 - k] = 1
    assert np.allclose(spectra.filter_image(wave + other + 1, m), wave)


def test_channels_are_not_rolled():
    x = np.stack([np.ones((4, 4)), 2 * np.ones((4, 4)), 3 * np.ones((4, 4))])
    assert np.allclose(spectra.filter_image(x, np.ones((4, 4)))[:, 0, 0], [1, 2, 3])
    assert np.allclose(spectra.spectrum(x)[:, 2, 2], [16, 32, 48])


@pytest.mark.parametrize("m", [np.ones((4, 5)), np.ones((3, 4, 4)), np.ones(4)])
def test_a_map_that_does_not_fit_is_refused(m):
    with pytest.raises(FreqmapsError):
        spectra.filter_image(np.ones((2, 4, 4)), m)


def test_no_frequencies_without_pixels():
    with pytest.raises(FreqmapsError):
        spectra.frequencies(0)
