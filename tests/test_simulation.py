"""Simulations: the contract of all, and the numbers of each against a closed form or a slow loop."""

import numpy as np
import pytest
import xarray as xr

from freqmaps.core import components
from freqmaps.evaluation._api import REQUIRED
from freqmaps.provenance.manifest import csv_text
from freqmaps.simulation import Simulated, blue_shift
from freqmaps.stores import ARRAYS, read, write


@pytest.mark.parametrize("kind", components.names("simulation"))
def test_every_simulation_keeps_the_contract(kind, tmp_path):
    constants = components.find("simulation", kind).constants
    parameters = components.resolve("simulation", kind, constants["TINY"], where=kind, supplied=("seed",))
    compute = components.load("simulation", kind)
    rows, arrays = told(compute(seed=3, **parameters))
    assert rows and all(row.keys() == rows[0].keys() and set(REQUIRED) <= row.keys() for row in rows)
    again, same = told(compute(seed=3, **parameters))
    assert csv_text(again) == csv_text(rows) != csv_text(told(compute(seed=4, **parameters))[0])
    assert same.identical(arrays)
    write(tmp_path / "arrays.zarr.zip", arrays, ARRAYS)
    assert read(tmp_path / "arrays.zarr.zip", ARRAYS).equals(arrays)


def told(found):
    if not isinstance(found, Simulated):
        return found, xr.Dataset()
    return found.rows, xr.Dataset() if found.arrays is None else found.arrays


def by(rows, activation):
    return {row["measure"]: row for row in rows if row["activation"] == activation}


def test_what_stays_linear_moves_no_energy():
    found = by(blue_shift.compute(seed=0, draws=50, limit=2.0), "hardtanh")
    assert found["above"]["value"] == pytest.approx(0, abs=1e-20)
    assert found["below"]["value"] == pytest.approx(0, abs=1e-20)


def test_a_rectified_sine_is_its_fourier_series():
    """ReLU of one sine: half the sine, and even harmonics of amplitude 2 / (π (4 m² - 1)); all lie above the band."""
    found = by(blue_shift.compute(seed=0, draws=2, sines=1, low=8, high=8, points=4096), "ReLU")
    harmonics = (2 / (np.pi * (4 * np.arange(1, 200) ** 2 - 1))) ** 2
    assert found["above"]["value"] == pytest.approx(harmonics.sum() / (harmonics.sum() + 0.25), rel=1e-4)
    assert found["below"]["value"] == pytest.approx(0, abs=1e-12)


def test_shares_are_those_of_a_slow_transform():
    signals = np.random.default_rng(0).normal(size=(2, 32))
    above, below = blue_shift._shares(signals, 4, 6)
    k, t = np.arange(1, 17), np.arange(32)
    for row, signal in enumerate(signals):
        energy = np.array([abs(sum(signal * np.exp(-2j * np.pi * f * t / 32))) ** 2 for f in k])
        assert above[row] == pytest.approx(energy[k > 6].sum() / energy.sum())
        assert below[row] == pytest.approx(energy[k < 4].sum() / energy.sum())


def test_signals_lie_in_their_band_and_have_equal_peaks():
    signals = blue_shift._signals(np.random.default_rng(1), 20, 256, (3, 8, 16), 0.5)
    assert np.abs(signals).max(axis=1) == pytest.approx(np.full(20, 0.5))
    energy = np.abs(np.fft.rfft(signals, axis=1)) ** 2
    assert ((energy > 1e-9 * energy.max()).sum(axis=1) == 3).all()
    assert np.delete(energy, np.s_[8:17], axis=1).max() < 1e-18 * energy.max()
