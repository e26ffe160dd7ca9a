"""Datasets: the contract of every component, the store, and what a dry run may import and remembers."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from freqmaps.core import components
from freqmaps.core.cache import cache_folder
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.datasets import Moments, _decode, _files, _order, digits, image_folder, write_store
from freqmaps.stores import DATASET, open_store
from tests.dataset_files import array_file, as_folder, encoded, hub, med_file, own_cache, picture, shards, tree, whole  # noqa: F401

# --- digits, and every component ------------------------------------------------------------------------------------


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    reference = load_digits()
    got = whole(digits.read(test_fraction=0.5))
    assert np.array_equal(got.image[:, 0] * 16, reference.images.astype(np.float32))
    assert np.array_equal(got.label, reference.target)
    description = digits.describe()
    assert description.splits == {"train": got.split.count("train"), "test": got.split.count("test")}
    assert abs(description.splits["train"] - description.splits["test"]) <= 1


@pytest.mark.parametrize("kind", components.names("dataset"))
def test_component_contract(kind, tmp_path):
    component = components.find("dataset", kind)
    describe, read = (components.load("dataset", kind, name) for name in ("describe", "read"))
    assert inspect.signature(describe).parameters == inspect.signature(read).parameters
    assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(describe).parameters.values())
    assert set(component.unkeyed) <= set(component.parameters)
    if "TINY" not in component.constants:
        return
    given = components.resolve("dataset", kind, component.constants["TINY"], where="datasets.tiny")
    headline = write_store(tmp_path / "store.zarr.zip", kind, given, {"spec": "{}"}, describe(**given).identity)
    with open_store(tmp_path / "store.zarr.zip", DATASET, values=True) as store:
        splits = np.array([str(s) for s in store["split"].values])
        assert headline["n"] == {s: int((splits == s).sum()) for s in ("train", "test")}
        assert store["image"].shape[1:] == (headline["channels"], headline["size"], headline["size"])
        train = store["image"].values[splits == "train"].astype(np.float64)
        assert np.allclose(store.attrs["mean"], train.mean(axis=(0, 2, 3)), atol=1e-12)
        assert np.allclose(store.attrs["std"], train.std(axis=(0, 2, 3)), atol=1e-9)
        assert store.attrs["spec"] == "{}"


def test_datasets_with_a_tiny_example():
    assert "TINY" in components.find("dataset", "digits").constants


def test_store_of_bytes_has_the_moments_of_the_train_split(tmp_path):
    root = str(as_folder(tmp_path / "a", tree(n=5)))
    headline = write_store(tmp_path / "s.zarr.zip", "image_folder", {"root": root}, {})
    got = whole(image_folder.read(root=root))
    train = got.image[[s == "train" for s in got.split]] / 255.0
    assert np.allclose(headline["mean"], train.mean(axis=(0, 2, 3)), rtol=1e-12)
    assert np.allclose(headline["std"], train.std(axis=(0, 2, 3)), rtol=1e-12)
    with open_store(tmp_path / "s.zarr.zip", DATASET) as store:
        assert store["image"].dtype == np.uint8
        assert store.attrs["classes"] == ["cat", "dog"]
        assert np.array_equal(store["image"].values, got.image)


def test_constant_channels_get_a_deviation_that_can_divide():
    for images in (np.full((300, 2, 8, 8), 37, np.uint8), np.full((300, 2, 8, 8), 0.3, np.float32)):
        moments = Moments(2)
        moments.add(images)
        moments.add(images)
        assert moments.std == [1.0, 1.0]


def test_data_that_changed_since_they_were_described(tmp_path):
    root = as_folder(tmp_path / "a", tree())
    identity = image_folder.describe(root=str(root)).identity
    (root / "train" / "cat" / "0.png").write_bytes(picture(77))
    with pytest.raises(FreqmapsError, match="not those that the study was resolved for"):
        write_store(tmp_path / "s.zarr.zip", "image_folder", {"root": str(root)}, {}, identity)
    assert not (tmp_path / "s.zarr.zip").exists()


# --- what a dry run costs -------------------------------------------------------------------------------------------


def test_describing_imports_nothing_heavy(tmp_path):
    root = as_folder(tmp_path / "a", tree())
    wide = {f"{c}/{i}.png": encoded(np.full((8, 8), 16 * i, np.uint16)) for c in "ab" for i in range(3)}
    given = {
        "image_folder": {"root": str(root)},
        "deep_image_folder": {"root": str(as_folder(tmp_path / "deep", wide)), "white": 4095.0},
        "arrays": {"path": array_file(tmp_path / "a.npz")},
        "medmnist": {"path": med_file(tmp_path / "m.npz")},
        "webdataset": {"root": str(tmp_path / "w")},
        "parquet": {"root": str(tmp_path / "p")},
    }
    shards(tmp_path / "w")
    # torchvision's classes say what they hold to nobody but torch, which is imported the first time.
    absent = ["torchvision_dataset"]
    if importlib.util.find_spec("pyarrow"):
        hub(tmp_path / "p")
    else:
        absent.append("parquet")
    script = f"""
import sys
from freqmaps.core import components
given = {given!r}
for kind in components.names("dataset"):
    if kind not in {absent!r}:
        components.load("dataset", kind)(**given.get(kind, {{}}))
heavy = {{"torch", "torchvision", "sklearn", "xarray", "zarr", "pandas"}} & set(sys.modules)
assert not heavy, heavy
if sys.argv[1:]:
    light = {{"numpy", "PIL", "scipy"}} & set(sys.modules)
    assert not light, light
"""
    # The second time, everything is remembered, and not even NumPy is needed.
    for more in ([], ["again"]):
        subprocess.run([sys.executable, "-c", script, *more], check=True, cwd=tmp_path, timeout=60)


def test_second_description_reads_no_image(tmp_path, monkeypatch):
    root = as_folder(tmp_path / "a", tree())
    first = image_folder.describe(root=str(root))
    seen = []
    monkeypatch.setattr(_decode, "check", lambda data, where: seen.append(where) or (8, 8))
    assert image_folder.describe(root=str(root)) == first
    assert not seen
    os.utime(root / "train" / "cat" / "0.png", (1, 1))  # other times, same content: looked at again, same identity
    assert image_folder.describe(root=str(root)) == first
    assert len(seen) == 12


def test_same_size_and_date_but_other_content_is_seen(tmp_path):
    root = as_folder(tmp_path / "a", {k: picture(i, form="bmp") for i, k in enumerate(tree())})
    file = root / "train" / "cat" / "0.png"
    before = file.stat()
    first = image_folder.describe(root=str(root)).identity
    file.write_bytes(picture(500, form="bmp"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert image_folder.describe(root=str(root)).identity != first


def test_empty_class_folder_is_seen_after_a_good_scan(tmp_path):
    root = as_folder(tmp_path / "a", tree())
    image_folder.describe(root=str(root))
    (root / "train" / "eel").mkdir()
    with pytest.raises(ConfigError, match="train/eel' holds no images"):
        image_folder.describe(root=str(root))


def test_cache_that_is_corrupt_or_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    root = str(as_folder(tmp_path / "a", tree()))
    first = image_folder.describe(root=root)
    for file in (cache_folder() / "datasets").glob("*.json"):
        file.write_text("{")
    assert image_folder.describe(root=root) == first
    again = [json.loads(file.read_text())["answer"] for file in (cache_folder() / "datasets").glob("*.json")]
    assert any(answer.get("digest") for answer in again)  # beside it, where the splits lie
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert image_folder.describe(root=root) == first
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert image_folder.describe(root=root) == first


def test_errors_are_not_remembered(tmp_path):
    calls = []

    def fail():
        calls.append(1)
        raise ConfigError("bad")

    for _ in range(2):
        with pytest.raises(ConfigError):
            _files.remembered("x", [1], fail)
    assert len(calls) == 2


def test_a_long_scan_tells_how_far_it_is(capsys):
    patience = _files.Patience("checking the images", 4)
    patience.step()
    assert capsys.readouterr().err == ""
    patience.next = 0.0
    patience.step()
    assert capsys.readouterr().err == "checking the images (this time only): 2 of 4, 50 %\n"


def test_interleave_and_split_by_hand():
    assert _order.interleave(["test", "train", "train", "train"], [0, 1, 1, 0]) == [3, 1, 2, 0]
    samples = [f"s{i}" for i in range(10)]
    split = _order.made_split(samples, [0] * 5 + [1] * 5, 0.4)
    expected = {s for part in (samples[:5], samples[5:]) for s in sorted(part, key=_sha)[:2]}
    assert {s for s, p in zip(samples, split, strict=True) if p == "test"} == expected
    assert [_order.test_count(n, 0.01) for n in (2, 3, 1000)] == [1, 1, 10]
    assert _order.test_count(2, 0.99) == 1


def _sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def test_blocks_are_bounded(tmp_path):
    from freqmaps.datasets._api import BLOCK_BYTES, BLOCK_IMAGES, in_blocks, rows_per_block

    images = np.zeros((1300, 1, 2, 2), np.uint8)
    sizes = [len(b.label) for b in in_blocks(images, [0] * 1300, ["train"] * 1300, ["x"] * 1300, range(1300))]
    assert sizes == [512, 512, 276]
    assert BLOCK_IMAGES == 512
    assert rows_per_block(BLOCK_BYTES) == 1
    assert rows_per_block(3 * 224 * 224) * 3 * 224 * 224 <= BLOCK_BYTES


def test_digits_file_that_is_damaged(tmp_path, monkeypatch):
    (tmp_path / "sklearn" / "datasets" / "data").mkdir(parents=True)
    (tmp_path / "sklearn" / "__init__.py").write_text("")
    data = tmp_path / "sklearn" / "datasets" / "data" / "digits.csv.gz"
    data.write_bytes(gzip.compress(b"1,2,3\n")[:-4])
    script = "from freqmaps.datasets import digits; digits.describe()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )
    assert "install scikit-learn again" in done.stderr


def test_the_log_of_a_dataset_tells_its_classes_and_images(tmp_path):
    from freqmaps.stores import accounts

    path = tmp_path / "store.zarr.zip"
    write_store(path, "digits", {"test_fraction": 0.5}, {})
    with open_store(path, DATASET) as store:
        split, label = store["split"].values, store["label"].values
    lines = accounts.of_dataset(path)
    assert [line.split(":")[0] for line in lines] == ["train", "test"]
    for line in lines:
        name = line.split(":")[0]
        counts = ", ".join(f"{i} {((split == name) & (label == i)).sum()}" for i in range(10))
        assert line == f"{name}: {(split == name).sum()} images of 10 classes: {counts}"


def test_of_many_classes_the_extremes_are_told():
    from collections import Counter

    from freqmaps.stores.accounts import _line

    told = _line("train", Counter({i: 5 + i for i in range(30)}), [f"c{i}" for i in range(30)])
    assert told == f"train: {sum(range(5, 35))} images of 30 classes: from 5 (c0) to 34 (c29) of a class"
