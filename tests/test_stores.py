"""Stores: contracts kept on write and on open, whole or not at all, small, and read only where asked."""

import errno
import itertools
import shutil
import zipfile

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from freqmaps.core.errors import StoreError
from freqmaps.stores import ADVERSARIAL, MAPS, open_store, read, read_arrays, read_blocks, write, write_blocks, zarrfile


def map_dataset(n=40, size=8, channels=3, seed=0, density=0.05):
    rng = np.random.default_rng(seed)
    shape = (n, channels, size, size)
    maps = (rng.random(shape) * (rng.random(shape) < density)).astype(np.float32)
    columns = {
        "map": (("sample", "channel", "ky", "kx"), maps),
        "target": ("sample", np.arange(n) % 10),
        "label": ("sample", np.arange(n) % 10),
        "steps": ("sample", np.arange(n)),
        "loss": ("sample", rng.random(n)),
        "converged": ("sample", np.ones(n, bool)),
        "keeps_prediction": ("sample", np.arange(n) % 2 == 0),
    }
    axis = np.arange(size) - size // 2
    coords = {"sample": [f"s{i}" for i in range(n)], "ky": axis, "kx": axis}
    return xr.Dataset(columns, coords, {"images": "essential", "objective": "cross_entropy", "parameters": "{}"})


def test_roundtrip_keeps_every_value(tmp_path):
    dataset = map_dataset()
    write(tmp_path / "m.zarr.zip", dataset, MAPS)
    back = read(tmp_path / "m.zarr.zip", MAPS)
    for name in dataset.variables:
        assert np.array_equal(back[name].values.astype(dataset[name].dtype), dataset[name].values), name
    assert back.attrs["images"] == "essential"
    assert back.attrs["kind"] == "maps"


def test_text_that_is_missing_is_not_written_as_the_text_nan(tmp_path):
    dataset = map_dataset(n=4)
    dataset["sample"] = ("sample", np.array(["a", "b", np.nan, "d"], dtype=object))
    with pytest.raises(StoreError, match="'sample' holds nan where text is expected; drop the rows without it"):
        write(tmp_path / "m.zarr.zip", dataset, MAPS)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=6), rows=st.sampled_from([1, 2, 8]))
def test_blocks_of_any_length_give_the_same_bytes(tmp_path_factory, cuts, rows):
    folder = tmp_path_factory.mktemp("blocks")
    dataset = map_dataset(size=4, channels=1)
    edges = [0, *sorted(cuts), 40]
    blocks = [dataset.isel(sample=slice(a, b)) for a, b in itertools.pairwise(edges)]
    before = zarrfile.CHUNK_BYTES
    zarrfile.CHUNK_BYTES = rows * 64
    try:
        write(folder / "whole.zip", dataset, MAPS)
        write_blocks(folder / "blocks.zip", blocks, MAPS)
    finally:
        zarrfile.CHUNK_BYTES = before
    assert read(folder / "blocks.zip", MAPS).equals(read(folder / "whole.zip", MAPS))


def test_empty_store_is_a_store(tmp_path):
    write(tmp_path / "m.zarr.zip", map_dataset(n=0), MAPS)
    assert read(tmp_path / "m.zarr.zip", MAPS).sizes["sample"] == 0


def test_ten_thousand_maps_are_one_small_file(tmp_path):
    dataset = map_dataset(n=2500, size=32, density=0.03)
    write(tmp_path / "m.zarr.zip", dataset, MAPS)
    assert len(list(tmp_path.iterdir())) == 1
    assert (tmp_path / "m.zarr.zip").stat().st_size < dataset["map"].nbytes / 10


def test_a_slice_reads_only_its_chunks(tmp_path, monkeypatch):
    write(tmp_path / "m.zarr.zip", map_dataset(n=1500, size=32), MAPS)
    reads = []
    original = zarrfile.ZipStore.get

    async def spy(self, key, *args, **kwargs):
        reads.append(key)
        return await original(self, key, *args, **kwargs)

    monkeypatch.setattr(zarrfile.ZipStore, "get", spy)
    with open_store(tmp_path / "m.zarr.zip", MAPS) as lazy:
        reads.clear()
        lazy["map"].isel(sample=slice(100, 200)).load()
    chunks = {r for r in reads if r.startswith("map/c/")}
    with zipfile.ZipFile(tmp_path / "m.zarr.zip") as archive:
        total = [n for n in archive.namelist() if n.startswith("map/c/")]
    assert len(chunks) <= 3 < len(total)


BREACHES = {
    "a variable is missing": (lambda d: d.drop_vars("steps"), "variable 'steps' is missing"),
    "dims in another order": (lambda d: d.transpose("sample", "channel", "kx", "ky"), "has dims"),
    "another dtype": (lambda d: d.assign(map=d["map"].astype("float64")), "has dtype float64"),
    "outside [0, 1]": (lambda d: d.assign(map=d["map"] + 1), "allowed is"),
    "NaN": (lambda d: d.assign(map=d["map"].where(d["map"] == 0)), "NaN or infinity, first at index"),
    "index convention": (lambda d: d.assign_coords(kx=np.arange(8)), "signed frequencies"),
    "ids twice": (lambda d: d.assign_coords(sample=["a"] * 40), "not unique"),
    "attribute missing": (lambda d: d.drop_attrs().assign_attrs(images="essential"), "attributes missing"),
}


def complex_maps(dataset):
    """The same as complex maps: the amplitude as the real part, nothing as the imaginary part."""
    both = xr.concat([dataset["map"], 0 * dataset["map"]], dim="part").transpose("sample", "part", ...)
    made = dataset.drop_vars("map").assign(map=both).assign_coords(part=["real", "imaginary"])
    return made.assign_attrs(layout="complex_frequencies")


def on_a_grid(dataset):
    """The same over rows and columns."""
    made = dataset.drop_vars(["ky", "kx"]).rename(ky="row", kx="column")
    return made.assign_coords(row=np.arange(8), column=np.arange(8)).assign_attrs(layout="plane")


BREACHES |= {
    "unknown layout": (lambda d: d.assign_attrs(layout="plain"), "no layout 'plain' of maps stores; did you mean 'pla"),
    "another layout": (lambda d: d.assign_attrs(layout="plane"), "variable 'row' is missing|has dims"),
    "a table without labels": (lambda d: on_a_grid(d).assign_attrs(layout="table"), "variable 'level' is missing"),
    "parts swapped": (lambda d: complex_maps(d).isel(part=[1, 0]), "'part' must be real, imaginary"),
    "outside the disc": (lambda d: complex_maps(d).pipe(lambda c: c.assign(map=c["map"] * 0 + 0.8)), "modulus 1.13"),
}


@pytest.mark.parametrize("layout", [complex_maps, on_a_grid])
def test_every_layout_is_written_and_read(tmp_path, layout):
    dataset = layout(map_dataset())
    write(tmp_path / "m.zarr.zip", dataset, MAPS)
    assert np.array_equal(read(tmp_path / "m.zarr.zip", MAPS)["map"].values, dataset["map"].values)
    plain = read_arrays(tmp_path / "m.zarr.zip", MAPS, ["map"])
    assert np.array_equal(plain["map"], dataset["map"].values)


@pytest.mark.parametrize("breach", BREACHES)
def test_contract_is_kept_on_write_and_nothing_is_left(tmp_path, breach):
    change, message = BREACHES[breach]
    with pytest.raises(StoreError, match=message):
        write(tmp_path / "m.zarr.zip", change(map_dataset()), MAPS)
    assert list(tmp_path.iterdir()) == []


def test_contract_is_kept_on_open(tmp_path):
    write(tmp_path / "m.zarr.zip", map_dataset(), MAPS)
    with pytest.raises(StoreError, match="expected a adversarial store, found 'maps'"):
        open_store(tmp_path / "m.zarr.zip", ADVERSARIAL)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.95])
def test_a_flipped_bit_is_found(tmp_path, share):
    path = tmp_path / "m.zarr.zip"
    write(path, map_dataset(n=200, size=16), MAPS)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        members = [i for i in archive.infolist() if i.filename.startswith("map/c/")]
    member = members[int(share * len(members))]
    content[member.header_offset + 30 + len(member.filename) + member.compress_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="corrupt"):
        read(path, MAPS)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_store_is_no_store(tmp_path, keep):
    path = tmp_path / "m.zarr.zip"
    write(path, map_dataset(), MAPS)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(StoreError, match="not a whole store"):
        read(path, MAPS)


def test_missing_store_says_so(tmp_path):
    with pytest.raises(StoreError, match="no such store"):
        open_store(tmp_path / "m.zarr.zip", MAPS)


def test_full_disk_leaves_the_old_store_and_no_debris(tmp_path, monkeypatch):
    path = tmp_path / "m.zarr.zip"
    write(path, map_dataset(seed=1), MAPS)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(StoreError, match="No space left"):
        write(path, map_dataset(seed=2), MAPS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.zarr.zip"]


def test_plain_arrays_are_those_of_the_labelled_store(tmp_path):
    path = tmp_path / "m.zarr.zip"
    write(path, map_dataset(), MAPS)
    labelled, plain = read(path, MAPS), read_arrays(path, MAPS, ["map", "steps", "sample"])
    for name, values in plain.items():
        assert np.array_equal(values, labelled[name].values), name
    with pytest.raises(StoreError, match="expected a adversarial store"):
        read_arrays(path, ADVERSARIAL, ["success"])
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="corrupt or not whole"):
        read_arrays(path, MAPS, ["map", "steps", "sample", "loss"])
    path.write_bytes(content[:100])
    with pytest.raises(StoreError, match="corrupt or not whole"):
        read_arrays(path, MAPS, ["map"])


def test_attributes_known_only_at_the_end(tmp_path):
    seen = []

    def blocks():
        for start in (0, 20):
            seen.append(start)
            yield map_dataset().isel(sample=slice(start, start + 20))

    write_blocks(tmp_path / "m.zarr.zip", blocks(), MAPS, lambda: {"mean": float(len(seen))})
    assert read(tmp_path / "m.zarr.zip", MAPS).attrs["mean"] == 2.0


@pytest.mark.parametrize(("n", "rows"), [(10, 3), (10, 10), (10, 100), (0, 3)])
def test_blocks_are_the_store_in_parts(tmp_path, n, rows):
    dataset = map_dataset(n, size=4)
    write(tmp_path / "m.zarr.zip", dataset, MAPS)
    whole = read(tmp_path / "m.zarr.zip", MAPS)
    blocks = list(read_blocks(tmp_path / "m.zarr.zip", MAPS, size=rows * whole.nbytes // max(n, 1) + 1))
    assert [b.sizes["sample"] for b in blocks] == ([rows] * (n // rows) + [n % rows] * (n % rows > 0) or [0])
    assert np.array_equal(np.concatenate([b["map"].values for b in blocks]), whole["map"].values)
    assert [s for b in blocks for s in b["sample"].values] == whole["sample"].values.tolist()
    one = list(read_blocks(tmp_path / "m.zarr.zip", MAPS, size=1))
    assert len(one) == max(n, 1)
