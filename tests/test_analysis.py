"""Analyses of maps: what is small. Bands, classifier, embedding and stability have files of their own."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from freqmaps import analysis
from freqmaps.analysis import (
    activated,
    band_exceedance,
    complement_mask,
    harmonics,
    mask_differences,
    share_outside,
    wave,
)
from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.transforms import filter_image

# --- the package


def test_every_name_is_found_whatever_was_imported_before():
    assert set(analysis._MODULES) == set(analysis.__all__)
    for name in analysis.__all__:
        module = importlib.import_module(analysis._MODULES[name])
        assert getattr(analysis, name) is getattr(module, name)  # a function, not the module of its name
    with pytest.raises(AttributeError, match="no attribute 'radial'"):
        _ = analysis.radial


def test_importing_is_light():
    heavy = "{'torch', 'sklearn', 'umap', 'numba', 'xarray', 'pandas'} & set(sys.modules)"
    code = f"import sys; from freqmaps.analysis import radial_energy, harmonics, separability; print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- complement


def test_complement_by_hand():
    mask = np.array([[0, 1e-9, 1e-8], [1e-7, 0.5, 1]], np.float32)
    found = complement_mask(mask)
    # 1e-8 in single precision lies below the double: compared as what the map holds.
    assert found.tolist() == [[1, 1, float(np.float32(1e-8) < 1e-8)], [0, 0, 0]]
    assert found.dtype == np.float32
    assert complement_mask(np.array([0, 1e-8])).tolist() == [1, 0]
    assert complement_mask([[0, 1]]).tolist() == [[1, 0]]


@given(st.integers(0, 1000))
def test_a_binary_mask_and_its_complement_divide_the_image(seed):
    rng = np.random.default_rng(seed)
    image, mask = rng.random((6, 6)), (rng.random((6, 6)) < 0.5).astype(float)
    assert np.allclose(filter_image(image, mask) + filter_image(image, complement_mask(mask)), image)


def test_complement_refuses_what_is_no_mask():
    with pytest.raises(FreqmapsError, match="NaN"):
        complement_mask([0.0, np.nan])
    with pytest.raises(FreqmapsError, match="threshold above 0"):
        complement_mask([0.0], threshold=0.0)


# --- differences


@given(st.integers(0, 1000), st.integers(1, 4))
def test_differences_are_moved_together(seed, count):
    rng = np.random.default_rng(seed)
    masks, reference = rng.random((count, 2, 5, 4)), rng.random((2, 5, 4))
    plain = mask_differences(masks, reference, "none")
    assert np.array_equal(plain, np.stack([m - reference for m in masks]))
    mean = mask_differences(masks, reference)
    assert np.isclose(mean.mean(), 0, atol=1e-12)
    assert np.allclose(mean - plain, (mean - plain).flat[0])  # one number for all: distances are kept
    ranged = mask_differences(masks, reference, "range")
    assert np.isclose(ranged.min(), -0.5) and np.isclose(ranged.max(), 0.5)
    slope, offset = np.polyfit(plain.ravel(), ranged.ravel(), 1)
    assert slope > 0 and np.allclose(slope * plain + offset, ranged)


@pytest.mark.parametrize("center", ["mean", "range", "none"])
def test_equal_masks_do_not_differ(center):
    mask = np.random.default_rng(0).random((3, 3)).astype(np.float32)
    found = mask_differences(np.stack([mask, mask]), mask, center)
    assert found.dtype == np.float64 and not found.any()


@pytest.mark.parametrize("shapes", [((3, 4, 4), (4, 5)), ((4, 4), (4, 4)), ((0, 4, 4), (4, 4))])
def test_differences_of_what_does_not_fit_are_refused(shapes):
    with pytest.raises(FreqmapsError, match=r"give \(s, \.\.\., h, w\)"):
        mask_differences(np.zeros(shapes[0]), np.zeros(shapes[1]))


# --- exceedance


def test_exceedance_equals_counting_and_scipys_interval():
    rng = np.random.default_rng(0)
    a, b = rng.random((40, 5)), rng.random((40, 5))
    a[:, 3], a[:, 4] = b[:, 3] + 1, b[:, 4] - 1  # all, and none
    found = band_exceedance(a, b, confidence=0.9)
    for band in range(5):
        wins = sum(x > y for x, y in zip(a[:, band], b[:, band], strict=True))
        interval = stats.binomtest(wins, 40).proportion_ci(0.9, method="exact")
        assert found.share[band] == pytest.approx(wins / 40)
        assert (found.low[band], found.high[band]) == pytest.approx(tuple(interval))
    assert found.share[3:].tolist() == [1, 0] and found.high[3] == 1 and found.low[4] == 0
    assert (found.n, found.n_dropped, found.ties.tolist()) == (40, 0, [0] * 5)


def test_ties_count_for_both_sides():
    a, b = np.array([[1.0, 0, 2], [1, 0, 0], [0, 0, 0]]), np.array([[1.0, 0, 1], [0, 0, 0], [1, 0, 0]])
    one, other = band_exceedance(a, b), band_exceedance(b, a)
    assert one.ties.tolist() == [1, 3, 2] and np.allclose(one.share, [0.5, 0.5, 2 / 3])
    assert np.allclose(one.share + other.share, 1)
    assert np.allclose(one.low, 1 - other.high) and np.allclose(one.high, 1 - other.low)
    assert ((one.low <= one.share) & (one.share <= one.high)).all()
    strict = band_exceedance(a, b, tied=0.0)
    assert np.allclose(strict.share, [1 / 3, 0, 1 / 3]) and strict.ties.tolist() == [1, 3, 2]


def test_images_without_energy_are_dropped():
    a = np.array([[1.0, 2], [np.nan, np.nan], [0, 3]])
    found = band_exceedance(a, np.ones((3, 2)))
    assert (found.n, found.n_dropped) == (2, 1) and found.share.tolist() == [0.25, 1]
    nothing = band_exceedance(np.full((2, 3), np.nan), np.ones((2, 3)))
    assert nothing.n == 0 and np.isnan(nothing.share).all() and np.isnan(nothing.high).all()
    single = band_exceedance([[1.0]], [[0.0]])
    assert single.share.tolist() == [1] and single.low[0] == pytest.approx(0.025)
    with pytest.raises(FreqmapsError, match="rows paired"):
        band_exceedance(np.ones((3, 2)), np.ones((2, 2)))


# --- blue shift


def test_a_sine_has_one_harmonic():
    found = harmonics(wave(amplitude=0.7))
    assert found[1] == pytest.approx(0.7) and np.allclose(np.delete(found, 1), 0, atol=1e-12)
    assert share_outside(found) == pytest.approx(0, abs=1e-20)
    assert np.isnan(share_outside(harmonics(np.full(64, 3.0))))


def test_relu_has_the_harmonics_of_the_half_wave():
    """max(sin, 0) = 1/π + sin t / 2 - 2/π sum of cos(2 k t) / (4 k² - 1)."""
    found = harmonics(activated("ReLU", wave(samples=2**15)))
    assert found[0] == pytest.approx(1 / np.pi, abs=1e-8)
    assert found[1] == pytest.approx(0.5, abs=1e-8)
    for k in range(1, 20):
        assert found[2 * k] == pytest.approx(2 / np.pi / (4 * k**2 - 1), abs=1e-8)
        assert found[2 * k + 1] == pytest.approx(0, abs=1e-12)
    # All energy but the mean's is mean(f²) - mean(f)² = 1/4 - 1/π², the fundamental's is 1/8.
    assert share_outside(found) == pytest.approx(1 - (1 / 8) / (1 / 4 - 1 / np.pi**2), abs=1e-6)


@pytest.mark.parametrize("limit", [0.3, 0.8])
def test_hardtanh_has_the_harmonics_of_a_clipped_sine(limit):
    found = harmonics(activated("hardtanh", wave(samples=2**15), limit=limit))
    a = np.arcsin(limit)
    assert found[1] == pytest.approx(2 / np.pi * (a + limit * np.cos(a)), abs=1e-7)
    for n in range(3, 30, 2):
        sines = np.sin((n - 1) * a) / (2 * (n - 1)) - np.sin((n + 1) * a) / (2 * (n + 1))
        assert found[n] == pytest.approx(abs(4 / np.pi * (sines + limit * np.cos(n * a) / n)), abs=1e-7)
        assert found[n + 1] == pytest.approx(0, abs=1e-12)
    assert np.allclose(activated("hardtanh", wave(), limit=1.0), wave())


@pytest.mark.parametrize(
    ("name", "function"), [("tanh", np.tanh), ("softplus", lambda x: np.log1p(np.exp(x)))]
)  # fmt: skip
def test_smooth_ones_have_the_harmonics_of_their_integrals(name, function):
    found = harmonics(activated(name, wave(samples=256, amplitude=1.5)))
    for k in range(8):
        coefficients = [
            integrate.quad(lambda t, k=k, g=g: function(1.5 * np.sin(t)) * g(k * t), 0, 2 * np.pi, epsabs=1e-11)[0]
            for g in (np.sin, np.cos)
        ]
        expected = np.hypot(*coefficients) / np.pi / (2 if k == 0 else 1)
        assert found[k] == pytest.approx(expected, abs=1e-9)
    # tanh is odd; softplus is x / 2 and an even function.
    assert np.allclose(found[2::2] if name == "tanh" else found[3::2], 0, atol=1e-12)
    assert name == "tanh" or found[1] == pytest.approx(0.75)


@given(st.integers(1, 33), st.integers(0, 1000))
def test_harmonics_hold_all_energy(n, seed):
    signal = np.random.default_rng(seed).normal(size=n)
    found = harmonics(signal)
    weights = np.full(len(found), 0.5)
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    assert np.isclose((weights * found**2).sum(), (signal**2).mean())


def test_two_sines_intermodulate():
    """The square of section 2.1: sums and differences of the frequencies, their doubles, and a mean."""
    found = harmonics(wave((5, 7)) ** 2)
    assert sorted(np.flatnonzero(found > 1e-9).tolist()) == [0, 2, 10, 12, 14]
    assert np.allclose(found[[0, 2, 10, 12, 14]], [1, 1, 0.5, 1, 0.5])
    mixed = harmonics(activated("tanh", wave((5, 7))))
    assert mixed[[3, 9]].min() > 1e-3 and 0 < share_outside(mixed, (5, 7)) < 1


def test_blue_shift_refuses_what_it_does_not_know():
    with pytest.raises(FreqmapsError, match="did you mean 'softplus'"):
        activated("softmax", [1.0])
    with pytest.raises(FreqmapsError, match="limit above 0"):
        activated("hardtanh", [1.0], limit=0.0)
    with pytest.raises(FreqmapsError, match="one period"):
        harmonics(np.ones((2, 3)))
