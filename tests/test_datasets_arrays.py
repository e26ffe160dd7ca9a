"""Arrays of one's own: layouts, splits, names, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import arrays
from tests.dataset_files import array_file, own_cache, whole  # noqa: F401


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((12, 8, 8), 1), ((12, 1, 8, 8), 1), ((12, 8, 8, 1), 1), ((12, 3, 8, 8), 3), ((12, 8, 8, 3), 3)],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_array_layouts(shape, channels, dtype, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    images = images if dtype == np.uint8 else (images / 255).astype(dtype)
    path = array_file(tmp_path / "a.npz", images=images, labels=(np.arange(12) % 3).astype(np.int32))
    description = arrays.describe(path=path, test_fraction=0.25)
    got = whole(arrays.read(path=path, test_fraction=0.25))
    assert (description.channels, description.size) == (channels, 8)
    assert description.splits == {"train": 9, "test": 3}
    assert got.image.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    last = shape[-1] in (1, 3)
    first = images.transpose(0, 3, 1, 2) if last else images.reshape(12, channels, 8, 8)
    for image, sample, label in zip(got.image, got.sample, got.label, strict=True):
        assert np.array_equal(image, first[int(sample)].astype(got.image.dtype))
        assert label == int(sample) % 3
    assert sorted(got.label[:3].tolist()) == [0, 1, 2]


def test_arrays_with_split_and_names(tmp_path):
    split = np.array(["train"] * 6 + ["test"] * 6)
    path = array_file(tmp_path / "a.npz", split=split, classes=np.array(["x", "y", "z"]))
    description = arrays.describe(path=path)
    got = whole(arrays.read(path=path))
    assert description.classes == ("x", "y", "z")
    assert [s for s, p in zip(got.sample, got.split, strict=True) if p == "test"] == [f"{i:06d}" for i in range(6, 12)]
    compressed = tmp_path / "b.npz"
    with np.load(path) as content:
        np.savez_compressed(compressed, **content)
    assert arrays.describe(path=str(compressed)) == description
    other = array_file(tmp_path / "c.npz", split=np.array((["train"] * 3 + ["test"] * 3) * 2))
    assert arrays.describe(path=other).identity != description.identity


def test_two_npy_files(tmp_path):
    path = array_file(tmp_path / "a.npz")
    with np.load(path) as content:
        np.save(tmp_path / "i.npy", content["images"])
        np.save(tmp_path / "l.npy", content["labels"])
    given = {"path": str(tmp_path / "i.npy"), "labels": str(tmp_path / "l.npy")}
    assert arrays.describe(**given) == arrays.describe(path=path)
    assert np.array_equal(whole(arrays.read(**given)).image, whole(arrays.read(path=path)).image)
    with pytest.raises(ConfigError, match=r"set 'labels' to the \.npy file"):
        arrays.describe(path=given["path"])
    with pytest.raises(ConfigError, match=r"is not a \.npy file"):
        arrays.describe(path=path, labels=given["labels"])


NAN = np.full((12, 8, 8), 0.5)

NAN[7, 1, 1] = np.nan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": NAN}, "image 7 holds NaN"),
        ({"images": np.full((12, 8, 8), 3.0)}, r"float images span \[3, 3\]; scale them"),
        ({"images": np.zeros((12, 8, 8), np.int64)}, "'images' is int64 and spans .*set 'white'"),
        ({"images": np.zeros((12, 8, 9), np.uint8)}, r"has shape \(12, 8, 9\); expected"),
        ({"images": np.zeros((12, 2, 8, 8), np.uint8)}, "expected .* c 1 or 3"),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, "expected"),
        ({"images": None}, "holds no 'images'; found: labels.npy"),
        ({"images": np.array([object()] * 12, dtype=object)}, "is not a whole array of plain numbers"),
        ({"labels": np.arange(11) % 3}, r"'labels' is int64 \(11,\); expected .* integers of shape \(12,\)"),
        ({"labels": np.full(12, 0.5)}, "expected one class per image: integers"),
        ({"labels": np.full((12, 2), 0.5)}, "has 2 columns, and row 0 is not one 1 beside zeros"),
        ({"labels": np.eye(3)[np.arange(12) % 3] + np.eye(12, 3, -5)}, "and row 5 is not"),
        ({"labels": np.array(["ab", "cd"] * 6), "classes": np.array(["ab", "ce"])}, "'cd' .image 1., .* mean 'ce'"),
        ({"labels": np.arange(12) % 2 * 2}, r"0\.\.1 without gaps; found 0\.\.2, but no 1"),
        ({"labels": np.arange(12) % 3 - 1}, "without gaps; found -1"),
        ({"labels": np.arange(12) % 3 + 1}, "found 1..3, but no 0; subtract 1 from all"),
        ({"labels": np.zeros(12, int)}, "all images are of one class"),
        ({"labels": np.array([0] * 11 + [1])}, "class '1' has one image"),
        ({"classes": np.array(["a", "b", "c", "d"])}, "no image is of class 3, 'd'; remove it from 'classes', or add"),
        ({"classes": np.array(["a", "b"])}, r"holds 2, but 'classes' has 2 names, for 0\.\.1; name all classes"),
        ({"labels": np.eye(4)[np.arange(12) % 3]}, "has 4 columns, but no image is of class 3; remove that column"),
        (
            {"labels": np.eye(3)[np.arange(12) % 2 * 2], "classes": np.array(["a", "b", "c"])},
            "no image is of class 1, 'b'; remove",
        ),
        ({"labels": np.eye(3)[np.arange(12) % 3], "classes": np.array(["a", "b"])}, "3 columns, but 'classes' has 2"),
        ({"labels": np.array(["fox", "cat", "fox "] * 4)}, r"'fox' and 'fox ' differ .* spaces .image 0 and image 2."),
        ({"labels": np.array(["fox", "", "cat"] * 4)}, r"'' is an empty name .image 1."),
        ({"classes": np.array(["a", "b", "b"])}, "names a class twice"),
        ({"split": np.array(["train"] * 12)}, "there are no test samples"),
        ({"split": np.array(["train"] * 11 + ["val"])}, "'split' holds 'val'"),
        ({"split": np.array(["train"] * 11 + ["test"])}, "is in train but not in test; correct 'split'"),
        ({"split": np.zeros(12)}, "'split' must hold"),
    ],
)
def test_bad_arrays_are_one_sentence(changes, message, tmp_path):
    path = array_file(tmp_path / "a.npz", **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        arrays.describe(path=path)
    assert "\n" not in str(caught.value)


NUMBERS = np.arange(12) % 3
AS_SAVED = {
    "a column": {"labels": NUMBERS[:, None]},
    "floats": {"labels": NUMBERS.astype(np.float32)},
    "one-hot rows": {"labels": np.eye(3)[NUMBERS]},
    "one-hot bytes": {"labels": np.eye(3, dtype=np.uint8)[NUMBERS]},
}


@pytest.mark.parametrize("saved", AS_SAVED)
def test_labels_may_be_saved_as_columns_floats_or_one_hot_rows(saved, tmp_path):
    plain = arrays.describe(path=array_file(tmp_path / "a.npz", labels=NUMBERS))
    given = arrays.describe(path=array_file(tmp_path / "b.npz", **AS_SAVED[saved]))
    assert given.identity == plain.identity and given.classes == plain.classes


@pytest.mark.parametrize("order", [None, ["tea", "café", "mate"]])
def test_labels_may_be_names_of_classes(order, tmp_path):
    names = np.array(["tea", "mate", "café"] * 4)
    path = array_file(tmp_path / "a.npz", labels=names, **({} if order is None else {"classes": np.array(order)}))
    described = arrays.describe(path=path)
    assert described.classes == tuple(order or sorted(set(names)))
    blocks = list(arrays.read(path=path))
    read = {str(s): described.classes[int(n)] for b in blocks for s, n in zip(b.sample, b.label, strict=True)}
    assert read == {f"{i:06d}": name for i, name in enumerate(names)}


@pytest.mark.parametrize("order", [None, ["tea", "caf\u00e9", "mate"], ["tea", "cafe\u0301", "mate"]])
def test_names_with_accents_in_either_form_are_one_class(order, tmp_path):
    names = np.array(["tea", "mate", "caf\u00e9", "tea", "mate", "cafe\u0301"] * 2)
    path = array_file(tmp_path / "a.npz", labels=names, **({} if order is None else {"classes": np.array(order)}))
    described = arrays.describe(path=path)
    assert sorted(described.classes) == ["caf\u00e9", "mate", "tea"]
    read = {s: described.classes[n] for b in arrays.read(path=path) for s, n in zip(b.sample, b.label, strict=True)}
    assert {read["000002"], read["000005"], read["000011"]} == {"caf\u00e9"}


def test_array_file_that_is_missing_or_cut(tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory; correct the path"):
        arrays.describe(path=str(tmp_path / "absent.npz"))
    path = Path(array_file(tmp_path / "a.npz"))
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ConfigError, match=r"is not a \.npz file"):
        arrays.describe(path=str(path))


def test_class_names_given_as_bytes_are_read_as_utf8_or_refused(tmp_path):
    names = np.array(["caf\u00e9".encode(), b"tea", b"mate"])
    path = array_file(tmp_path / "a.npz", classes=names)
    assert arrays.describe(path=str(path)).classes == ("caf\u00e9", "tea", "mate")
    path = array_file(tmp_path / "b.npz", classes=np.array(["caf\u00e9".encode("latin-1"), b"tea", b"mate"]))
    with pytest.raises(ConfigError, match=r"'classes' of '.*' holds bytes that are not UTF-8"):
        arrays.describe(path=str(path))
