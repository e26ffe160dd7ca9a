"""Energies of maps and of group maps by ring and sector, against slow loops over frequencies."""

from math import hypot, isnan

import numpy as np
import pandas as pd
import pytest

from freqmaps import stores
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation._energies import energies
from freqmaps.results.reader import Inputs
from freqmaps.spectra.masks import binary_mask
from freqmaps.stores import ARRAYS
from tests import tiny_results as tiny

BANDS = 5


@pytest.fixture(scope="module", name="study")
def small_study(tmp_path_factory):
    return tiny.make(tmp_path_factory.mktemp("energies"))


def slow_shares(plane):
    """The shares of a plane's energy by ring and by sector, and below half the largest radius, one by one."""
    h, w = plane.shape
    corner = hypot(h // 2, w // 2)
    radial, angular, low = np.zeros(BANDS), np.zeros(BANDS), 0.0
    for row in range(h):
        for column in range(w):
            ky, kx = row - h // 2, column - w // 2
            radius = hypot(ky, kx)
            radial[min(int(radius / corner * BANDS + 1e-9), BANDS - 1)] += plane[row, column]
            low += plane[row, column] * (radius < corner / 2 - 1e-9)
            if (ky, kx) != (0, 0):
                turn = (np.arctan2(ky, kx) % np.pi) / (np.pi / BANDS)
                angular[int(np.floor(turn + 0.5 + 1e-9)) % BANDS] += plane[row, column]
    return radial / radial.sum(), angular / angular.sum(), low / plane.sum()


def agree(found, plane):
    if not plane.any():
        return all(np.isnan(found[name].values).all() for name in ("radial", "angular", "low"))
    radial, angular, low = slow_shares(plane)
    return (
        np.allclose(found["radial"], radial)
        and np.allclose(found["angular"], angular)
        and found["low"].item() == pytest.approx(low)
    )


def test_energies_of_maps_are_those_of_a_slow_loop(study):
    folder = tiny.evaluation(study, tiny.ROBUST, "map_energy", maps="tiny", bands=BANDS)
    arrays = stores.read(folder / "arrays.zarr.zip", ARRAYS)
    samples = pd.read_csv(folder / "samples.csv", dtype=str)
    inputs = Inputs.from_folders(list(study.folders.values()))
    assert arrays.sizes == {"map": len(samples), "reading": 2, "radius": BANDS, "direction": BANDS}
    assert arrays["in_ring"].values.sum() == 64 and arrays["in_sector"].values.sum() == 63
    seen = []
    for images in ("essential", "transferred"):
        store = inputs.maps(**tiny.ROBUST, maps="tiny", images=images, variables=["map"])
        mine = samples[samples["images"] == images]
        assert mine["sample"].tolist() == store["sample"].values.tolist()
        for position, mask in zip(mine.index, store["map"].values.astype(float), strict=True):
            one = arrays.isel(map=int(position))
            assert agree(one.sel(reading="made"), (mask**2).sum(axis=0))
            flat = np.array([1.0 if v > 1e-8 else v for v in mask.ravel()]).reshape(mask.shape)
            assert agree(one.sel(reading="binary"), (flat**2).sum(axis=0))
        seen.append(images)
    rows = pd.read_csv(folder / "evaluation.csv")
    assert rows.groupby("images").size().to_dict() == dict.fromkeys(seen, 2)
    for row in rows.to_dict("records"):
        mine = np.flatnonzero(samples["images"] == row["images"])
        low = arrays["low"].sel(reading=row["reading"]).values[mine]
        known = low[np.isfinite(low)]
        assert row["value"] == pytest.approx(known.mean()) and row["n"] == len(known)
        assert row["empty"] == len(low) - len(known) and row["low"] < row["value"] < row["high"]


def test_energies_of_group_maps_are_those_of_a_slow_loop(study):
    folder = tiny.evaluation(study, tiny.PLAIN, "group_map_energy", group_maps="tiny", masks_of=["robust"], bands=BANDS)
    arrays, rows = stores.read(folder / "arrays.zarr.zip", ARRAYS), pd.read_csv(folder / "evaluation.csv")
    inputs = Inputs.from_folders(list(study.folders.values()))
    assert rows["masks_of"].unique().tolist() == ["plain", "robust"] and len(rows) == arrays.sizes["map"]
    for training, part in rows.groupby("masks_of"):
        store = inputs.group_maps(**(tiny.PLAIN | {"training": training}), group_maps="tiny")
        assert part["group"].tolist() == store["group"].values.tolist()
        for position, mask in zip(part.index, store["map"].values.astype(float), strict=True):
            assert agree(arrays.isel(map=int(position)), (mask**2).sum(axis=0))
            assert rows["value"][position] == pytest.approx(arrays["low"].values[position])


def test_a_plane_without_energy_has_no_shares(tmp_path):
    planes = np.zeros((2, 4, 4))
    planes[1, 2, 2] = 1.0  # the origin alone: all energy is low, and none has a direction
    found = energies(planes, 4, {"map": [0, 1]})
    assert np.isnan(found["radial"].values[0]).all() and isnan(found["low"].values[0])
    assert found["low"].values[1] == 1 and np.isnan(found["angular"].values[1]).all()
    stores.write(tmp_path / "arrays.zarr.zip", found, ARRAYS)  # which says what NaN means


def test_binary_masks_by_hand():
    mask = np.array([0.0, 1e-9, 1e-8, 2e-8, 0.3, 1.0])
    assert binary_mask(mask).tolist() == [0.0, 1e-9, 1e-8, 1.0, 1.0, 1.0]
    assert mask[4] == 0.3, "the masks given stay as they are"
    with pytest.raises(FreqmapsError, match="NaN or infinity"):
        binary_mask([np.nan])
    with pytest.raises(FreqmapsError, match="give a threshold above 0"):
        binary_mask([0.5], threshold=0.0)
