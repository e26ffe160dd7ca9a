"""Rings and sectors: partitions, symmetries, closed forms, and a slow loop in other arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra import bands
from freqmaps.spectra.transforms import frequencies, spectrum

SIZES = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(SIZES, st.integers(1, 40))
def test_every_frequency_lies_in_one_ring(size, count):
    index, edges = bands.rings(*size, count), bands.ring_edges(*size, count)
    corner = (size[0] // 2) ** 2 + (size[1] // 2) ** 2
    for i, ky in enumerate(frequencies(size[0])):
        for j, kx in enumerate(frequencies(size[1])):
            # In fractions of squares; below the lower bound of none, above the lower bound of the next of none.
            square = Fraction(int(ky) ** 2 + int(kx) ** 2, max(corner, 1)) * count**2
            inside = [b for b in range(count) if b**2 <= square < (b + 1) ** 2 or (b == count - 1 and square >= b**2)]
            assert [index[i, j]] == inside[:1] and len(inside) == 1
            if corner:
                assert edges[index[i, j]] <= math.hypot(ky, kx) * (1 + 1e-12)
                assert math.hypot(ky, kx) <= edges[index[i, j] + 1] * (1 + 1e-12)
    assert edges[-1] == pytest.approx(math.sqrt(corner))


@given(SIZES, st.integers(1, 40))
def test_every_frequency_but_the_origin_lies_in_one_sector(size, count):
    index = bands.sectors(*size, count)
    for i, ky in enumerate(frequencies(size[0])):
        for j, kx in enumerate(frequencies(size[1])):
            if ky == kx == 0:
                assert index[i, j] == -1
                continue
            # Distance of the directions as lines, by the cross product with each sector's middle.
            middles = bands.sector_angles(count)
            away = np.abs(np.sin(middles) * kx - np.cos(middles) * ky) / math.hypot(ky, kx)
            assert 0 <= index[i, j] < count
            assert away[index[i, j]] <= min(1, math.sin(math.pi / (2 * count))) + 1e-12


@given(SIZES, st.integers(1, 40), st.integers(0, 1000))
def test_opposite_frequencies_are_together(size, count, seed):
    rings, sectors = bands.rings(*size, count), bands.sectors(*size, count)
    ky, kx = frequencies(size[0]), frequencies(size[1])
    for i, j in np.random.default_rng(seed).integers(0, size, (20, 2)):
        if -ky[i] in ky and -kx[j] in kx:
            opposite = (-ky[i] + size[0] // 2, -kx[j] + size[1] // 2)
            assert rings[i, j] == rings[opposite] and sectors[i, j] == sectors[opposite]


@pytest.mark.parametrize("size", [9, 15, 33])
@pytest.mark.parametrize("count", [4, 8, 32])
def test_a_quarter_turn_permutes_sectors_and_leaves_rings(size, count):
    plane = np.random.default_rng(0).random((3, size, size))
    turned = np.rot90(plane, -1, (1, 2))  # clockwise on a plane whose ky points down: adds 90 degrees
    quarter = np.roll(bands.angular_energy(plane, count), count // 2, axis=1)
    assert np.allclose(bands.angular_energy(turned, count), quarter)
    assert np.allclose(bands.radial_energy(turned, count), bands.radial_energy(plane, count))
    mirrored = bands.angular_energy(plane[:, :, ::-1], count)  # sector b becomes -b
    assert np.allclose(mirrored, bands.angular_energy(plane, count)[:, -np.arange(count) % count])


@given(st.integers(0, 1000), st.integers(1, 9))
def test_energies_are_the_sums_of_a_slow_loop(seed, count):
    plane = np.random.default_rng(seed).random((2, 3, 7, 6))
    index = bands.sectors(7, 6, count)
    found = bands.band_energy(plane, index, count)
    assert found.shape == (2, 3, count)
    expected = np.zeros((2, 3, count))
    for i in range(7):
        for j in range(6):
            if index[i, j] >= 0:
                expected[:, :, index[i, j]] += plane[:, :, i, j]
    assert np.allclose(found, expected)


@given(st.integers(1, 12), st.integers(2, 12), st.integers(0, 1000))
def test_shares_add_up_to_one(h, w, seed):
    x = np.random.default_rng(seed).random((4, h, w))
    power = spectrum(x) ** 2
    assert np.allclose(bands.radial_energy(power, 8).sum(1), 1)
    assert np.allclose(bands.angular_energy(power, 8).sum(1), 1)
    whole = bands.band_energy(power, bands.rings(h, w, 8), 8).sum(1)
    assert np.allclose(whole, h * w * (x**2).sum((1, 2)))  # Parseval


def test_a_wave_is_in_one_ring_and_one_sector():
    n, (ky, kx) = 32, (5, 5)
    y, x = np.mgrid[:n, :n]
    power = spectrum(np.cos(2 * np.pi * (ky * y + kx * x) / n)) ** 2
    radial, angular = bands.radial_energy(power), bands.angular_energy(power)
    ring = int(math.hypot(ky, kx) / (math.hypot(16, 16) / 32))
    assert radial[ring] == pytest.approx(1) and angular[8] == pytest.approx(1)  # sector 8 of 32 is at 45 degrees
    assert bands.sector_angles()[8] == pytest.approx(math.pi / 4)
    across = bands.angular_energy(spectrum(np.cos(2 * np.pi * 3 * x / n)) ** 2)
    assert across[0] == pytest.approx(1)
    down = bands.angular_energy(spectrum(np.cos(2 * np.pi * 3 * y / n)) ** 2)
    assert down[16] == pytest.approx(1)


def test_an_even_plane_has_the_area_of_its_bands():
    """Where all frequencies weigh the same, rings within the circle have shares that grow like their area."""
    n, count = 512, 32
    radial = bands.radial_energy(np.ones((n, n)), count)
    edges = bands.ring_edges(n, n, count)
    inner = edges[1:] < n / 2 - 1
    area = np.pi * (edges[1:] ** 2 - edges[:-1] ** 2) / n**2
    assert np.allclose(radial[inner], area[inner], rtol=0.05)
    # A square's sector of half angle s around an axis has tan(s) of a quarter of it.
    angular = bands.angular_energy(np.ones((n - 1, n - 1)), count)
    assert angular[0] == pytest.approx(math.tan(math.pi / 64) / 2, rel=0.02)


def test_the_origin_alone_has_no_direction():
    plane = np.zeros((6, 6))
    plane[3, 3] = 2.0
    assert bands.radial_energy(plane, 4).tolist() == [1, 0, 0, 0]
    assert np.isnan(bands.angular_energy(plane, 4)).all()
    assert np.isnan(bands.radial_energy(np.zeros((2, 6, 6)), 4)).all()


def test_blocks_make_no_difference(monkeypatch):
    plane = np.random.default_rng(0).random((11, 5, 5)).astype(np.float32)
    whole = bands.radial_energy(plane, 3)
    monkeypatch.setattr(bands, "_BLOCK", 4)
    assert np.array_equal(whole, bands.radial_energy(plane, 3))
    assert bands.radial_energy(np.zeros((0, 5, 5)), 3).shape == (0, 3)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_what_is_no_energy_is_refused(bad):
    plane = np.ones((3, 4, 4))
    plane[1, 2, 3] = bad
    with pytest.raises(FreqmapsError, match="negative number, NaN or infinity"):
        bands.radial_energy(plane)


def test_what_does_not_fit_is_refused():
    with pytest.raises(FreqmapsError, match="do not fit"):
        bands.band_energy(np.ones((3, 4)), bands.rings(4, 4))
    with pytest.raises(FreqmapsError, match="0 bands"):
        bands.rings(4, 4, 0)
    with pytest.raises(FreqmapsError, match=r"give \(\.\.\., h, w\)"):
        bands.angular_energy(np.ones(4))
