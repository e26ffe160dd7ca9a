"""Pairings: which map stands beside which, what they draw, and what of the maps they keep."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from freqmaps.core import components
from freqmaps.matrices import MatrixSettings, matrix_dataset
from freqmaps.matrices.pairings._partners import of_other_class, of_same_class
from freqmaps.matrices.pairings._rings import shuffle_rings
from freqmaps.spectra.planes import to_full
from freqmaps.stores import MAPS, MATRICES, read, write
from tests.workflow import REPOSITORY
from workflow_scripts.matrices import run

PAIRINGS = components.names("pairing")
#: What a pairing's second set holds, by its constant.
OF = {"adversarial": "adversarial", "noise": "noise", "other network": "essential"}


def maps(ids, of="essential", size=8, seed=0):
    """Point-symmetric maps, half of whose entries are 0, of samples whose class is their number's last digit."""
    rng, n = np.random.default_rng(seed), len(ids)
    spectra = np.abs(np.fft.rfft2(rng.random((n, 3, size, size)) - 0.5)).astype(np.float32) / size
    half = np.where(spectra < 0.25, 0, np.minimum(spectra, 1))
    grid = np.arange(size) - size // 2
    columns = {
        "map": (("sample", "channel", "ky", "kx"), to_full(half, size)),
        "target": ("sample", np.arange(n)),
        "label": ("sample", np.array([int(i[1:]) % 10 for i in ids], np.int64)),
        "steps": ("sample", 500 + np.arange(n)),
        "loss": ("sample", rng.random(n, dtype=np.float32)),
        "converged": ("sample", rng.random(n) < 0.5),
        "keeps_prediction": ("sample", rng.random(n) < 0.5),
    }
    coords = {"sample": ("sample", np.array(ids, dtype=object)), "ky": grid, "kx": grid}
    attributes = {"kind": "maps", "images": of, "objective": "cross_entropy", "parameters": "{}"}
    attributes |= {"basis": "fourier", "basis_parameters": {}, "layout": "frequencies"}
    store = xr.Dataset(columns, coords, attributes)
    MAPS.validate(store, "test")
    return store


def stores(pairing):
    """30 essential maps, and 25 others in another order, of which 22 are of the same samples."""
    second = [f"s{i}" for i in range(50, 53)] + [f"s{i}" for i in range(25, 3, -1)]
    return maps([f"s{i}" for i in range(30)]), maps(second, OF[components.find("pairing", pairing).constants["SECOND"]])


def paired(pairing, first, second, seed=0):
    pair = components.load("pairing", pairing)(**components.find("pairing", pairing).constants["TINY"])
    return pair(first, second, np.random.default_rng(seed))


# --- the contract of every pairing


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_a_pairing_says_what_it_compares_with(pairing):
    component = components.find("pairing", pairing)
    assert component.constants["SECOND"] in OF
    assert set(component.constants.get("BASES", ())) <= set(components.names("basis"))
    assert set(component.constants["TINY"]) <= set(component.parameters)
    if component.constants["SECOND"] == "other network":
        assert {"training", "network_seed"} <= set(component.parameters)


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_a_pairing_returns_maps_named_as_those_they_stand_beside(pairing):
    first, second = stores(pairing)
    before = first.copy(deep=True), second.copy(deep=True)
    found = paired(pairing, first, second)
    MAPS.validate(found, pairing)
    labels = dict(zip(first["sample"].values, first["label"].values, strict=True))
    both = [(s, c) for s, c in zip(found["sample"].values, found["label"].values, strict=True) if s in labels]
    assert len(both) == 22  # every class among them has at least two
    assert all(labels[sample] == label for sample, label in both)
    assert first.identical(before[0]) and second.identical(before[1])
    matrices = matrix_dataset(first, found, MatrixSettings())
    MATRICES.validate(matrices, pairing)
    assert (matrices.sizes["sample"], matrices.attrs["first_images"]) == (22, "essential")


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_the_same_seed_draws_the_same(pairing):
    first, second = stores(pairing)
    assert paired(pairing, first, second, 3).identical(paired(pairing, first, second, 3))
    drawn = {"same_class", "other_class", "random_bands"}
    assert paired(pairing, first, second, 3).identical(paired(pairing, first, second, 4)) == (pairing not in drawn)


@pytest.mark.parametrize("pairing", [p for p in PAIRINGS if "BASES" in components.find("pairing", p).constants])
def test_a_pairing_that_reads_entries_may_get_the_maps_part_by_part(pairing):
    first, second = stores(pairing)
    pair = components.load("pairing", pairing)(**components.find("pairing", pairing).constants["TINY"])
    whole, generator = paired(pairing, first, second, 3), np.random.default_rng(3)
    parts = [pair(first, second.isel(sample=slice(*cut)), generator) for cut in ((0, 1), (1, 20), (20, None))]
    assert np.array_equal(np.concatenate([part["map"].values for part in parts]), whole["map"].values)


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_nothing_in_common_leaves_nothing_to_compare(pairing):
    first, second = maps(["s1", "s2"]), maps(["s3", "s4"], "adversarial")
    assert matrix_dataset(first, paired(pairing, first, second), MatrixSettings()).sizes["sample"] == 0
    empty = paired(pairing, first.isel(sample=slice(0)), second.isel(sample=slice(0)))
    assert empty.sizes["sample"] == 0


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_the_stage_writes_what_it_paired(pairing, tmp_path):
    inputs = {}
    for role, store in zip(("first", "second"), stores(pairing), strict=True):
        halves = [store.isel(sample=slice(0, 13)), store.isel(sample=slice(13, None))]
        inputs[role] = [tmp_path / f"{role}-{part}" for part in range(2)]
        for folder, half in zip(inputs[role], halves, strict=True):
            folder.mkdir()
            write(folder / "store.zarr.zip", half, MAPS)
    component = components.find("pairing", pairing)
    parameters = {"pairing": {"kind": pairing, "parameters": component.constants["TINY"]}, "settings": {"pool": "none"}}
    headline = run(SimpleNamespace(inputs=inputs, parameters=parameters, seed=5, folder=tmp_path, attributes=dict))
    found = read(tmp_path / "store.zarr.zip", MATRICES)
    assert headline["n"] == found.sizes["sample"] == 22
    shuffled = ", shuffled in rings" if pairing == "random_bands" else ""
    assert found.attrs["pairing"] == pairing
    assert (found.attrs["first_images"], found.attrs["second_images"]) == (
        "essential",
        OF[component.constants["SECOND"]] + shuffled,
    )
    expected = matrix_dataset(stores(pairing)[0], paired(pairing, *stores(pairing), seed=5), MatrixSettings())
    assert np.array_equal(found["second"].values, expected["second"].values)


# --- which map stands beside which


@pytest.mark.parametrize("pairing", ["matched", "noise", "other_network"])
def test_pairs_of_one_image_are_left_as_they_are(pairing):
    first, second = stores(pairing)
    assert paired(pairing, first, second).identical(second)


@pytest.mark.parametrize(("pairing", "same"), [("same_class", True), ("other_class", False)])
def test_partners_are_other_images_of_the_class_asked_for(pairing, same):
    first, second = stores(pairing)
    found = paired(pairing, first, second)
    # The number of steps tells a map of the second store from all others.
    whose = dict(zip(second["steps"].values, second["sample"].values, strict=True))
    partners = [whose[steps] for steps in found["steps"].values]
    assert sorted(partners) == sorted(found["sample"].values)  # each is used once
    for sample, partner in zip(found["sample"].values, partners, strict=True):
        assert sample != partner
        assert (sample[-1] == partner[-1]) == same
    for name in ("map", "target", "converged", "keeps_prediction", "loss"):  # what belongs to a map goes with it
        whole = second[name].sel(sample=partners).values
        assert np.array_equal(found[name].values, whole)


LABELS = st.lists(st.integers(0, 4), max_size=30).map(lambda found: np.array(found, dtype=np.int64))


@given(LABELS, st.integers(0, 5))
def test_partners_of_the_same_class_are_a_rearrangement_without_fixed_points(labels, seed):
    samples, partners = of_same_class(labels, np.random.default_rng(seed))
    assert sorted(partners) == list(samples)
    assert (samples != partners).all() and (labels[samples] == labels[partners]).all()
    assert set(samples) == {i for i, label in enumerate(labels) if (labels == label).sum() > 1}


@given(LABELS, st.integers(0, 5))
def test_partners_of_another_class_are_a_rearrangement_of_as_many_as_there_can_be(labels, seed):
    samples, partners = of_other_class(labels, np.random.default_rng(seed))
    assert sorted(partners) == list(samples)
    assert (labels[samples] != labels[partners]).all()
    most = max(np.unique(labels, return_counts=True)[1], default=0)
    assert len(samples) == min(len(labels), 2 * (len(labels) - most))


def test_all_other_classes_come_up_as_often_as_they_are_there():
    labels = np.repeat(np.arange(3), [200, 200, 400])
    counts = np.zeros((3, 3))
    for seed in range(20):
        samples, partners = of_other_class(labels, np.random.default_rng(seed))
        np.add.at(counts, (labels[samples], labels[partners]), 1)
    # Half of all are of class 2: they take all the others, and the others take them.
    assert np.array_equal(counts, 20 * np.array([[0, 0, 200], [0, 0, 200], [200, 200, 0]]))
    balanced = np.repeat(np.arange(3), 300)
    samples, partners = of_other_class(balanced, np.random.default_rng(0))
    shares = np.histogram2d(balanced[samples], balanced[partners], bins=3)[0] / 300
    np.testing.assert_allclose(shares, 0.5 * (1 - np.eye(3)), atol=0.12)


# --- shuffled rings


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("width", [1.0, 2.5])
def test_each_ring_and_channel_keeps_its_values(size, width):
    planes = maps([f"s{i}" for i in range(5)], size=size)["map"].values
    grid = np.arange(size) - size // 2
    found = shuffle_rings(planes, grid, grid, width, np.random.default_rng(0))
    radius = np.sqrt(grid[:, None] ** 2 + grid[None] ** 2)
    rings = [(radius >= (b - 0.5) * width) & (radius < (b + 0.5) * width) for b in range(size)]
    assert sum(ring.sum() for ring in rings) == size * size
    for ring in rings:
        assert np.array_equal(np.sort(planes[..., ring], axis=-1), np.sort(found[..., ring], axis=-1))
    assert (planes != found).mean() > 0.3
    # Filtering by a map that is not point symmetric would not give a real image.
    back = np.fft.ifft2(np.fft.ifftshift(found, axes=(-2, -1)))
    assert np.abs(back.imag).max() < 1e-6


def test_shuffles_are_independent_of_each_other_and_every_place_comes_up():
    size = 8
    grid = np.arange(size) - size // 2
    one = np.zeros((1, 1, size, size), np.float32)
    one[0, 0, 4 + 2, 4 + 1] = one[0, 0, 4 - 2, 4 - 1] = 1  # radius 2.24
    found = shuffle_rings(np.repeat(one, 3000, axis=0), grid, grid, 1.0, np.random.default_rng(0))[:, 0]
    ring = np.rint(np.hypot(grid[:, None], grid[None])) == 2
    shares = found.mean(axis=0)
    assert (shares[~ring] == 0).all() and ring.sum() == 12
    np.testing.assert_allclose(shares[ring], 1 / 6, atol=0.03)


def test_shuffled_maps_say_so_and_differ_in_nothing_else():
    first, second = stores("random_bands")
    found = paired("random_bands", first, second)
    assert found.attrs["images"] == "adversarial, shuffled in rings"
    assert found.drop_vars("map").assign_attrs(images="adversarial").identical(second.drop_vars("map"))
    assert found["map"].dtype == np.float32 and not np.array_equal(found["map"].values, second["map"].values)


def test_the_pairing_of_the_guide_works():
    guide = (REPOSITORY / "docs" / "add-a-pairing.md").read_text(encoding="utf-8")
    module = {}
    exec(re.search(r"```python\n(.*?)```", guide, re.DOTALL)[1], module)
    first, second = stores("matched")
    found = module["build"](**module["TINY"])(first, second, np.random.default_rng(0))
    assert found["sample"].values.tolist() == [f"s{i}" for i in range(4, 26)]
    whose = dict(zip(second["steps"].values, second["sample"].values, strict=True))
    assert [whose[steps] for steps in found["steps"].values] == [f"s{i}" for i in [*range(5, 26), 4]]
