"""Matrices: the join, the pooling, and the store they make."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.maps import Maps, to_dataset
from freqmaps.matrices import MatrixSettings, concatenate, join, matrix_dataset, pool, pooled
from freqmaps.stores import MAPS, MATRICES, read, write, zarrfile
from tests.map_cases import small_net
from workflow_scripts.matrices import run


def maps(ids, of="essential", size=8, seed=0, **flags):
    rng = np.random.default_rng(seed)
    n, ids = len(ids), list(ids)
    columns = {
        "map": (("sample", "channel", "ky", "kx"), rng.random((n, 3, size, size), dtype=np.float32)),
        "target": ("sample", np.zeros(n, np.int64)),
        "label": ("sample", np.array([int(i[1:]) % 10 for i in ids], np.int64)),
        "steps": ("sample", np.full(n, 500)),
        "loss": ("sample", np.ones(n, np.float32)),
        "converged": ("sample", np.array(flags.get("converged", [True] * n), bool)),
        "keeps_prediction": ("sample", np.array(flags.get("kept", [True] * n), bool)),
    }
    grid = np.arange(size) - size // 2
    coords = {"sample": ("sample", np.array(ids, dtype=object)), "ky": grid, "kx": grid}
    attributes = {"kind": "maps", "images": of, "objective": "cross_entropy", "parameters": "{}"}
    store = xr.Dataset(columns, coords, attributes)
    MAPS.validate(store, "test")
    return store


@given(st.lists(st.integers(0, 20), unique=True), st.lists(st.integers(0, 20), unique=True))
def test_join_pairs_what_both_have_and_reports_the_rest(left, right):
    one, other = [f"s{i}" for i in left], [f"s{i}" for i in right]
    rows_one, rows_two, only_one, only_two = join(one, other)
    assert [one[i] for i in rows_one] == [other[i] for i in rows_two]
    assert {one[i] for i in rows_one} == set(one) & set(other)
    assert set(only_one) == set(one) - set(other)
    assert set(only_two) == set(other) - set(one)
    assert sorted(rows_one) == list(rows_one)


def test_a_sample_that_occurs_twice_is_refused():
    with pytest.raises(FreqmapsError, match="'b' occurs twice in the second set of maps"):
        join(["a", "b"], ["b", "a", "b"])


@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_pool_equals_a_loop(how, size):
    planes = np.random.default_rng(0).random((4, 2, 6, 6), dtype=np.float32)
    found = pool(planes, size, how).reshape(4, 2, size, size)
    step = 6 // size
    for i in range(size):
        for j in range(size):
            square = planes[:, :, i * step : (i + 1) * step, j * step : (j + 1) * step].astype(np.float64)
            np.testing.assert_allclose(found[:, :, i, j], getattr(square, how)(axis=(2, 3)), rtol=1e-6)
    assert found.dtype == np.float32


def test_pool_without_a_size_flattens():
    planes = np.random.default_rng(0).random((4, 2, 6, 6), dtype=np.float32)
    assert np.array_equal(pool(planes, None, "mean"), planes.reshape(4, -1))


@pytest.mark.parametrize("size", [0, 4, 12])
def test_pool_needs_a_whole_factor(size):
    with pytest.raises(FreqmapsError, match="choose a size that divides both"):
        pool(np.zeros((1, 1, 6, 6), np.float32), size, "max")


def test_the_store_keeps_its_contract(tmp_path):
    essential, adversarial = maps(["s1", "s2", "s3", "s4"]), maps(["s4", "s9", "s2"], "adversarial", seed=1)
    found = matrix_dataset(essential, adversarial, MatrixSettings())
    write(tmp_path / "store.zarr.zip", found, MATRICES)
    back = read(tmp_path / "store.zarr.zip", MATRICES)
    assert back["sample"].values.tolist() == ["s2", "s4"]
    assert back["label"].values.tolist() == [2, 4]
    assert np.array_equal(back["first"].values, essential["map"].values[[1, 3]].reshape(2, -1))
    assert np.array_equal(back["second"].values, adversarial["map"].values[[2, 0]].reshape(2, -1))
    assert (back.attrs["only_first"], back.attrs["only_second"]) == (2, 1)
    assert (back.attrs["first_images"], back.attrs["second_images"]) == ("essential", "adversarial")
    assert list(back.attrs["shape"]) == [3, 8, 8]


def test_the_store_says_what_its_sets_are_maps_of():
    found = matrix_dataset(maps(["s1"]), maps(["s1"], "noise", seed=1), MatrixSettings())
    assert (found.attrs["first_images"], found.attrs["second_images"]) == ("essential", "noise")
    with pytest.raises(FreqmapsError, match=r"the second \(noise\) maps have shape \(3, 4, 4\)"):
        matrix_dataset(maps(["s1"]), maps(["s1"], "noise", size=4), MatrixSettings())


def test_pooled_matrices():
    essential, adversarial = maps(["s1", "s2"]), maps(["s1", "s2"], "adversarial", seed=1)
    found = matrix_dataset(essential, adversarial, MatrixSettings(pool="max", size=4))
    assert found["second"].shape == (2, 3 * 16)
    assert (found.attrs["pool"], found.attrs["shape"]) == ("max", [3, 4, 4])
    assert np.array_equal(found["first"].values, pool(essential["map"].values, 4, "max"))


def test_rows_of_parts_are_rows_of_the_whole():
    settings = MatrixSettings(pool="mean", size=2)
    stores = maps(["s1", "s2", "s3"]), maps(["s3", "s1", "s9"], "adversarial", seed=1)
    parts = [concatenate([pooled(s.isel(sample=slice(*c)), settings) for c in ((0, 2), (2, 3))]) for s in stores]
    assert all("map" not in part for part in parts)
    assert matrix_dataset(*parts, settings).identical(matrix_dataset(*stores, settings))
    with pytest.raises(FreqmapsError, match=r"the second \(noise\) maps have shape \(3, 4, 4\)"):
        matrix_dataset(parts[0], pooled(maps(["s1"], "noise", size=4), settings), settings)


def test_pooling_many_large_maps_takes_little_memory(tmp_path, monkeypatch):
    n, size, pairing = 96, 48, "random_bands"  # which needs full planes
    one_side = n * 3 * size * size * 4
    for name in ("CHUNK_BYTES", "BLOCK_BYTES"):
        monkeypatch.setattr(zarrfile, name, one_side // 12)
    inputs = {"first": [], "second": []}
    for number, (role, of) in enumerate({"first": "essential", "second": "adversarial"}.items()):
        for start in range(0, n, 32):
            inputs[role].append(tmp_path / f"{role}-{start}")
            inputs[role][-1].mkdir()
            shard = maps([f"s{i}" for i in range(start, start + 32)], of, size, seed=number)
            write(inputs[role][-1] / "store.zarr.zip", shard, MAPS)
    settings = {"pool": "mean", "size": 4}
    parameters = {"pairing": {"kind": pairing, "parameters": {}}, "settings": settings}
    job = SimpleNamespace(inputs=inputs, parameters=parameters, seed=5, folder=tmp_path, attributes=dict)
    tracemalloc.start()
    try:
        run(job)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found = read(tmp_path / "store.zarr.zip", MATRICES)
    assert found["first"].shape == (n, 3 * 16)
    # Measured: 0.75 (0.3 of it for parts of the maps). Both sides as they lie in the stores would be 2, copies more.
    assert peak < 1.2 * one_side
    whole = [concatenate([read(folder / "store.zarr.zip", MAPS) for folder in inputs[role]]) for role in inputs]
    whole[1] = components.load("pairing", pairing)()(*whole, np.random.default_rng(5))
    np.testing.assert_array_equal(found["second"], matrix_dataset(*whole, MatrixSettings(**settings))["second"])


def test_only_kept_and_only_converged_count_what_they_leave_out():
    ids = ["s1", "s2", "s3", "s4"]
    essential = maps(ids, kept=[1, 0, 1, 1], converged=[1, 0, 1, 1])
    adversarial = maps([*ids, "s5"], "adversarial", kept=[1, 1, 1, 1, 0], converged=[1, 1, 0, 1, 1])
    found = matrix_dataset(essential, adversarial, MatrixSettings(only_kept=True, only_converged=True))
    assert found["sample"].values.tolist() == ["s1", "s4"]
    assert {k: found.attrs[k] for k in ("only_first", "only_second", "not_kept", "not_converged")} == {
        "only_first": 0, "only_second": 1, "not_kept": 1, "not_converged": 1,
    }  # fmt: skip
    everything = matrix_dataset(essential, adversarial, MatrixSettings())
    assert (everything.sizes["sample"], everything.attrs["not_kept"], everything.attrs["not_converged"]) == (4, 0, 0)


def test_nothing_in_common_is_empty_not_an_error(tmp_path):
    found = matrix_dataset(maps(["s1"]), maps(["s2"], "adversarial"), MatrixSettings())
    assert found["first"].shape == (0, 192)
    write(tmp_path / "store.zarr.zip", found, MATRICES)
    assert read(tmp_path / "store.zarr.zip", MATRICES)["first"].shape == (0, 192)


def test_shards_are_put_together_in_order():
    whole = maps([f"s{i}" for i in range(7)])
    shards = [whole.isel(sample=slice(0, 3)), whole.isel(sample=slice(3, 3)), whole.isel(sample=slice(3, 7))]
    found = concatenate(shards)
    assert found["sample"].values.tolist() == whole["sample"].values.tolist()
    assert np.array_equal(found["map"].values, whole["map"].values)
    assert found.attrs["images"] == "essential"
    MAPS.validate(found, "test")


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ([], "no map store to read"),
        ([maps(["s1"]), maps(["s2"], size=4)], r"shape \(3, 4, 4\)"),
        ([maps(["s1"]), maps(["s2"], "adversarial")], "give shards of one kind"),
    ],
)
def test_shards_that_do_not_fit_are_refused(shards, message):
    with pytest.raises(FreqmapsError, match=message):
        concatenate(shards)


def test_stores_that_do_not_fit_are_refused():
    essential, adversarial = maps(["s1", "s2"]), maps(["s1", "s2"], "adversarial")
    with pytest.raises(FreqmapsError, match="give the essential maps first"):
        matrix_dataset(adversarial, essential, MatrixSettings())
    with pytest.raises(FreqmapsError, match="give maps of one dataset and model"):
        matrix_dataset(essential, maps(["s1"], "adversarial", size=4), MatrixSettings())
    adversarial["label"].values[1] = 7
    with pytest.raises(FreqmapsError, match="'s2' has label 2 in the first set of maps and 7"):
        matrix_dataset(essential, adversarial, MatrixSettings())


# --- other bases -----------------------------------------------------------------------------------------------------


def based(basis, of="essential", n=4, **parameters):
    """Maps of a basis as the engine makes them, with random entries."""
    images = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(n))
    layout = components.load("basis", basis)(**parameters).bind(small_net(3).eval(), images).layout
    rng = np.random.default_rng(len(of))
    flags, numbers = np.ones(n, bool), np.zeros(n, np.int64)
    drawn = rng.random((n, *layout.shape), dtype=np.float32) / 2
    if basis == "fourier_complex":
        drawn[:, :, 0, 0, 1] = 0
    made = Maps(drawn, layout, numbers, np.ones(n), flags, flags)
    attrs = {
        "images": of,
        "objective": "cross_entropy",
        "parameters": {},
        "basis": basis,
        "basis_parameters": parameters,
    }
    store = to_dataset(made, [f"s{i}" for i in range(n)], numbers, numbers, attrs)
    MAPS.validate(store, "test")
    return store


BASES = components.names("basis")


def tiny(basis):
    return components.find("basis", basis).constants["TINY"]


@pytest.mark.parametrize("basis", BASES)
def test_maps_of_every_basis_become_rows(basis, tmp_path):
    first, second = based(basis, **tiny(basis)), based(basis, "adversarial", **tiny(basis))
    shape = list(first["map"].shape[1:])
    found = matrix_dataset(concatenate([first]), second, MatrixSettings())
    write(tmp_path / "store.zarr.zip", found, MATRICES)
    back = read(tmp_path / "store.zarr.zip", MATRICES)
    assert list(back.attrs["shape"]) == shape
    assert back.attrs["basis"] == basis
    np.testing.assert_array_equal(back["first"].values, first["map"].values.reshape(4, -1))
    np.testing.assert_array_equal(back["second"].values, second["map"].values.reshape(4, -1))


@pytest.mark.parametrize("basis", BASES)
def test_planes_of_every_basis_are_pooled_plane_by_plane_and_tables_are_not(basis):
    first, second = based(basis, **tiny(basis)), based(basis, "adversarial", **tiny(basis))
    if first.attrs["layout"] == "table":
        with pytest.raises(
            FreqmapsError, match=f"maps of basis '{basis}' cannot be pooled by mean, .* set pool to none$"
        ):
            matrix_dataset(first, second, MatrixSettings(pool="mean", size=4))
        return
    found = matrix_dataset(first, second, MatrixSettings(pool="mean", size=4))
    assert list(found.attrs["shape"]) == [*first["map"].shape[1:-2], 4, 4]
    values = first["map"].values.reshape(4, -1, 8, 8).astype(np.float64)
    blocks = sum(values[..., i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4
    np.testing.assert_allclose(found["first"].values, blocks.reshape(4, -1), rtol=1e-6)


@pytest.mark.parametrize(
    ("basis", "pool", "message"),
    [
        ("wavelet", "max", "cannot be pooled by max, .* set pool to none$"),
        ("fourier_complex", "max", "complex numbers have no largest one; set pool to none or mean"),
    ],
)
def test_what_has_no_neighbours_or_no_order_is_not_pooled(basis, pool, message):
    first, second = based(basis), based(basis, "adversarial")
    with pytest.raises(FreqmapsError, match=message):
        matrix_dataset(first, second, MatrixSettings(pool=pool, size=4))


@pytest.mark.parametrize(
    ("other", "parameters"), [("phase", {}), ("dct", {}), ("fourier_complex", {}), ("wavelet", {"levels": 1})]
)
def test_maps_of_two_bases_are_not_compared(other, parameters):
    with pytest.raises(FreqmapsError, match=rf"are of basis {other}.* of fourier; give maps of one setting"):
        matrix_dataset(based("fourier"), based(other, "adversarial", **parameters), MatrixSettings())


def test_maps_of_two_settings_of_one_basis_are_not_compared():
    with pytest.raises(FreqmapsError, match=r"wavelet \(levels=2\), shard 0 of wavelet \(levels=1\);"):
        concatenate([based("wavelet", levels=1), based("wavelet", levels=2)])


def test_settings_are_read_from_the_source():
    settings = components.settings("freqmaps.matrices.settings", "MatrixSettings")
    filled = components.fill(settings, {"pool": "max"}, where="matrices")
    assert MatrixSettings(**filled) == MatrixSettings(pool="max")
